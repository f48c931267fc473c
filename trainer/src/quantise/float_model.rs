//! The exported float model through stock tract: evaluation compares int8 with it.

use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::TypedSimplePlan;

use super::QuantiseError;
use super::ranges::LOG_ODDS;

/// A loaded float model.
#[derive(Clone, Debug)]
pub struct FloatReconstructor {
    plan: Arc<TypedSimplePlan>,
    shape: [usize; 4],
}

impl FloatReconstructor {
    /// Loads a model that was written by [`super::export_float`].
    pub fn load(model: &[u8]) -> Result<Self, QuantiseError> {
        Self::build(model).map_err(|e| QuantiseError::FloatModel(format!("{e:?}")))
    }

    fn build(model: &[u8]) -> TractResult<Self> {
        let model = tract_onnx::onnx()
            .model_for_read(&mut { model })?
            .into_optimized()?;
        let shape = &model.input_fact(0)?.shape;
        let fixed = shape.as_concrete().and_then(|shape| shape.try_into().ok());
        let shape = fixed
            .ok_or_else(|| TractError::msg(format!("the input has shape {shape:?}, not four fixed axes")))?;
        Ok(Self {
            plan: model.into_runnable()?,
            shape,
        })
    }

    /// Reconstructs `input` into `output`, both height x width x channels, rounded and clamped to pixels;
    /// returns the learned difference as the device stores it, empty where the model has none.
    pub fn reconstruct(&self, input: &[u8], output: &mut [u8]) -> Result<Vec<u8>, QuantiseError> {
        let [values, log_odds] = self.run(input)?;
        if output.len() != values.len() {
            return Err(QuantiseError::PictureLength {
                found: output.len(),
                expected: values.len(),
            });
        }
        let stored =
            |value: f32, steps: f32| (value * steps + 128.0).round_ties_even().clamp(0.0, 255.0) as u8;
        output
            .iter_mut()
            .zip(values)
            .for_each(|(pixel, value)| *pixel = stored(value, 128.0));
        Ok(log_odds
            .into_iter()
            .map(|value| stored(value, 1.0 / LOG_ODDS.scale))
            .collect())
    }

    /// Reconstructs `input`; gives values `(pixel - 128) / 128`, height x width x channels, and the log odds,
    /// height x width, none where the model has no head.
    pub fn run(&self, input: &[u8]) -> Result<[Vec<f32>; 2], QuantiseError> {
        let [_, channels, height, width] = self.shape;
        let (pixels, expected) = (height * width, channels * height * width);
        if input.len() != expected {
            return Err(QuantiseError::PictureLength {
                found: input.len(),
                expected,
            });
        }
        let planar =
            (0..expected).map(|i| (f32::from(input[i % pixels * channels + i / pixels]) - 128.0) / 128.0);
        let planar: Vec<f32> = planar.collect();
        let run = || {
            let outputs = self
                .plan
                .run(tvec![Tensor::from_shape(&self.shape, &planar)?.into_tvalue()])?;
            let planar = outputs[0].try_as_plain_ram()?.as_slice::<f32>()?;
            let picture = (0..expected)
                .map(|i| planar[i % channels * pixels + i / channels])
                .collect();
            let log_odds = match outputs.get(1) {
                Some(output) => output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec(),
                None => Vec::new(),
            };
            TractResult::Ok([picture, log_odds])
        };
        run().map_err(|e| QuantiseError::FloatModel(format!("{e:?}")))
    }
}
