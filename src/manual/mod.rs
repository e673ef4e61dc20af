//! Completions and man pages, made from the definition of the command line, the table of settings and the exit codes.
//! Texts only; printing and writing is left to [`crate::commands`]. The usual generators would add a twentieth to the size
//! of the program, for more than is needed here.
//!
//! - [`completion`]: scripts for bash, zsh and fish
//! - [`page`]: man pages

pub mod completion;
pub mod page;

/// The name of the program.
const NAME: &str = "ipv64-acme";
