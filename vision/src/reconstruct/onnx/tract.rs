//! Our operators inside tract: from the examined file to a graph in NHWC.
//!
//! ONNX says NCHW, the kernels work in NHWC: each operator is wired between two moves of the channel axis,
//! and tract cancels the moves between neighbours.

use std::fmt::Debug;
use std::sync::Arc;

use tract_onnx::Onnx;
use tract_onnx::model::ParsingContext;
use tract_onnx::pb::{ModelProto, NodeProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::array::TypedConcat;
use tract_onnx::tract_core::ops::source::TypedSource;
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::array::Concat;

use super::parse;
use crate::reconstruct::layout::Shape;
use crate::reconstruct::run::graph::{Graph, Kind, Node};
use crate::reconstruct::run::operator::Operator;

/// tract's reader of ONNX files without its operators: what is never named is not linked, and that is most of
/// tract.
pub(crate) fn reader() -> Onnx {
    Onnx::default()
}

/// The graph from height x width x channels to the same, and to height x width where there is a head.
pub(crate) fn graph(proto: &ModelProto, shape: Shape) -> TractResult<Graph> {
    let mut reader = reader()
        .with_ignore_output_shapes(true)
        .with_ignore_output_types(true)
        .with_ignore_value_info(true);
    for operator in ["QLinearConv", "DepthToSpace", "Clip", parse::MEMORY_BANK] {
        reader.op_register.insert(operator, build);
    }
    reader
        .op_register
        .insert("Concat", |_, _| Ok((expand(Concat::new(1)), vec![])));
    let model = reader.model_for_proto_model(proto)?.into_typed()?;
    let model = interleaved(model, shape)?.into_decluttered()?;
    let order = model.eval_order()?;
    let place = |node: usize| order.iter().position(|&n| n == node).context("a node that runs");
    let node = |&id: &usize| {
        let node = model.node(id);
        let kind = if node.op_is::<TypedSource>() {
            Kind::Input
        } else if let Some(fused) = node.op_as::<Fused>() {
            Kind::from(&*fused.0)
        } else if node.op_as::<TypedConcat>().is_some_and(|concat| concat.axis == 3) {
            Kind::Join
        } else {
            bail!(
                "node `{}` came to be {}, which is none of the device's operators",
                node.name,
                node.op.name()
            )
        };
        let inputs = node
            .inputs
            .iter()
            .map(|input| place(input.node))
            .collect::<TractResult<_>>()?;
        let shape = interleaved_shape(
            node.outputs[0]
                .fact
                .shape
                .as_concrete()
                .context("a fixed shape")?,
        )?;
        Ok(Node { kind, inputs, shape })
    };
    let nodes = order.iter().map(node).collect::<TractResult<_>>()?;
    let outputs = model
        .output_outlets()?
        .iter()
        .map(|output| place(output.node))
        .collect::<TractResult<_>>()?;
    Ok(Graph { nodes, outputs })
}

/// Puts the moves between NHWC and NCHW at the model's ends, where they cancel against the first and last
/// operator's.
fn interleaved(mut model: TypedModel, [height, width, channels]: Shape) -> TractResult<TypedModel> {
    let input = *model.input_outlets()?.first().context("a model has an input")?;
    let planar = model.outlet_fact(input)?.clone();
    TypedModelPatch::intercept(&model, input, "planar", AxisOp::Move(3, 1), planar)?.apply(&mut model)?;
    let fact = i8::fact([1, height, width, channels]);
    model.node_mut(input.node).op = Box::new(TypedSource::new(fact.clone()));
    model.set_outlet_fact(input, fact)?;
    let outputs = model.output_outlets()?.to_vec();
    let outputs = outputs.iter().enumerate().map(|(i, output)| {
        let moved = model.wire_node(format!("interleaved{i}"), AxisOp::Move(1, 3), &[*output])?;
        moved.into_iter().next().context("a move has an output")
    });
    let outputs = outputs.collect::<TractResult<Vec<_>>>()?;
    model.select_output_outlets(&outputs)?;
    Ok(model)
}

fn build(context: &ParsingContext<'_>, node: &NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let graph = context.model.graph.as_ref().context("a model has a graph")?;
    let operator = parse::operator(node, graph)
        .map_err(TractError::msg)?
        .context("a fused operator")?;
    Ok((expand(Fused(Arc::new(operator))), vec![]))
}

/// An operator of ours: ONNX's shape rules, and the typed operator in NHWC.
#[derive(Clone)]
struct Fused(Arc<Operator>);

impl Debug for Fused {
    /// The name alone: tract's messages hold whole models, ours need not hold all weights.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.label())
    }
}

impl PartialEq for Fused {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Fused {}

impl Fused {
    fn shape(&self, input: Shape) -> TractResult<Shape> {
        self.0.output_shape(input).map_err(TractError::msg)
    }

    fn label(&self) -> StaticName {
        match *self.0 {
            Operator::Convolution(_) => "BeltwatchConvolution".into(),
            Operator::DepthToSpace(_) => "BeltwatchDepthToSpace".into(),
            Operator::Clip(_) => "BeltwatchClip".into(),
            Operator::Memory(_) => "BeltwatchMemoryBank".into(),
        }
    }
}

impl Expansion for Fused {
    fn name(&self) -> StaticName {
        self.label()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_output_arity(outputs, 1)?;
        solver.equals(&outputs[0].datum_type, i8::datum_type())?;
        solver.given(&inputs[0].shape, move |solver, shape| {
            let [_, channels, height, width] = shape.as_slice() else {
                bail!("four axes are needed, not {shape:?}")
            };
            let [height, width, channels] =
                self.shape([height.to_usize()?, width.to_usize()?, channels.to_usize()?])?;
            solver.equals(
                &outputs[0].shape,
                tvec![1.to_dim(), channels.to_dim(), height.to_dim(), width.to_dim()],
            )
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        // The parameters are in the operator already; its other inputs are left behind.
        let wire = model.wire_node(format!("{prefix}.nhwc"), AxisOp::Move(1, 3), &inputs[..1])?;
        let wire = model.wire_node(format!("{prefix}.int8"), self.clone(), &wire)?;
        model.wire_node(prefix, AxisOp::Move(3, 1), &wire)
    }
}

impl Op for Fused {
    fn name(&self) -> StaticName {
        self.label()
    }

    op_as_typed_op!();
}

impl EvalOp for Fused {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext<'_>, _inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        bail!("the device runs the graph by a plan of its own")
    }
}

impl TypedOp for Fused {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let input = inputs[0].shape.as_concrete().context("a fixed shape")?;
        let [height, width, channels] = self.shape(interleaved_shape(input)?)?;
        Ok(tvec![i8::fact([1, height, width, channels])])
    }
}

fn interleaved_shape(shape: &[usize]) -> TractResult<Shape> {
    match *shape {
        [1, height, width, channels] => Ok([height, width, channels]),
        _ => bail!("one picture in NHWC is needed, not {shape:?}"),
    }
}
