//! Commands on the control socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = beltwatch::line::Request::parse(text);
});
