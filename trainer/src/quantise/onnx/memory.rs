//! The memory bank in plain ONNX: inlined in the float model, the body of a function in the int8 model.
//!
//! The function makes any runtime run the file; the device puts an operator of its own in its place.

use beltwatch_vision::reconstruct::memory::LENGTH_EPSILON;
use beltwatch_vision::reconstruct::{DOMAIN, MEMORY_BANK};
use tract_onnx::pb::{FunctionProto, NodeProto};

use super::graph::{Graph, OPSET, f32s, i64s, int, ints, node, opset, tensor};

/// The bank's parameters, in the order of the function's inputs 3 to 9.
pub(super) const PARAMETERS: [&str; 7] = ["keys", "values", "share", "cut", "queries", "blocks", "map"];

/// A bank's numbers.
pub(super) struct Bank<'a> {
    pub(super) channels: usize,
    pub(super) grid: usize,
    pub(super) items: usize,
    pub(super) block: [usize; 2],
    /// `[grid * grid][items][dimension]`: items, normalised and divided by the temperature.
    pub(super) keys: &'a [f32],
    /// `[grid * grid][items][dimension]`.
    pub(super) values: &'a [f32],
}

impl Bank<'_> {
    /// Adds [`PARAMETERS`] as constants; returns their names.
    pub(super) fn constants(&self, graph: &mut Graph, prefix: &str) -> [String; 7] {
        let (channels, grid, [rows, columns]) = (self.channels, self.grid, self.block);
        let blocks = grid * grid;
        let items = [blocks, self.items, rows * columns];
        let tensors = [
            f32s(&items, self.keys),
            f32s(&items, self.values),
            f32s(&[], &[1.0 / self.items as f32]),
            i64s(&[channels, grid, rows, grid, columns]),
            i64s(&[blocks, channels, rows * columns]),
            i64s(&[grid, grid, channels, rows, columns]),
            i64s(&[1, channels, grid * rows, grid * columns]),
        ];
        let mut tensors = tensors.into_iter();
        PARAMETERS.map(|name| graph.constant(format!("{prefix}.{name}"), tensors.next().unwrap_or_default()))
    }
}

/// The bank from `x` to `drawn`, float and 1 x channels x height x width both. `name` makes names of
/// constants and steps unique.
pub(super) fn body(
    x: &str,
    drawn: &str,
    parameters: [&str; 7],
    name: impl Fn(&str) -> String,
) -> Vec<NodeProto> {
    let [keys, values, share, cut, queries, blocks, map] = parameters;
    let keep = || int("keepdims", 1);
    let steps: Vec<(&str, &str, Vec<&str>, Vec<_>)> = vec![
        (
            "Constant",
            "epsilon",
            vec![],
            vec![tensor("value", f32s(&[], &[LENGTH_EPSILON]))],
        ),
        (
            "Constant",
            "zero",
            vec![],
            vec![tensor("value", f32s(&[], &[0.0]))],
        ),
        (
            "Constant",
            "items_axis",
            vec![],
            vec![tensor("value", i64s(&[2]))],
        ),
        // One query is a channel of a block: [blocks, channels, rows * columns].
        ("Reshape", "cut_up", vec![x, cut], vec![]),
        (
            "Transpose",
            "by_block",
            vec!["cut_up"],
            vec![ints("perm", &[1, 3, 0, 2, 4])],
        ),
        ("Reshape", "query", vec!["by_block", queries], vec![]),
        (
            "ReduceSumSquare",
            "square",
            vec!["query"],
            vec![ints("axes", &[2]), keep()],
        ),
        ("Add", "positive_square", vec!["square", "epsilon"], vec![]),
        ("Sqrt", "length", vec!["positive_square"], vec![]),
        ("Div", "direction", vec!["query", "length"], vec![]),
        (
            "Transpose",
            "keys_transposed",
            vec![keys],
            vec![ints("perm", &[0, 2, 1])],
        ),
        (
            "MatMul",
            "similarity",
            vec!["direction", "keys_transposed"],
            vec![],
        ),
        ("Softmax", "weight", vec!["similarity"], vec![int("axis", 2)]),
        // Weights below 1 / items are dropped, never the largest.
        (
            "ReduceMax",
            "best",
            vec!["weight"],
            vec![ints("axes", &[2]), keep()],
        ),
        ("Min", "threshold", vec!["best", share], vec![]),
        ("GreaterOrEqual", "kept", vec!["weight", "threshold"], vec![]),
        ("Where", "sparse", vec!["kept", "weight", "zero"], vec![]),
        ("ReduceSum", "total", vec!["sparse", "items_axis"], vec![keep()]),
        ("Div", "address", vec!["sparse", "total"], vec![]),
        ("MatMul", "recalled", vec!["address", values], vec![]),
        ("Reshape", "recalled_blocks", vec!["recalled", blocks], vec![]),
        (
            "Transpose",
            "put_back",
            vec!["recalled_blocks"],
            vec![ints("perm", &[2, 0, 3, 1, 4])],
        ),
        ("Reshape", "drawn", vec!["put_back", map], vec![]),
    ];
    let outside = [x, keys, values, share, cut, queries, blocks, map];
    let steps = steps.into_iter().map(|(operator, output, inputs, attributes)| {
        let inputs = inputs
            .iter()
            .map(|&i| if outside.contains(&i) { i.into() } else { name(i) });
        let inputs: Vec<String> = inputs.collect();
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let output = if output == "drawn" {
            drawn.into()
        } else {
            name(output)
        };
        node(operator, &output, &inputs, attributes)
    });
    steps.collect()
}

/// The int8 function: dequantised, the body, quantised.
pub(super) fn function() -> FunctionProto {
    let inputs = ["x", "x_scale", "x_zero_point"];
    let outputs = ["y_scale", "y_zero_point"];
    let mut nodes = vec![node("DequantizeLinear", "feature", &inputs, vec![])];
    nodes.extend(body("feature", "drawn", PARAMETERS, str::to_owned));
    nodes.push(node(
        "QuantizeLinear",
        "y",
        &["drawn", outputs[0], outputs[1]],
        vec![],
    ));
    FunctionProto {
        name: Some(MEMORY_BANK.into()),
        domain: Some(DOMAIN.into()),
        input: inputs
            .iter()
            .chain(&PARAMETERS)
            .chain(&outputs)
            .map(|&name| name.into())
            .collect(),
        output: vec!["y".into()],
        node: nodes,
        doc_string: Some("Partition memory bank with channel queries, after Xing and Li (2023).".into()),
        opset_import: vec![opset("", OPSET)],
        ..FunctionProto::default()
    }
}
