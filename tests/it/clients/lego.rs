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

impl Lego {
    /// Returns the commands of lego's page, asking for these names.
    fn block(names: &[&str]) -> String {
        with_names(&page::shell_block("clients/lego.md", "Get a certificate"), names)
    }

    /// Returns what lego's environment has to hold on a stage.
    fn environment(&self, stage: &Stage) -> Vec<(&'static str, String)> {
        let own = self.variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        own.chain([
            ("LEGO_PATH", stage.path("lego").display().to_string()),
            ("LEGO_CA_CERTIFICATES", stage.pebble.server_certificate().display().to_string()),
        ])
        .collect()
    }
}

impl Client for Lego {
    /// What belongs to the test and stands on no page: the CA, and the resolver that lego asks in place of the system's.
    fn install(&self, stage: &Stage) {
        let (lego, directory) = (programs::system("lego"), stage.pebble.directory());
        let resolver = stage.sim.addresses("system")[0];
        let script = format!("exec {} --server {directory} --dns.resolvers {resolver} \"$@\"", lego.display());
        stage.put_script_into_path("lego", &script);
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        stage.shell(&Self::block(names), &self.environment(stage))
    }

    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        // lego writes `*` as `_` in file names.
        stage.path("lego/certificates").join(first.replace('*', "_") + ".crt")
    }
}

cases::for_client!(default, DEFAULT);
cases::for_client!(raw, RAW);

/// Without the variable that the page recommends, lego follows the CNAME and hands over the name at its end.
#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn may_follow_a_cname_by_itself() {
    const NAME: &str = "www.foreign.example";
    let stage = cases::stage_for(&DEFAULT);
    let block = Lego::block(&[NAME]).replace("LEGO_DISABLE_CNAME_SUPPORT=true", "LEGO_DISABLE_CNAME_SUPPORT=false");
    let finished = stage.shell(&block, &DEFAULT.environment(&stage));
    assert!(finished.status.success(), "{}", finished.said());
    cases::assert_certified(&stage, &DEFAULT, &[NAME]);
    cases::assert_nothing_left(&stage);
}
