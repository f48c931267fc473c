//! `beltwatch-train`.
fn main() {}
