//! The broker's process.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Where the broker's configuration is.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where serve.toml is
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "/etc/ipv64-acme")]
    pub config_dir: PathBuf,
}
