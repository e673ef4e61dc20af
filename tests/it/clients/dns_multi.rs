//! certbot with certbot-dns-multi, which brings lego 5 and its provider `exec`.

use std::fs;
use std::path::PathBuf;

use super::certbot::{self, Certbot};
use super::{Client, with_names};
use crate::support::page;
use crate::support::process::Finished;
use crate::support::stage::Stage;

const PAGE: &str = "clients/certbot-dns-multi.md";

pub(super) struct DnsMulti;

impl DnsMulti {
    /// Runs a block of the page with the paths of a stage.
    fn shell(stage: &Stage, block: &str) -> Finished {
        let block = block
            .replace("/usr/local/bin", &stage.path("bin").display().to_string())
            .replace("IPV64_API_KEY_FILE = /etc/ipv64-acme/api-key\n", "")
            .replace("/etc/ipv64-acme", &stage.path("etc").display().to_string());
        stage.shell(&block, &Certbot::variables(stage))
    }
}

impl Client for DnsMulti {
    fn install(&self, stage: &Stage) {
        certbot::NEWEST.install(stage);
        fs::create_dir(stage.path("etc")).unwrap();
        let finished = Self::shell(stage, &page::shell_block(PAGE, "Configure"));
        assert!(finished.status.success(), "{}", finished.said());
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        Self::shell(stage, &with_names(&page::shell_block(PAGE, "Get a certificate"), names))
    }

    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        certbot::NEWEST.chain(stage, first)
    }
}

super::cases::for_client!(default, DnsMulti, "certbot-dns-multi");
