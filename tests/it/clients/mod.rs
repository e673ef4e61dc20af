//! Real ACME clients, run against Pebble and the simulator.
//! One file per client says how it is called; [`cases`] says what must come out.

mod acme_sh;
mod acmetool;
mod apache;
mod cases;
pub(crate) mod certbot;
mod dehydrated;
mod dns_multi;
mod failures;
mod faults;
mod lego;
pub(crate) mod plugin;
mod plugin_places;
mod speed;
mod stops;
#[cfg(feature = "serve")]
mod through_broker;
mod traefik;
mod uacme;

use std::path::PathBuf;

use crate::support::process::Finished;
use crate::support::stage::Stage;

/// An ACME client as the tests see it.
trait Client: Sync {
    /// Makes the client callable on a stage: program, settings, trust in the CA.
    fn install(&self, stage: &Stage);

    /// Asks for one certificate with these names, with the command that the client's page shows.
    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished;

    /// Returns the file with the certificate chain for the first of the names.
    fn chain(&self, stage: &Stage, first: &str) -> PathBuf;
}

/// Returns names as the `-d` options that certbot and lego share.
fn domain_options(names: &[&str]) -> String {
    names.iter().map(|name| format!("-d '{name}'")).collect::<Vec<_>>().join(" ")
}

/// Puts other names into the command block of a page, so that all cases run the command that the page shows.
fn with_names(block: &str, names: &[&str]) -> String {
    replaced(block, "-d 'name.ipv64.net' -d '*.name.ipv64.net'", &domain_options(names))
}

/// The same for clients that take names as plain arguments.
fn with_arguments(block: &str, names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    replaced(block, "'name.ipv64.net' '*.name.ipv64.net'", &names.join(" "))
}

fn replaced(block: &str, shown: &str, names: &str) -> String {
    assert!(block.contains(shown), "the block does not ask for {shown}:\n{block}");
    block.replace(shown, names)
}
