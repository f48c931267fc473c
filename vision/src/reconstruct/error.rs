//! What can be wrong with a model or a call.

/// Why a model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ReconstructError {
    /// The bytes are not an ONNX file, or one that was cut off.
    #[error("the model is not a complete ONNX file: {0}")]
    NotOnnx(String),
    /// A tensor is stored in another file.
    #[error("tensor `{tensor}` is stored outside the model file; write the model with its data inside")]
    ExternalData {
        /// The tensor.
        tensor: String,
    },
    /// An operator that the device does not run in int8.
    #[error(
        "node `{node}`: operator `{operator}` is not supported; an int8 model has QLinearConv, DepthToSpace, \
         Concat, Clip and beltwatch's PartitionMemoryBank"
    )]
    UnsupportedOperator {
        /// The node.
        node: String,
        /// Its operator, with its domain.
        operator: String,
    },
    /// An operator in a form that the device does not run.
    #[error("node `{node}` ({operator}): {reason}")]
    Node {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        reason: String,
    },
    /// The model's input or output is not what the recipe promises.
    #[error("the model's {what}: expected {expected}, found {found}")]
    Interface {
        /// Input, output, or their number.
        what: &'static str,
        /// Type and shape.
        expected: String,
        /// Type and shape.
        found: String,
    },
    /// The model is larger than the device takes.
    #[error("the model has {found} {what}; at most {limit} are allowed")]
    OverLimit {
        /// What is counted.
        what: &'static str,
        /// As the model has it.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A kernel was asked for by name.
    #[error("this processor has no instructions for the kernel `{0}`")]
    KernelNotSupported(super::Kernel),
    #[error("tract: {0}")]
    Tract(String),
    /// A picture's buffer has the wrong length.
    #[error("the {what} picture has {found} bytes, the model needs {expected}")]
    BufferLength {
        /// Input or output.
        what: &'static str,
        /// Bytes given.
        found: usize,
        /// Bytes needed.
        expected: usize,
    },
}

impl ReconstructError {
    /// From one of tract's errors, with its causes.
    pub(super) fn tract(error: impl std::fmt::Debug) -> Self {
        Self::Tract(format!("{error:?}"))
    }
}
