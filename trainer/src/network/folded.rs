//! The trained network as plain numbers, batch norms folded into the convolutions.
//!
//! This is the hand-over from training to quantisation and export: nothing behind it knows the
//! training framework, nothing before it knows ONNX.
//!
//! The way of a picture `x` (C x S x S, values `(u8 - 128) / 128`):
//!
//! ```text
//! f_1 = relu(encoder[0](x)), f_2 = relu(encoder[1](f_1)), ..., f_L
//! y   = memory_L(f_L)                         (or f_L where the bottleneck has no memory)
//! for l in L-1 .. 1:
//!     u = relu(decoder[L-1-l](y))             (C_l x S/2^l x S/2^l)
//!     y = u | concat(u, f_l) | concat(u, memory_l(f_l))   by the level's side path
//! out = decoder[L-1](y)                       (no activation; as many channels as that step gives)
//! ```

/// A 3x3 convolution with stride 2 and padding 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Output channels.
    pub outputs: usize,
    /// Input channels.
    pub inputs: usize,
    /// `[outputs][inputs][3][3]`.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// A 4x4 transposed convolution with stride 2 and padding 1: it doubles width and height.
#[derive(Clone, Debug, PartialEq)]
pub struct UpConv {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// `[inputs][outputs][4][4]`, ONNX's order.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// A partition memory bank with channel queries.
///
/// The feature map C x H x W is cut into `grid` x `grid` blocks of h x w; each block has `items`
/// vectors of dimension `h * w` of its own, and each channel of the block is one query.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedMemory {
    /// Blocks along each axis.
    pub grid: usize,
    /// Items a block (N).
    pub items: usize,
    /// `h * w` of a block.
    pub dimension: usize,
    /// Temperature of the softmax over cosines.
    pub temperature: f32,
    /// `[grid * grid][items][dimension]`, as trained (not normalised).
    pub values: Vec<f32>,
}

/// What joins the decoder at a level.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// Nothing.
    None,
    /// The encoder's feature.
    Skip,
    /// The encoder's feature as the level's memory draws it. At the last level it stands in line.
    Memory(FoldedMemory),
}

/// All that is exported.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedNetworks {
    /// Redraws a picture as a good part would look.
    pub reconstruction: FoldedNetwork,
    /// The learned difference: takes the picture's channels, then the reconstruction's, and gives one
    /// channel, the logarithm of the odds that a pixel is part of a defect.
    pub head: Option<FoldedNetwork>,
}

/// A network, see the module's text.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedNetwork {
    /// Width and height in pixels, a multiple of `2^levels`.
    pub size: usize,
    /// Channels that go in.
    pub channels: usize,
    /// Level 1 first.
    pub encoder: Vec<Conv>,
    /// Level 1 first; as long as `encoder`. The last is `None` or `Memory`.
    pub sides: Vec<Side>,
    /// Lowest resolution first; as long as `encoder`. All but the last end in a ReLU.
    pub decoder: Vec<UpConv>,
}
