//! The reconstruction network with partition memory banks, after Xing and Li (2023).

pub mod folded;
