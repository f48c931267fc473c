//! A small writer of ONNX graphs.

use beltwatch_vision::reconstruct::DOMAIN;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// The operator set that files are written in: old enough for every runtime of the last years.
pub(super) const OPSET: i64 = 17;
/// The first format version with functions in the model.
const IR_VERSION: i64 = 8;

/// The picture as a good part would look.
pub(super) const RECONSTRUCTION: &str = "reconstruction";
/// The learned difference of picture and reconstruction.
pub(super) const DIFFERENCE: &str = "difference";

/// Nodes and constants of a graph under construction.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

impl Graph {
    /// Adds a node with one output; returns the output's name, which is also the node's.
    pub(super) fn node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        self.push(node(operator, name, inputs, attributes));
        name.into()
    }

    pub(super) fn push(&mut self, node: NodeProto) {
        self.nodes.push(node);
    }

    /// Adds a constant; returns its name.
    pub(super) fn constant(&mut self, name: String, tensor: TensorProto) -> String {
        self.initializers.push(TensorProto {
            name: name.clone(),
            ..tensor
        });
        name
    }

    /// The model around the graph, with the input `x`, the output [`RECONSTRUCTION`] of the same type and
    /// shape and, where there is a head, the output [`DIFFERENCE`] of one channel.
    pub(super) fn into_model(
        self,
        data_type: DataType,
        [channels, size]: [usize; 2],
        has_head: bool,
        doc: &str,
        functions: Vec<FunctionProto>,
    ) -> ModelProto {
        let shape = [1, channels, size, size];
        let mut output = vec![value(RECONSTRUCTION, data_type, shape)];
        if has_head {
            output.push(value(DIFFERENCE, data_type, [1, 1, size, size]));
        }
        let graph = GraphProto {
            node: self.nodes,
            name: "beltwatch".into(),
            initializer: self.initializers,
            input: vec![value("x", data_type, shape)],
            output,
            ..GraphProto::default()
        };
        let mut opset_import = vec![opset("", OPSET)];
        if !functions.is_empty() {
            opset_import.push(opset(DOMAIN, 1));
        }
        ModelProto {
            ir_version: IR_VERSION,
            opset_import,
            producer_name: env!("CARGO_PKG_NAME").into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            doc_string: doc.into(),
            graph: Some(graph),
            metadata_props: vec![
                property(
                    "method",
                    "partition memory bank reconstruction, after Xing and Li (2023)",
                ),
                property(
                    "pixels",
                    "value = (pixel - 128) / 128; an int8 tensor holds pixel - 128",
                ),
                property(
                    "difference",
                    "log odds that a pixel is part of a defect; an int8 tensor holds 16 times that",
                ),
            ],
            functions,
            ..ModelProto::default()
        }
    }
}

pub(super) fn node(operator: &str, name: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: vec![name.into()],
        name: name.into(),
        op_type: operator.into(),
        attribute,
        ..NodeProto::default()
    }
}

pub(super) fn opset(domain: &str, version: i64) -> OperatorSetIdProto {
    OperatorSetIdProto {
        domain: domain.into(),
        version,
    }
}

fn property(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto {
        key: key.into(),
        value: value.into(),
    }
}

fn value(name: &str, data_type: DataType, shape: [usize; 4]) -> ValueInfoProto {
    let dim = shape.iter().map(|&d| Dimension {
        value: Some(dimension::Value::DimValue(d as i64)),
        ..Dimension::default()
    });
    let shape = TensorShapeProto { dim: dim.collect() };
    let tensor = type_proto::Tensor {
        elem_type: data_type as i32,
        shape: Some(shape),
    };
    let r#type = Some(TypeProto {
        value: Some(type_proto::Value::TensorType(tensor)),
        ..TypeProto::default()
    });
    ValueInfoProto {
        name: name.into(),
        r#type,
        ..ValueInfoProto::default()
    }
}

pub(super) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        ints: ints.to_vec(),
        ..attribute(name, AttributeType::Ints)
    }
}

pub(super) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        i,
        ..attribute(name, AttributeType::Int)
    }
}

pub(super) fn string(name: &str, s: &str) -> AttributeProto {
    AttributeProto {
        s: s.into(),
        ..attribute(name, AttributeType::String)
    }
}

pub(super) fn tensor(name: &str, t: TensorProto) -> AttributeProto {
    AttributeProto {
        t: Some(t),
        ..attribute(name, AttributeType::Tensor)
    }
}

fn attribute(name: &str, r#type: AttributeType) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: r#type as i32,
        ..AttributeProto::default()
    }
}

/// A tensor of int8; no dimensions make it a scalar.
pub(super) fn i8s(dims: &[usize], values: &[i8]) -> TensorProto {
    raw(DataType::Int8, dims, values.iter().map(|&v| v as u8).collect())
}

/// A tensor of int32.
pub(super) fn i32s(dims: &[usize], values: &[i32]) -> TensorProto {
    raw(
        DataType::Int32,
        dims,
        values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    )
}

/// A vector of int64.
pub(super) fn i64s(values: &[usize]) -> TensorProto {
    raw(
        DataType::Int64,
        &[values.len()],
        values.iter().flat_map(|&v| (v as i64).to_le_bytes()).collect(),
    )
}

/// A tensor of float32; no dimensions make it a scalar.
pub(super) fn f32s(dims: &[usize], values: &[f32]) -> TensorProto {
    raw(
        DataType::Float,
        dims,
        values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    )
}

fn raw(data_type: DataType, dims: &[usize], raw_data: Vec<u8>) -> TensorProto {
    let dims = dims.iter().map(|&d| d as i64).collect();
    TensorProto {
        dims,
        data_type: data_type as i32,
        raw_data,
        ..TensorProto::default()
    }
}
