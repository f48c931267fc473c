//! No code: see Cargo.toml.
#![no_std]
#![forbid(unsafe_code)]
