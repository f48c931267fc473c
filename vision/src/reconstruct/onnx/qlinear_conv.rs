//! ONNX's QLinearConv as plain numbers: what the trainer writes and the device reads.

use crate::reconstruct::kernels::{Convolution, Padding};
use crate::reconstruct::quantisation::Quantisation;

/// A quantised convolution in the terms of the ONNX file.
#[derive(Clone, Debug, PartialEq)]
pub struct QLinearConv {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Rows and columns of the window.
    pub window: [usize; 2],
    /// Step of the window, the same in both directions.
    pub stride: usize,
    /// Padding of the input.
    pub padding: Padding,
    /// `[outputs][inputs][rows][columns]`, symmetric: -127..=127, zero point 0.
    pub weight: Vec<i8>,
    /// `[outputs]`.
    pub weight_scale: Vec<f32>,
    /// `[outputs]`, in steps of input scale * weight scale.
    pub bias: Vec<i32>,
    /// Of the input.
    pub input: Quantisation,
    /// Of the output.
    pub output: Quantisation,
}

impl QLinearConv {
    /// The form that the kernels compute.
    pub fn to_convolution(&self) -> Convolution {
        let taps = self.window[0] * self.window[1];
        let mut weight = vec![0; self.weight.len()];
        let length = self.inputs * taps;
        for (planar, interleaved) in self
            .weight
            .chunks_exact(length)
            .zip(weight.chunks_exact_mut(length))
        {
            for (i, value) in planar.iter().enumerate() {
                interleaved[i % taps * self.inputs + i / taps] = *value;
            }
        }
        // In this order: it is also the one of ONNX Runtime.
        let multiplier = self
            .weight_scale
            .iter()
            .map(|scale| self.input.scale * scale / self.output.scale);
        Convolution {
            inputs: self.inputs,
            outputs: self.outputs,
            window: self.window,
            stride: self.stride,
            padding: self.padding,
            weight,
            bias: self.bias.clone(),
            multiplier: multiplier.collect(),
            input_zero: self.input.zero_point,
            output_zero: self.output.zero_point,
        }
    }
}
