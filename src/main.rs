//! The process: arguments and environment in, exit code out. Everything else is in the library.

use std::process::ExitCode;

use ipv64_acme::commands;
use ipv64_acme::settings::Environment;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    commands::run(&args, &Environment::new(std::env::vars_os())).into()
}
