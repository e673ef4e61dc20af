//! acmetool, which asks its hooks about everything and solves all names at the same time.

use std::fs;
use std::path::PathBuf;

use super::{Client, with_arguments};
use crate::support::page;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::stage::Stage;

pub(super) struct Acmetool;

impl Client for Acmetool {
    /// acmetool tries http-01 first, and looks itself whether that would work: at this machine, where nobody listens.
    fn install(&self, stage: &Stage) {
        let state = stage.path("acmetool");
        for folder in ["acmetool/conf", "acmetool-hooks"] {
            fs::create_dir_all(stage.path(folder)).unwrap();
        }
        let target = format!("request:\n  provider: {}\n", stage.pebble.directory());
        fs::write(state.join("conf/target"), target).unwrap();
        let responses = "\"acme-agreement:data:text/plain,Do%20what%20thou%20wilt\": true\nacme-enter-email: \"\"\n";
        fs::write(state.join("conf/responses"), responses).unwrap();
        std::os::unix::fs::symlink(programs::hook(), stage.path("acmetool-hooks/ipv64-acme")).unwrap();
        let script = format!(
            "exec unshare --mount --map-root-user sh -c 'mount --bind {hosts} /etc/hosts; mount -t tmpfs none /run; exec {acmetool} --batch \
             --state={state} --hooks={hooks} --xlog.severity=info --xlog.stderrseverity=info \"$@\"' acmetool \"$@\"",
            hosts = stage.path("hosts").display(),
            acmetool = programs::system("acmetool").display(),
            state = state.display(),
            hooks = stage.path("acmetool-hooks").display(),
        );
        stage.put_script_into_path("acmetool", &script);
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        let block = with_arguments(&page::shell_block("clients/acmetool.md", "Get a certificate"), names);
        let hosts: Vec<_> = names.iter().map(|name| format!("127.0.0.1 {name}\n")).collect();
        fs::write(stage.path("hosts"), hosts.concat()).unwrap();
        let trusted = stage.pebble.server_certificate().display().to_string();
        stage.shell(&block, &[("SSL_CERT_FILE", trusted)])
    }

    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        stage.path("acmetool/live").join(first).join("fullchain")
    }
}

super::cases::for_client!(default, Acmetool, "acmetool");

/// acmetool runs its hooks with an umask of 0.
#[test]
#[ignore = "needs pebble and acmetool: run tests/run"]
fn acmetool_does_not_open_the_journal_to_others() {
    use std::os::unix::fs::PermissionsExt as _;

    let stage = super::cases::stage_for(&Acmetool);
    let finished = Acmetool.obtain(&stage, &["name.ipv64.net"]);
    assert!(finished.status.success() && !finished.said().contains("warning"), "{}", finished.said());
    for (path, mode) in [("state", 0o700), ("state/journal.json", 0o600)] {
        let found = fs::metadata(stage.path(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path} has mode {found:o}");
    }
}
