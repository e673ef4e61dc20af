//! `version`: which program this is. Needs neither key nor settings.

use serde_json::json;

use super::Invocation;
use crate::exit::Exit;

/// The features of Cargo that this program may be built with, and whether it was.
const FEATURES: [(&str, bool); 2] = [("serve", cfg!(feature = "serve")), ("sim", cfg!(feature = "sim"))];

/// Shows it: for people as `--version` does.
pub(super) fn run(invocation: &Invocation<'_>) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    invocation.report.line(&format!("{} {version}", env!("CARGO_PKG_NAME")));
    let features = FEATURES.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| *name);
    invocation.report.document(&json!({
        "version": version,
        // Set by what builds a release: a build must not depend on what lies around its source.
        "commit": option_env!("IPV64_ACME_COMMIT").unwrap_or("unknown"),
        "target": env!("TARGET"),
        "features": features.collect::<Vec<_>>(),
    }));
    Exit::Done
}
