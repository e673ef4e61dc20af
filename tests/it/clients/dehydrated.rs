//! dehydrated, with all names in one call and with one call for each.

use std::fs;
use std::path::PathBuf;

use super::{Client, cases, with_names};
use crate::support::page;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::stage::Stage;

const PAGE: &str = "clients/dehydrated.md";

/// dehydrated with one of the two values of `HOOK_CHAIN`.
pub(super) struct Dehydrated {
    chain: &'static str,
}

pub(super) const CHAIN: Dehydrated = Dehydrated { chain: "yes" };
pub(super) const NO_CHAIN: Dehydrated = Dehydrated { chain: "no" };

impl Dehydrated {
    /// Writes the settings of the page, and what belongs to the test, into a configuration file.
    pub(super) fn configure(&self, stage: &Stage, settings: &str) {
        let hook = stage.path("bin/ipv64-acme").display().to_string();
        let own = settings
            .replace("/usr/local/bin/ipv64-acme", &hook)
            .replace("HOOK_CHAIN=\"yes\"", &format!("HOOK_CHAIN=\"{}\"", self.chain));
        let of_test = format!(
            // Short keys are soon made. The second name is that of later versions.
            "KEYSIZE=2048\nACCOUNT_KEYSIZE=2048\nCA='{}'\nCURL_OPTS='--cacert {}'\nBASEDIR='{}'\n",
            stage.pebble.directory(),
            stage.pebble.server_certificate().display(),
            stage.path("dehydrated").display()
        );
        fs::create_dir_all(stage.path("dehydrated")).unwrap();
        fs::write(stage.path("dehydrated/config"), own + "\n" + &of_test).unwrap();
    }

    pub(super) fn settings() -> String {
        page::shell_block(PAGE, "Configure")
    }
}

impl Client for Dehydrated {
    fn install(&self, stage: &Stage) {
        self.configure(stage, &Self::settings());
        let dehydrated = programs::system("dehydrated").display().to_string();
        let config = stage.path("dehydrated/config").display().to_string();
        stage.put_script_into_path("dehydrated", &format!("exec {dehydrated} \"$@\" --config {config}"));
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        let block = with_names(&page::shell_block(PAGE, "Get a certificate"), names);
        stage.shell(&block.replace("--alias name.ipv64.net", "--alias test"), &[])
    }

    fn chain(&self, stage: &Stage, _first: &str) -> PathBuf {
        stage.path("dehydrated/certs/test/fullchain.pem")
    }
}

cases::for_client!(chain, CHAIN, "dehydrated");
cases::for_client!(no_chain, NO_CHAIN, "dehydrated");
