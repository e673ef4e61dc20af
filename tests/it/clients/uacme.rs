//! uacme, which offers every challenge type to its hook.

use std::path::PathBuf;

use super::{Client, with_arguments};
use crate::support::page;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::stage::Stage;

pub(super) struct Uacme;

impl Client for Uacme {
    /// uacme trusts what stands in the system's list of certificates and nothing else: it gets a list of its own, in a name
    /// space of its own.
    fn install(&self, stage: &Stage) {
        let script = format!(
            "exec unshare --mount --map-root-user sh -c 'mount --bind {certificate} /etc/ssl/certs/ca-certificates.crt; \
             exec {uacme} -a {directory} -c {folder} \"$@\"' uacme \"$@\"",
            certificate = stage.pebble.server_certificate().display(),
            uacme = programs::system("uacme").display(),
            directory = stage.pebble.directory(),
            folder = stage.path("uacme").display(),
        );
        stage.put_script_into_path("uacme", &script);
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        let block = with_arguments(&page::shell_block("clients/uacme.md", "Get a certificate"), names);
        let hook = stage.path("bin/ipv64-acme").display().to_string();
        stage.shell(&block.replace("/usr/local/bin/ipv64-acme", &hook), &[])
    }

    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        stage.path("uacme").join(first).join("cert.pem")
    }
}

super::cases::for_client!(default, Uacme, "uacme");
