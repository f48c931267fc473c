//! Our operators inside tract: from the examined file to a plan.
//!
//! ONNX says NCHW, the kernels work in NHWC: each operator is wired between two moves of the channel axis, and tract
//! cancels the moves between neighbours.

use std::fmt::Debug;
use std::sync::Arc;

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::{ModelProto, NodeProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::*;

use super::kernels::Kernel;
use super::operator::{Operator, Shape};
use super::parse;

/// The model's property that says which kernel its convolutions are packed for.
const KERNEL: &str = "beltwatch.kernel";

/// Builds a plan from height x width x channels to the same, and to height x width where there is a head.
pub(super) fn plan(proto: &ModelProto, shape: Shape, kernel: Kernel) -> TractResult<Arc<TypedSimplePlan>> {
    let mut onnx =
        tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_output_types(true).with_ignore_value_info(true);
    for operator in ["QLinearConv", "DepthToSpace", "Clip", parse::MEMORY_BANK] {
        onnx.op_register.insert(operator, build);
    }
    let mut template = InferenceModel::default();
    template.properties.insert(KERNEL.into(), rctensor0(kernel.name().to_owned()));
    let model = onnx.model_for_proto_model_with_model_template(proto, template)?.into_typed()?;
    interleaved(model, shape)?.into_decluttered()?.into_optimized()?.into_runnable()
}

/// Puts the moves between NHWC and NCHW at the model's ends, where they cancel against the first and last operator's.
fn interleaved(mut model: TypedModel, [height, width, channels]: Shape) -> TractResult<TypedModel> {
    let input = *model.input_outlets()?.first().context("a model has an input")?;
    let planar = model.outlet_fact(input)?.clone();
    TypedModelPatch::intercept(&model, input, "planar", AxisOp::Move(3, 1), planar)?.apply(&mut model)?;
    let fact = i8::fact([1, height, width, channels]);
    model.node_mut(input.node).op = Box::new(tract_onnx::tract_core::ops::source::TypedSource::new(fact.clone()));
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
    let kernel = context.template.properties.get(KERNEL).context("the kernel is set")?;
    let kernel = Kernel::from_name(kernel.try_as_plain_ram()?.to_scalar::<String>()?).context("a known kernel")?;
    let operator = parse::operator(node, graph, kernel).map_err(TractError::msg)?.context("a fused operator")?;
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
            let [_, channels, height, width] = shape.as_slice() else { bail!("four axes are needed, not {shape:?}") };
            let [height, width, channels] =
                self.shape([height.to_usize()?, width.to_usize()?, channels.to_usize()?])?;
            solver.equals(&outputs[0].shape, tvec![1.to_dim(), channels.to_dim(), height.to_dim(), width.to_dim()])
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

    fn eval(&self, _context: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let shape = interleaved_shape(input.shape())?;
        let [height, width, channels] = self.shape(shape)?;
        let mut output = Tensor::zero::<i8>(&[1, height, width, channels])?;
        let values = input.try_as_plain_ram()?;
        self.0.run(values.as_slice::<i8>()?, shape, output.try_as_plain_ram_mut()?.as_slice_mut::<i8>()?);
        Ok(tvec![output.into_tvalue()])
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
