//! What can be wrong with a model or a call.

/// Why a model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ReconstructError {
    #[error("the model is not a complete ONNX file: {0}")]
    NotOnnx(String),
    #[error("tensor `{tensor}` is stored outside the model file; write the model with its data inside")]
    ExternalData { tensor: String },
    #[error(
        "node `{node}`: operator `{operator}` is not supported; an int8 model has QLinearConv, DepthToSpace, \
         Concat, Clip and beltwatch's PartitionMemoryBank"
    )]
    UnsupportedOperator {
        node: String,
        /// Its operator, with its domain.
        operator: String,
    },
    #[error("node `{node}` ({operator}): {reason}")]
    Node {
        node: String,
        operator: String,
        reason: String,
    },
    #[error("the model's {what}: expected {expected}, found {found}")]
    Interface {
        /// Input, output, or their number.
        what: &'static str,
        expected: String,
        found: String,
    },
    #[error("the model has {found} {what}; at most {limit} are allowed")]
    OverLimit {
        /// What is counted.
        what: &'static str,
        found: usize,
        limit: usize,
    },
    #[error("this processor has no instructions for the kernel `{0}`")]
    KernelNotSupported(super::Kernel),
    #[error("tract: {0}")]
    Tract(String),
    #[error("the {what} picture has {found} bytes, the model needs {expected}")]
    BufferLength {
        /// Input or output.
        what: &'static str,
        found: usize,
        expected: usize,
    },
}

impl ReconstructError {
    /// From one of tract's errors, with its causes.
    pub(super) fn tract(error: impl std::fmt::Debug) -> Self {
        Self::Tract(format!("{error:?}"))
    }
}
