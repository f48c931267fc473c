//! The examination of a model file before tract sees it: from here on nothing in it can surprise.

use std::collections::HashMap;

use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use tract_onnx::prelude::Framework;

use super::parse::{self, Kind};
use super::tract;
use crate::reconstruct::error::ReconstructError;
use crate::reconstruct::layout::Shape;

/// Largest file.
const MAX_BYTES: usize = 32 << 20;
/// Most nodes.
const MAX_NODES: usize = 1024;
/// The first operator set with all operators in the form that we read.
const MIN_OPSET: i64 = 12;
/// Most values in all activations together, each with as much around it as padding may be.
const MAX_VALUES: usize = 1 << 28;
/// Most weights of all nodes together: one tensor can be the weights of several, each of which packs its own.
const MAX_WEIGHTS: usize = 1 << 26;

/// Decodes a model and makes sure that it takes and gives int8 tensors of `shape` (height, width, channels),
/// and that every node is one that the device runs. Also says whether there is a second output, the learned
/// difference.
pub(crate) fn check(model: &[u8], shape: Shape) -> Result<(ModelProto, bool), ReconstructError> {
    limit("bytes", model.len(), MAX_BYTES)?;
    let mut proto = tract::reader()
        .proto_model_for_read(&mut { model })
        .map_err(|e| ReconstructError::NotOnnx(e.root_cause().to_string()))?;
    let Some(graph) = &mut proto.graph else {
        return Err(ReconstructError::NotOnnx("it holds no graph".into()));
    };
    if !proto
        .opset_import
        .iter()
        .any(|set| matches!(set.domain.as_str(), "" | "ai.onnx") && set.version >= MIN_OPSET)
    {
        return Err(ReconstructError::NotOnnx(format!(
            "it names no ONNX operator set of version {MIN_OPSET} or later"
        )));
    }
    limit("nodes", graph.node.len(), MAX_NODES)?;
    tensors(graph, &proto.functions)?;
    let input = interface(graph, shape)?.to_owned();
    nodes(graph, &input, shape)?;
    // initializers may be listed as inputs: tract would read their types too, which nobody has looked at
    graph.input.retain(|value| value.name == input);
    let has_head = graph.output.len() > 1;
    Ok((proto, has_head))
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), ReconstructError> {
    if found > limit {
        Err(ReconstructError::OverLimit { what, found, limit })
    } else {
        Ok(())
    }
}

/// Refuses tensors outside the file, and those whose data does not fit their shape.
fn tensors(graph: &GraphProto, functions: &[FunctionProto]) -> Result<(), ReconstructError> {
    let in_nodes = graph.node.iter().chain(functions.iter().flat_map(|f| &f.node));
    let in_attributes = in_nodes
        .flat_map(|node| &node.attribute)
        .flat_map(|a| a.t.iter().chain(&a.tensors));
    for tensor in graph.initializer.iter().chain(in_attributes) {
        if tensor.data_location == Some(DataLocation::External as i32) || !tensor.external_data.is_empty() {
            return Err(ReconstructError::ExternalData {
                tensor: tensor.name.clone(),
            });
        }
    }
    for tensor in &graph.initializer {
        if !complete(tensor) {
            let reason = format!(
                "tensor `{}` is of another type than int8, int32, int64 and float, or its data does not fit \
                 its shape",
                tensor.name
            );
            return Err(ReconstructError::NotOnnx(reason));
        }
    }
    Ok(())
}

fn complete(tensor: &TensorProto) -> bool {
    let volume = tensor
        .dims
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?));
    let (size, typed) = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Int8) => (1, tensor.int32_data.len()),
        Ok(DataType::Int32) => (4, tensor.int32_data.len()),
        Ok(DataType::Int64) => (8, tensor.int64_data.len()),
        Ok(DataType::Float) => (4, tensor.float_data.len()),
        _ => return false,
    };
    let found = if tensor.raw_data.is_empty() {
        typed.checked_mul(size)
    } else {
        Some(tensor.raw_data.len())
    };
    tensor.segment.is_none() && found.is_some() && volume.and_then(|n| n.checked_mul(size)) == found
}

/// Checks the graph's one input, its output, and the second one where there is one; returns the input's name.
fn interface(graph: &GraphProto, [height, width, channels]: Shape) -> Result<&str, ReconstructError> {
    let int8 = |channels: usize| format!("int8 [1, {channels}, {height}, {width}]");
    let inputs = graph
        .input
        .iter()
        .filter(|input| graph.initializer.iter().all(|t| t.name != input.name));
    let described =
        |values: &[&ValueInfoProto]| values.iter().map(|v| describe(v)).collect::<Vec<_>>().join(", ");
    let outputs: Vec<_> = graph.output.iter().collect();
    let with_head = [int8(channels), int8(1)].join(", ");
    let wanted = if outputs.len() > 1 {
        with_head
    } else {
        int8(channels)
    };
    for (what, expected, found) in [
        (
            "input",
            int8(channels),
            described(&inputs.clone().collect::<Vec<_>>()),
        ),
        ("output", wanted, described(&outputs)),
    ] {
        if found != expected {
            let found = if found.is_empty() {
                "none".to_owned()
            } else {
                found
            };
            return Err(ReconstructError::Interface {
                what,
                expected,
                found,
            });
        }
    }
    match inputs.map(|input| input.name.as_str()).next() {
        None | Some("") => Err(ReconstructError::NotOnnx("its input has no name".into())),
        Some(name) => Ok(name),
    }
}

