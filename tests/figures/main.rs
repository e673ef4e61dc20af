//! Measures the shipped binary against the simulator and prints the figures as Markdown: `tests/bench figures` runs it.
//! It judges nothing: figures depend on the machine, so no test asserts them.

#![allow(clippy::print_stdout, reason = "printing is all it does")]

mod api;
#[cfg(feature = "serve")]
mod broker;
#[cfg(feature = "serve")]
mod crowd;
mod hook;
mod lag;
mod many;
mod order;
mod state;
mod world;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// One kind of figures: its name, and what measures it.
type Kind = (&'static str, fn(&Path) -> Result<()>);

const KINDS: &[Kind] = &[
    ("lag", lag::lag),
    ("premature", lag::premature),
    ("order", order::measure),
    ("hook", hook::measure),
    ("many", many::measure),
    ("state", state::measure),
    ("api", api::measure),
    #[cfg(feature = "serve")]
    ("broker", broker::measure),
    #[cfg(feature = "serve")]
    ("broker-away", broker::away),
    #[cfg(feature = "serve")]
    ("broker-waits", crowd::waits),
    #[cfg(feature = "serve")]
    ("broker-turns", crowd::turns),
];

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args_os().skip(1).filter(|argument| argument != "--bench");
    let program = PathBuf::from(arguments.next().context("usage: figures PROGRAM [KIND…]")?);
    let chosen: Vec<_> = arguments.map(|kind| kind.to_string_lossy().into_owned()).collect();
    let known: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = chosen.iter().find(|chosen| !known.contains(&chosen.as_str())) {
        bail!("unknown kind of figures `{unknown}`; there are: {}", known.join(", "));
    }
    for (name, measure) in KINDS {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            measure(&program)?;
            println!();
        }
    }
    Ok(())
}
