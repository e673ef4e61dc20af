#![no_main]

#[path = "../bodies/mod.rs"]
#[allow(dead_code, reason = "every target has the bodies of all")]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::requests::run(input));
