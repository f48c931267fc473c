//! The beltwatch daemon.
fn main() {}