fn describe(value: &ValueInfoProto) -> String {
    let Some(Type::TensorType(tensor)) = value.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return "no tensor".into();
    };
    let data_type = DataType::try_from(tensor.elem_type)
        .map_or("unknown", |t| t.as_str_name())
        .to_lowercase();
    let dimensions =
        tensor
            .shape
            .iter()
            .flat_map(|shape| &shape.dim)
            .map(|dimension| match &dimension.value {
                Some(Dimension::DimValue(value)) => value.to_string(),
                Some(Dimension::DimParam(name)) => name.clone(),
                None => "?".into(),
            });
    format!("{data_type} [{}]", dimensions.collect::<Vec<_>>().join(", "))
}

/// Reads every node and follows the shapes from the input to the output.
fn nodes(graph: &GraphProto, input: &str, shape: Shape) -> Result<(), ReconstructError> {
    let mut shapes = HashMap::from([(input, shape)]);
    let (mut values, mut weights) = (padded(shape), 0);
    for node in &graph.node {
        if Kind::of(node).is_none() {
            let operator = [node.domain.as_str(), node.op_type.as_str()].join(if node.domain.is_empty() {
                ""
            } else {
                "."
            });
            return Err(ReconstructError::UnsupportedOperator {
                node: name(node),
                operator,
            });
        }
        let refuse = |reason| ReconstructError::Node {
            node: name(node),
            operator: node.op_type.clone(),
            reason,
        };
        let output_shape = match parse::operator(node, graph).map_err(refuse)? {
            Some(operator) => {
                weights += operator.weights();
                operator.output_shape(activation(node, 0, &shapes).map_err(refuse)?)
            }
            None => concatenated(node, &shapes),
        };
        let output_shape = output_shape.map_err(refuse)?;
        values += padded(output_shape);
        limit("values in its activations", values, MAX_VALUES)?;
        limit("weights of its nodes", weights, MAX_WEIGHTS)?;
        let [output] = node.output.as_slice() else {
            return Err(refuse(format!(
                "it has {} outputs instead of 1",
                node.output.len()
            )));
        };
        let taken = output.is_empty() || graph.initializer.iter().any(|t| t.name == *output);
        if taken || shapes.insert(output, output_shape).is_some() {
            return Err(refuse(format!(
                "its output's name `{output}` is empty or used twice"
            )));
        }
    }
    let [height, width, _] = shape;
    for (output, shape) in graph.output.iter().zip([shape, [height, width, 1]]) {
        let found = shapes.get(output.name.as_str());
        if found != Some(&shape) {
            return Err(ReconstructError::Interface {
                what: "output",
                expected: format!("{shape:?} (height, width, channels)"),
                found: found.map_or("no node that computes it".into(), |found| format!("{found:?}")),
            });
        }
    }
    Ok(())
}

/// Values of an activation with the widest padding around it; more than can be are as good as one too many.
fn padded([height, width, channels]: Shape) -> usize {
    let sides = [height, width].map(|side| side.saturating_add(2 * parse::MAX_WINDOW));
    sides
        .into_iter()
        .fold(channels, usize::saturating_mul)
        .min(MAX_VALUES + 1)
}

/// The node's name, or that of its output where it has none.
fn name(node: &NodeProto) -> String {
    if node.name.is_empty() {
        node.output.first().cloned().unwrap_or_default()
    } else {
        node.name.clone()
    }
}

fn activation(node: &NodeProto, input: usize, shapes: &HashMap<&str, Shape>) -> Result<Shape, String> {
    let name = node.input.get(input).map(String::as_str).unwrap_or_default();
    shapes
        .get(name)
        .copied()
        .ok_or_else(|| format!("its input `{name}` is not computed before it"))
}

fn concatenated(node: &NodeProto, shapes: &HashMap<&str, Shape>) -> Result<Shape, String> {
    let mut whole: Option<Shape> = None;
    for input in 0..node.input.len() {
        let part = activation(node, input, shapes)?;
        whole = Some(match whole {
            None => part,
            Some([height, width, channels]) if part[..2] == [height, width] => {
                [height, width, channels + part[2]]
            }
            Some(whole) => return Err(format!("inputs of {whole:?} and {part:?} cannot be joined")),
        });
    }
    whole.ok_or_else(|| "it has no inputs".into())
}
