//! The float model: Conv, ConvTranspose, Relu, Concat, and the memory bank inlined.

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;

use super::graph::{DIFFERENCE, Graph, RECONSTRUCTION, f32s, int, ints};
use super::memory::{Bank, body};
use crate::network::folded::{FoldedMemory, FoldedNetwork, FoldedNetworks, Side};
use crate::quantise::network::keys;

/// Writes the float networks as an ONNX file: `x` and `reconstruction` are float, 1 x channels x size x size,
/// and hold `(pixel - 128) / 128`; `difference`, where there is a head, is float, 1 x 1 x size x size, and
/// holds the log odds.
pub fn export_float(nets: &FoldedNetworks) -> Vec<u8> {
    let mut graph = Graph::default();
    let FoldedNetwork { channels, size, .. } = nets.reconstruction;
    network(&mut graph, "", "x", &nets.reconstruction, RECONSTRUCTION);
    if let Some(head) = &nets.head {
        let [least, most] = [("head.least", -1.0), ("head.most", 127.0 / 128.0)]
            .map(|(name, value)| graph.constant(name.to_owned(), f32s(&[], &[value])));
        let drawn = graph.node("Clip", "head.drawn", &[RECONSTRUCTION, &least, &most], vec![]);
        let both = graph.node("Concat", "head.x", &["x", &drawn], vec![int("axis", 1)]);
        network(&mut graph, "head.", &both, head, DIFFERENCE);
    }
    let doc = "Reconstructs a picture as a good part would look; float.";
    graph
        .into_model(
            DataType::Float,
            [channels, size],
            nets.head.is_some(),
            doc,
            vec![],
        )
        .encode_to_vec()
}

/// Adds a network from `x` to `output`; `prefix` keeps its names apart from another's.
fn network(graph: &mut Graph, prefix: &str, x: &str, net: &FoldedNetwork, output: &str) {
    let levels = net.encoder.len();
    let mut y = x.to_owned();
    let mut joined = Vec::new();
    for (i, (conv, side)) in net.encoder.iter().zip(&net.sides).enumerate() {
        let name = format!("{prefix}encoder{}", i + 1);
        let weight = f32s(&[conv.outputs, conv.inputs, 3, 3], &conv.weight);
        let weight = graph.constant(format!("{name}.weight"), weight);
        let bias = graph.constant(format!("{name}.bias"), f32s(&[conv.outputs], &conv.bias));
        y = graph.node("Conv", &format!("{name}.sum"), &[&y, &weight, &bias], geometry(3));
        y = graph.node("Relu", &name, &[&y], vec![]);
        joined.push(match side {
            Side::None => None,
            Side::Skip => Some(y.clone()),
            Side::Memory(memory) => {
                let feature = net.size >> (i + 1);
                let name = format!("{prefix}memory{}", i + 1);
                Some(memory_bank(graph, &name, &y, memory, [conv.outputs, feature]))
            }
        });
    }
    if let Some(drawn) = joined.pop().flatten() {
        y = drawn;
    }
    for (step, up) in net.decoder.iter().enumerate() {
        let level = levels - step;
        let name = format!("{prefix}decoder{level}");
        let weight = graph.constant(
            format!("{name}.weight"),
            f32s(&[up.inputs, up.outputs, 4, 4], &up.weight),
        );
        let bias = graph.constant(format!("{name}.bias"), f32s(&[up.outputs], &up.bias));
        let last = level == 1;
        let sum = if last {
            output.to_owned()
        } else {
            format!("{name}.sum")
        };
        y = graph.node("ConvTranspose", &sum, &[&y, &weight, &bias], geometry(4));
        if !last {
            y = graph.node("Relu", &name, &[&y], vec![]);
        }
        if let Some(other) = joined.pop().flatten() {
            let name = format!("{prefix}join{}", level - 1);
            y = graph.node("Concat", &name, &[&y, &other], vec![int("axis", 1)]);
        }
    }
}

/// Stride 2, padding 1.
fn geometry(window: i64) -> Vec<tract_onnx::pb::AttributeProto> {
    vec![
        ints("kernel_shape", &[window; 2]),
        ints("pads", &[1; 4]),
        ints("strides", &[2; 2]),
    ]
}

fn memory_bank(
    graph: &mut Graph,
    name: &str,
    x: &str,
    memory: &FoldedMemory,
    [channels, side]: [usize; 2],
) -> String {
    let bank = Bank {
        channels,
        grid: memory.grid,
        items: memory.items,
        block: [side / memory.grid; 2],
        keys: &keys(memory),
        values: &memory.values,
    };
    let parameters = bank.constants(graph, name);
    let parameters = parameters.each_ref().map(String::as_str);
    for node in body(x, name, parameters, |step| format!("{name}.{step}")) {
        graph.push(node);
    }
    name.into()
}
