//! Loading: right models run, wrong ones are refused by name, none makes it panic.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::*;

use crate::reconstruct::{InputShape, Kernel, ReconstructError, Reconstructor};

const SHAPE: InputShape = InputShape { size: 4, channels: 3 };

fn tensor(name: &str, data_type: DataType, dims: &[i64], raw_data: Vec<u8>) -> TensorProto {
    let (name, dims) = (name.into(), dims.to_vec());
    TensorProto {
        name,
        dims,
        data_type: data_type as i32,
        raw_data,
        ..TensorProto::default()
    }
}

fn value(name: &str, data_type: DataType, dims: [i64; 4]) -> ValueInfoProto {
    let dim = dims.map(|d| Dimension {
        value: Some(dimension::Value::DimValue(d)),
        ..Dimension::default()
    });
    let shape = Some(TensorShapeProto { dim: dim.into() });
    let tensor = type_proto::Tensor {
        elem_type: data_type as i32,
        shape,
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

fn node(operator: &str, name: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        name: name.into(),
        input: inputs.iter().map(|&i| i.into()).collect(),
        output: vec![name.into()],
        attribute,
        ..NodeProto::default()
    }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    let r#type = AttributeType::Ints as i32;
    AttributeProto {
        name: name.into(),
        ints: ints.to_vec(),
        r#type,
        ..AttributeProto::default()
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        i,
        r#type: AttributeType::Int as i32,
        ..AttributeProto::default()
    }
}

/// x (3 channels, 4 x 4) -> 1 x 1 convolution that turns the channels round -> out.
fn model() -> ModelProto {
    let weight = vec![0, 1, 0, 0, 0, 1, 1, 0, 0];
    let conv = ["x", "s", "z", "w", "ws", "wz", "s", "z", "b"];
    let graph = GraphProto {
        node: vec![node(
            "QLinearConv",
            "turn",
            &conv,
            vec![ints("kernel_shape", &[1, 1])],
        )],
        initializer: vec![
            tensor("s", DataType::Float, &[], 1.0f32.to_le_bytes().into()),
            tensor("z", DataType::Int8, &[], vec![0]),
            tensor("w", DataType::Int8, &[3, 3, 1, 1], weight),
            tensor("ws", DataType::Float, &[], 1.0f32.to_le_bytes().into()),
            tensor("wz", DataType::Int8, &[], vec![0]),
            tensor("b", DataType::Int32, &[3], vec![0; 12]),
        ],
        input: vec![value("x", DataType::Int8, [1, 3, 4, 4])],
        output: vec![value("turn", DataType::Int8, [1, 3, 4, 4])],
        ..GraphProto::default()
    };
    let opset_import = vec![OperatorSetIdProto {
        domain: String::new(),
        version: 17,
    }];
    ModelProto {
        ir_version: 8,
        graph: Some(graph),
        opset_import,
        ..ModelProto::default()
    }
}

/// The model after `change`, loaded.
fn load(change: impl FnOnce(&mut GraphProto)) -> Result<Reconstructor, ReconstructError> {
    let mut model = model();
    change(model.graph.as_mut().unwrap());
    Reconstructor::load(&model.encode_to_vec(), SHAPE)
}

fn refusal(change: impl FnOnce(&mut GraphProto)) -> ReconstructError {
    load(change).expect_err("the model must be refused")
}

/// Appends a node that reads what is the output so far, and makes its output the model's.
fn append(graph: &mut GraphProto, mut node: NodeProto) {
    let last = graph.output[0].name.clone();
    node.input
        .iter_mut()
        .filter(|i| *i == "LAST")
        .for_each(|i| *i = last.clone());
    graph.output[0].name = node.output[0].clone();
    graph.node.push(node);
}

fn run(reconstructor: &mut Reconstructor) -> (Vec<u8>, Vec<u8>) {
    let input: Vec<u8> = (0..48).map(|i| i * 5).collect();
    let mut output = vec![0; 48];
    reconstructor.reconstruct(&input, &mut output).unwrap();
    (input, output)
}

#[test]
fn pictures_are_interleaved() {
    let (input, output) = run(&mut load(|_| {}).unwrap());
    for (from, to) in input.chunks(3).zip(output.chunks(3)) {
        assert_eq!(to, [from[1], from[2], from[0]]);
    }
}

#[test]
fn operators_work_together() {
    // Joined with itself: 6 channels; cut to 3 by a convolution; clipped.
    let mut reconstructor = load(|graph| {
        append(
            graph,
            node("Concat", "join", &["LAST", "x"], vec![int("axis", 1)]),
        );
        let mut weight = vec![0; 18];
        [weight[0], weight[6 + 4], weight[12 + 5]] = [1, 1, 1];
        graph
            .initializer
            .push(tensor("w6", DataType::Int8, &[3, 6, 1, 1], weight));
        append(
            graph,
            node(
                "QLinearConv",
                "cut",
                &["LAST", "s", "z", "w6", "ws", "wz", "s", "z"],
                vec![],
            ),
        );
        graph
            .initializer
            .push(tensor("floor", DataType::Int8, &[], vec![-100i8 as u8]));
        append(graph, node("Clip", "clip", &["LAST", "floor"], vec![]));
    });
    let (input, output) = run(reconstructor.as_mut().unwrap());
    for (from, to) in input.chunks(3).zip(output.chunks(3)) {
        assert_eq!(to, [from[1], from[1], from[2]].map(|v| v.max(28)));
    }
}

#[test]
fn no_layout_moves_are_left() {
    let mut model = model();
    append(
        model.graph.as_mut().unwrap(),
        node("Concat", "join", &["LAST", "x"], vec![int("axis", 1)]),
    );
    append(
        model.graph.as_mut().unwrap(),
        node("Clip", "clip", &["LAST"], vec![]),
    );
    let graph = super::onnx::tract::graph(&model, [4, 4, 3]).unwrap();
    let kinds: Vec<String> = graph
        .nodes
        .iter()
        .map(|node| format!("{:?}", node.kind))
        .collect();
    let names: Vec<&str> = kinds
        .iter()
        .map(|kind| kind.split([' ', '(']).next().unwrap_or_default())
        .collect();
    assert_eq!(
        names,
        ["Input", "Convolution", "Join", "Clip"],
        "in NHWC throughout"
    );
}

#[test]
fn clones_run_on_threads_of_their_own() {
    let reconstructor = load(|_| {}).unwrap();
    let threads = [(); 3].map(|()| {
        let mut clone = reconstructor.clone();
        std::thread::spawn(move || run(&mut clone).1)
    });
    let outputs = threads.map(|thread| thread.join().unwrap());
    assert!(outputs.iter().all(|output| *output == outputs[0]));
}

#[test]
fn a_forced_kernel_is_that_kernel_or_an_error() {
    let model = model().encode_to_vec();
    for &kernel in Kernel::ALL {
        match Reconstructor::load_with(&model, SHAPE, kernel) {
            Ok(reconstructor) => assert_eq!(reconstructor.kernel_name(), kernel.name()),
            Err(e) => assert!(
                !kernel.is_supported() && e.to_string().contains(kernel.name()),
                "{e}"
            ),
        }
    }
}

#[test]
fn truncated_and_foreign_files() {
    let model = model().encode_to_vec();
    for length in 0..model.len() {
        let error = Reconstructor::load(&model[..length], SHAPE).unwrap_err();
        assert!(matches!(error, ReconstructError::NotOnnx(_)), "{length}: {error}");
    }
    for foreign in [
        &b"\x89PNG\r\n\x1a\n"[..],
        b"[recipe]\nformat = 1",
        b"",
        &[0xff; 100],
    ] {
        assert!(matches!(
            Reconstructor::load(foreign, SHAPE),
            Err(ReconstructError::NotOnnx(_))
        ));
    }
}

#[test]
fn external_data_is_refused() {
    let error = refusal(|graph| {
        let weight = &mut graph.initializer[2];
        weight.raw_data.clear();
        weight.data_location = Some(DataLocation::External as i32);
        let location = StringStringEntryProto {
            key: "location".into(),
            value: "/etc/passwd".into(),
        };
        weight.external_data.push(location);
    });
    assert!(
        matches!(&error, ReconstructError::ExternalData { tensor } if tensor == "w"),
        "{error}"
    );
}

#[test]
fn unfit_tensors_are_refused() {
    let changes: [fn(&mut TensorProto); 4] = [
        |t| t.dims[0] = 4,
        |t| t.dims[0] = -3,
        |t| t.raw_data.truncate(5),
        |t| t.data_type = DataType::Double as i32,
    ];
    for change in changes {
        let error = refusal(|graph| change(&mut graph.initializer[2]));
        assert!(
            matches!(&error, ReconstructError::NotOnnx(reason) if reason.contains("`w`")),
            "{error}"
        );
    }
}

#[test]
fn the_interface_must_be_as_promised() {
    let found = |change: fn(&mut GraphProto)| match refusal(change) {
        ReconstructError::Interface { what, found, .. } => (what, found),
        other => panic!("{other}"),
    };
    let float = found(|graph| graph.input[0] = value("x", DataType::Float, [1, 3, 4, 4]));
    assert_eq!(float, ("input", "float [1, 3, 4, 4]".into()));
    let size = found(|graph| graph.input[0] = value("x", DataType::Int8, [1, 3, 8, 8]));
    assert_eq!(size, ("input", "int8 [1, 3, 8, 8]".into()));
    let grey = found(|graph| graph.output[0] = value("turn", DataType::Int8, [1, 1, 4, 4]));
    assert_eq!(grey, ("output", "int8 [1, 1, 4, 4]".into()));
    let two = found(|graph| graph.output.push(graph.output[0].clone()));
    assert_eq!(
        two,
        ("output", "int8 [1, 3, 4, 4], int8 [1, 3, 4, 4]".into()),
        "the second one has one channel"
    );
    let none = found(|graph| graph.output[0].name = "nobody".into());
    assert_eq!(none, ("output", "no node that computes it".into()));
    assert!(
        refusal(|graph| graph.input[0].name.clear())
            .to_string()
            .contains("no name")
    );
    // What the file says of its output is not believed.
    let wrong = found(|graph| graph.node[0].attribute.push(ints("strides", &[2, 2])));
    assert_eq!(wrong, ("output", "[2, 2, 3]".into()));
}

#[test]
fn unsupported_operators_are_named() {
    let error = refusal(|graph| append(graph, node("Sigmoid", "squash", &["LAST"], vec![])));
    assert!(
        matches!(&error, ReconstructError::UnsupportedOperator { node, operator }
            if node == "squash" && operator == "Sigmoid"),
        "{error}"
    );
    let error = refusal(|graph| {
        let mut stranger = node("QLinearConv", "other", &["LAST"], vec![]);
        stranger.domain = "com.example".into();
        append(graph, stranger);
    });
    assert!(
        error.to_string().contains("`other`") && error.to_string().contains("com.example.QLinearConv"),
        "{error}"
    );
}

#[test]
fn unsupported_forms_are_named() {
    type Change = fn(&mut GraphProto);
    let cases: [(Change, &str); 13] = [
        (|g| g.node[0].attribute.push(int("group", 3)), "grouped"),
        (
            |g| g.node[0].attribute.push(ints("dilations", &[2, 2])),
            "dilated",
        ),
        (
            |g| g.node[0].attribute.push(ints("strides", &[1, 2])),
            "strides must be the same",
        ),
        (
            |g| g.node[0].attribute.push(ints("pads", &[0, 0, 0, -1])),
            "none negative",
        ),
        (
            |g| g.node[0].attribute.push(ints("pads", &[9, 0, 0, 0])),
            "padding: 9",
        ),
        (|g| g.node[0].attribute.push(int("mystery", 3)), "`mystery`"),
        (|g| g.initializer[2].raw_data[0] = 0x80, "-128"),
        (|g| g.initializer[4].raw_data[0] = 1, "zero point"),
        (
            |g| g.initializer[0].raw_data = f32::NAN.to_le_bytes().into(),
            "sane size",
        ),
        (
            |g| g.initializer[5] = tensor("b", DataType::Int32, &[2], vec![0; 8]),
            "bias must be 3",
        ),
        (|g| g.node[0].input[3] = "x".into(), "must be a constant"),
        (|g| g.node[0].input[0] = "w".into(), "not computed before it"),
        (|g| g.node[0].input.truncate(6), "input 6"),
    ];
    for (change, expected) in cases {
        let error = refusal(change);
        let ReconstructError::Node { node, reason, .. } = &error else {
            panic!("{expected}: {error}")
        };
        assert!(node == "turn" && reason.contains(expected), "{expected}: {error}");
    }
    let error = refusal(|g| {
        g.initializer
            .push(tensor("w2", DataType::Int8, &[3, 2, 1, 1], vec![0; 6]));
        g.node[0].input[3] = "w2".into();
    });
    assert!(
        error
            .to_string()
            .contains("2 input channels, but the input has 3"),
        "{error}"
    );
    let error = refusal(|g| {
        append(
            g,
            node("DepthToSpace", "up", &["LAST"], vec![int("blocksize", 2)]),
        )
    });
    assert!(error.to_string().contains("cannot be divided"), "{error}");
    let error = refusal(|g| append(g, node("Concat", "join", &["LAST", "x"], vec![int("axis", 2)])));
    assert!(error.to_string().contains("axis 1"), "{error}");
}

#[test]
fn limits() {
    let error = refusal(|graph| {
        for i in 0..1025 {
            append(graph, node("Clip", &format!("clip{i}"), &["LAST"], vec![]));
        }
    });
    assert!(
        matches!(
            error,
            ReconstructError::OverLimit {
                what: "nodes",
                found: 1026,
                ..
            }
        ),
        "{error}"
    );
    // Each step doubles the channels.
    let error = refusal(|graph| {
        for i in 0..60 {
            append(
                graph,
                node(
                    "Concat",
                    &format!("join{i}"),
                    &["LAST", "LAST"],
                    vec![int("axis", 1)],
                ),
            );
        }
    });
    assert!(
        matches!(
            error,
            ReconstructError::OverLimit {
                what: "values in its activations",
                ..
            }
        ),
        "{error}"
    );
    // One tensor, which each node would pack for itself.
    let error = refusal(|graph| {
        let weights = |inputs: usize| vec![1; 2048 * inputs];
        graph
            .initializer
            .push(tensor("widen", DataType::Int8, &[2048, 3, 1, 1], weights(3)));
        graph.initializer.push(tensor(
            "shared",
            DataType::Int8,
            &[2048, 2048, 1, 1],
            weights(2048),
        ));
        for i in 0..20 {
            let weight = if i == 0 { "widen" } else { "shared" };
            let inputs = ["LAST", "s", "z", weight, "ws", "wz", "s", "z"];
            append(graph, node("QLinearConv", &format!("wide{i}"), &inputs, vec![]));
        }
    });
    assert!(
        matches!(
            error,
            ReconstructError::OverLimit {
                what: "weights of its nodes",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn initializers_listed_as_inputs_are_not_looked_at() {
    let mut model = load(|graph| {
        let mut listed = value("w", DataType::Int8, [3, 3, 1, 1]);
        let Some(type_proto::Value::TensorType(tensor)) = &mut listed.r#type.as_mut().unwrap().value else {
            panic!("a tensor");
        };
        // tract's parser of dimensions would go as deep as this
        let deep = Some(dimension::Value::DimParam("(".repeat(1_000_000)));
        tensor.shape.as_mut().unwrap().dim[0].value = deep;
        graph.input.extend([listed.clone(), listed]);
    })
    .unwrap();
    run(&mut model);
}

#[test]
fn buffers_must_have_the_pictures_length() {
    let mut reconstructor = load(|_| {}).unwrap();
    let error = reconstructor.reconstruct(&[0; 47], &mut [0; 48]).unwrap_err();
    assert!(
        matches!(
            error,
            ReconstructError::BufferLength {
                what: "input",
                found: 47,
                expected: 48
            }
        ),
        "{error}"
    );
    let error = reconstructor.reconstruct(&[0; 48], &mut [0; 49]).unwrap_err();
    assert!(
        matches!(
            error,
            ReconstructError::BufferLength {
                what: "output",
                found: 49,
                ..
            }
        ),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Damage of any kind is refused, or harmless.
    #[test]
    fn damaged_files_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = model().encode_to_vec();
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(mut reconstructor) = Reconstructor::load(&bytes, SHAPE) {
            run(&mut reconstructor);
        }
    }
}
