//! Raw V4L2 bindings of 64-bit Linux, as `regenerate.sh` makes them from the kernel's headers. Sizes and offsets are
//! asserted at compile time, on whatever target.
#![allow(clippy::all)]
#![allow(missing_docs, non_camel_case_types, non_snake_case, non_upper_case_globals)]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("these bindings are for 64-bit Linux (x86_64, aarch64): V4L2's structures differ on 32 bits");

mod bindings;

pub use bindings::*;
