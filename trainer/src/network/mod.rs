//! The reconstruction network with partition memory banks, after Xing and Li (2023).

pub mod batch_norm;
pub mod config;
mod flex;
pub mod fold;
pub mod folded;
pub mod kernels;
pub mod memory;
pub mod model;
pub mod moments;
pub mod ssim;

pub use config::{ConfigError, NetworkConfig, SideKind};
pub use folded::{FoldedNetwork, FoldedNetworks};
