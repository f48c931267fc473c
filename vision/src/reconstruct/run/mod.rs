//! From a graph of operators to the picture that it draws: fused steps between buffers that stay.

mod executor;
pub(super) mod graph;
pub(super) mod operator;
mod plan;

pub(super) use executor::{Execute, executor};
