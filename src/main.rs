//! The process: arguments and environment in, exit code out. Everything else is in the library.

use std::process::ExitCode;

use ipv64_acme::commands;
use ipv64_acme::settings::Environment;

// A broker with a thousand waits needs half the memory that the allocator of musl takes for it, or that of glibc with its arenas
// for threads; and a hook a sixth fewer instructions.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    commands::run(&args, &Environment::new(std::env::vars_os())).into()
}
