//! The int8 model: QLinearConv, DepthToSpace, Clip, Concat, and the memory bank as a function.

use beltwatch_vision::reconstruct::memory::PartitionMemory;
use beltwatch_vision::reconstruct::{DOMAIN, MEMORY_BANK, QLinearConv, Quantisation};
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;

use super::graph::{DIFFERENCE, Graph, RECONSTRUCTION, f32s, i8s, i32s, int, ints, node, string};
use super::memory::{Bank, function};
use crate::quantise::{QuantisedNetwork, QuantisedNetworks, QuantisedSide};

/// Writes the int8 networks as an ONNX file: `x` and `reconstruction` are int8, 1 x channels x size x size,
/// and hold `pixel - 128`; `difference`, where there is a head, is int8, 1 x 1 x size x size, and holds 16
/// times the log odds.
pub fn export(q: &QuantisedNetworks) -> Vec<u8> {
    let mut graph = Graph::default();
    network(&mut graph, "", "x", &q.reconstruction, RECONSTRUCTION);
    if let Some(head) = &q.head {
        let both = graph.node("Concat", "head.x", &["x", RECONSTRUCTION], vec![int("axis", 1)]);
        network(&mut graph, "head.", &both, head, DIFFERENCE);
    }
    let QuantisedNetwork {
        sides,
        channels,
        size,
        ..
    } = &q.reconstruction;
    let functions = if sides.iter().any(|s| matches!(s, QuantisedSide::Memory(_))) {
        vec![function()]
    } else {
        vec![]
    };
    let doc = "Reconstructs a picture as a good part would look; int8.";
    graph
        .into_model(
            DataType::Int8,
            [*channels, *size],
            q.head.is_some(),
            doc,
            functions,
        )
        .encode_to_vec()
}

/// Adds a network from `x` to `output`; `prefix` keeps its names apart from another's.
fn network(graph: &mut Graph, prefix: &str, x: &str, q: &QuantisedNetwork, output: &str) {
    let levels = q.encoder.len();
    let mut y = x.to_owned();
    let mut joined = Vec::new();
    for (level, (conv, side)) in q.encoder.iter().zip(&q.sides).enumerate() {
        y = convolution(graph, &format!("{prefix}encoder{}", level + 1), &y, conv);
        joined.push(match side {
            QuantisedSide::None => None,
            QuantisedSide::Skip => Some(y.clone()),
            QuantisedSide::Memory(memory) => Some(memory_bank(
                graph,
                &format!("{prefix}memory{}", level + 1),
                &y,
                memory,
            )),
        });
    }
    if let Some(drawn) = joined.pop().flatten() {
        y = drawn;
    }
    for (step, conv) in q.decoder.iter().enumerate() {
        let level = levels - step;
        let last = level == 1;
        y = convolution(graph, &format!("{prefix}decoder{level}.phases"), &y, conv);
        let name = if last {
            output.to_owned()
        } else {
            format!("{prefix}decoder{level}")
        };
        y = graph.node(
            "DepthToSpace",
            &name,
            &[&y],
            vec![int("blocksize", 2), string("mode", "DCR")],
        );
        if let Some(floor) = q.floor(step) {
            let bound = graph.constant(format!("{prefix}decoder{level}.floor"), i8s(&[], &[floor]));
            y = graph.node(
                "Clip",
                &format!("{prefix}decoder{level}.relu"),
                &[&y, &bound],
                vec![],
            );
        }
        if let Some(other) = joined.pop().flatten() {
            let name = format!("{prefix}join{}", level - 1);
            y = graph.node("Concat", &name, &[&y, &other], vec![int("axis", 1)]);
        }
    }
}

fn convolution(graph: &mut Graph, name: &str, x: &str, conv: &QLinearConv) -> String {
    let outputs = conv.outputs;
    let [x_scale, x_zero] = quantisation(graph, &format!("{name}.x"), conv.input);
    let [y_scale, y_zero] = quantisation(graph, &format!("{name}.y"), conv.output);
    let shape = [outputs, conv.inputs, conv.window[0], conv.window[1]];
    let weight = graph.constant(format!("{name}.weight"), i8s(&shape, &conv.weight));
    let scale = graph.constant(
        format!("{name}.weight_scale"),
        f32s(&[outputs], &conv.weight_scale),
    );
    // A scalar zero point with a vector of scales spares runtimes a pass over their sums.
    let zero = graph.constant(format!("{name}.weight_zero_point"), i8s(&[], &[0]));
    let bias = graph.constant(format!("{name}.bias"), i32s(&[outputs], &conv.bias));
    let padding = conv.padding;
    let pads = [padding.top, padding.left, padding.bottom, padding.right].map(|p| p as i64);
    let attributes = vec![
        ints("kernel_shape", &conv.window.map(|w| w as i64)),
        ints("pads", &pads),
        ints("strides", &[conv.stride as i64; 2]),
    ];
    let inputs = [
        x, &x_scale, &x_zero, &weight, &scale, &zero, &y_scale, &y_zero, &bias,
    ];
    graph.node("QLinearConv", name, &inputs, attributes)
}

fn memory_bank(graph: &mut Graph, name: &str, x: &str, memory: &PartitionMemory) -> String {
    let bank = Bank {
        channels: memory.channels,
        grid: memory.grid,
        items: memory.items,
        block: memory.block,
        keys: &memory.keys,
        values: &memory.values,
    };
    let mut inputs = vec![x.to_owned()];
    inputs.extend(quantisation(graph, &format!("{name}.x"), memory.input));
    inputs.extend(bank.constants(graph, name));
    inputs.extend(quantisation(graph, &format!("{name}.y"), memory.output));
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let mut node = node(MEMORY_BANK, name, &inputs, vec![]);
    node.domain = DOMAIN.into();
    graph.push(node);
    name.into()
}

fn quantisation(graph: &mut Graph, name: &str, quantisation: Quantisation) -> [String; 2] {
    [
        graph.constant(format!("{name}_scale"), f32s(&[], &[quantisation.scale])),
        graph.constant(format!("{name}_zero_point"), i8s(&[], &[quantisation.zero_point])),
    ]
}
