//! Tells the program for which machine it is built; Cargo tells only build scripts.

#![allow(clippy::print_stdout, reason = "how a build script talks to Cargo")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=TARGET={}", std::env::var("TARGET").unwrap_or_default());
}
