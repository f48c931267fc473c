//! Records of a line, replayed: any input in any order must leave the core whole.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let _ = beltwatch::keep::record::replay(text, &mut std::io::sink());
});
