//! lego's `exec` provider, in its default mode and with `EXEC_MODE=RAW`.

use std::path::PathBuf;

use super::{Client, cases, with_names};
use crate::support::page;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::stage::Stage;

/// lego with further variables in its environment.
pub(super) struct Lego {
    variables: &'static [(&'static str, &'static str)],
}

pub(super) const DEFAULT: Lego = Lego { variables: &[] };
pub(super) const RAW: Lego = Lego { variables: &[("EXEC_MODE", "RAW")] };

impl Client for Lego {
    /// lego 4.9 takes the CA's address as an option only, and a block on a page does not name a test's CA.
    fn install(&self, stage: &Stage) {
        let lego = programs::system("lego").display().to_string();
        stage.put_script_into_path("lego", &format!("exec {lego} --server {} \"$@\"", stage.pebble.directory()));
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        let block = page::shell_block("clients/lego.md", "Get a certificate");
        let mut variables = vec![
            ("LEGO_PATH", stage.path("lego").display().to_string()),
            ("LEGO_CA_CERTIFICATES", stage.pebble.server_certificate().display().to_string()),
        ];
        variables.extend(self.variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        stage.shell(&with_names(&block, names), &variables)
    }

    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        // lego writes `*` as `_` in file names.
        stage.path("lego/certificates").join(first.replace('*', "_") + ".crt")
    }
}

cases::for_client!(default, DEFAULT);
cases::for_client!(raw, RAW);
