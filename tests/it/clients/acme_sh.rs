//! acme.sh with our DNS file. It is in no package registry: the variable `ACME_SH` names the script.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Client, with_names};
use crate::support::page;
use crate::support::process::Finished;
use crate::support::stage::Stage;

const PAGE: &str = "clients/acme-sh.md";

pub(super) struct AcmeSh;

impl AcmeSh {
    /// Asks for a certificate, waiting for the name servers for so many seconds.
    pub(super) fn obtain_within(stage: &Stage, names: &[&str], seconds: &str) -> Finished {
        let key = match stage.variable("IPV64_API_KEY") {
            key if key.is_empty() => key,
            key => page::shell_block(PAGE, "Without `init`").replace("0123456789abcdef", &key),
        };
        let settings = page::shell_block(PAGE, "Configure")
            .replace("IPV64_PROPAGATION_TIMEOUT=180", &format!("IPV64_PROPAGATION_TIMEOUT={seconds}"));
        let block = with_names(&page::shell_block(PAGE, "Get a certificate"), names);
        stage.shell(&format!("unset IPV64_API_KEY\n{key}\n{settings}\n{block}"), &[])
    }
}

impl Client for AcmeSh {
    fn install(&self, stage: &Stage) {
        let script = std::env::var("ACME_SH").expect("ACME_SH names the script acme.sh");
        let home = stage.path("acme-sh");
        fs::create_dir_all(home.join("dnsapi")).unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/dns_ipv64_acme.sh");
        fs::copy(file, home.join("dnsapi/dns_ipv64_acme.sh")).unwrap();
        let home = home.display();
        let certificate = stage.pebble.server_certificate().display().to_string();
        stage.put_script_into_path(
            "acme.sh",
            &format!(
                "exec sh {script} \"$@\" --home {home} --server {} --ca-bundle {certificate}",
                stage.pebble.directory()
            ),
        );
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        Self::obtain_within(stage, names, "180")
    }

    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        stage.path("acme-sh").join(format!("{first}_ecc")).join("fullchain.cer")
    }
}

super::cases::for_client!(default, AcmeSh, "acme.sh in ACME_SH");
