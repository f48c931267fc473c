//! ONNX files.
#![no_main]

use beltwatch_vision::reconstruct::{InputShape, Reconstructor};

libfuzzer_sys::fuzz_target!(|model: &[u8]| {
    let shape = InputShape {
        size: 32,
        channels: 3,
    };
    if let Ok(mut network) = Reconstructor::load(model, shape) {
        let _ = network.reconstruct(&vec![128; shape.bytes()], &mut vec![0; shape.bytes()]);
    }
});
