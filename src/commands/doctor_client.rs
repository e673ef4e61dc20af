//! `doctor --client`: what an ACME client meets when systemd or cron start it. Its user's settings are looked at by this very
//! program, as that user and with that environment.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::Invocation;
use crate::doctor::run::{Run, User, read};
use crate::doctor::stored::{self, Stored};
use crate::doctor::{Finding, Level, client};
use crate::error::Kind;
use crate::exit::Exit;
use crate::explain;

/// Who is who on this machine.
const USERS: &str = "/etc/passwd";

/// Looks at every way in which the client is started.
pub(super) fn findings(call: &Invocation<'_>, wanted: &str, here: &[Finding]) -> Vec<Finding> {
    let passwd = read(USERS.as_ref()).unwrap_or_default();
    let unit_path = call.environment.get("SYSTEMD_UNIT_PATH");
    let mut findings = Vec::new();
    for (name, programs) in client::known(wanted) {
        let runs = client::runs(programs, unit_path.as_deref());
        if runs.is_empty() && wanted != "all" {
            findings.push(client::not_started(&name));
        }
        for run in runs {
            let Some(user) = User::find(&passwd, &run.user) else {
                findings.push(unknown_user(&run));
                continue;
            };
            let stored = stored::read_for(&name, &run, &user);
            findings.extend(client::check(&run, &stored));
            if !stored.is_empty() {
                findings.extend(as_user(&run, &user, &stored, here));
            }
        }
    }
    findings
}

fn unknown_user(run: &Run) -> Finding {
    Finding::warning("client_user", &run.place, format!("starts a client as `{}`, who is not in {USERS}", run.user))
        .advise("run `ipv64-acme doctor` as that user")
}

/// Asks a process of that user what its settings come to.
fn as_user(run: &Run, user: &User, stored: &Stored, here: &[Finding]) -> Vec<Finding> {
    let me = rustix::process::geteuid();
    if !me.is_root() && me.as_raw() != user.uid {
        let text = format!("only root and `{}` can see what `{}` finds", user.name, user.name);
        let advice = "run this as root: `sudo ipv64-acme doctor --client …`";
        return vec![Finding::warning("client_unseen", &run.place, text).advise(advice)];
    }
    let is_handed_over = run.credential.is_some() || stored.credentials.is_some();
    let mut findings: Vec<Finding> = match child(run, user, stored, me.is_root()) {
        Ok(seen) => seen.iter().map(|one| found(run, one)).collect(),
        Err(reason) => {
            let text = format!("`{}` cannot run ipv64-acme: {reason}", user.name);
            let advice = "put the program where every user can run it, for example into /usr/local/bin, with mode 755";
            vec![Finding::error("client_unseen", &run.place, text).advise(advice)]
        }
    };
    findings.retain(|one| !(is_handed_over && is_about_key(one)));
    findings.extend(difference(run, &findings, here));
    findings
}

/// Runs `doctor --offline` as that user, and returns its findings.
fn child(run: &Run, user: &User, stored: &Stored, is_root: bool) -> Result<Vec<Value>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["--json", "doctor", "--offline"]).env_clear().current_dir("/").stdin(Stdio::null());
    if run.is_login {
        command.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name);
    }
    command.envs(&run.environment).envs(stored.variables.iter().map(|(name, value)| (name, value)));
    if is_root && user.uid != 0 {
        command.uid(user.uid).gid(user.gid);
    }
    let output = command.output().map_err(|error| error.to_string())?;
    let document: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let unknown = said.lines().filter_map(|line| line.strip_prefix("warning: ")?.strip_prefix("unknown variable")).map(|rest| {
        let text = format!("unknown variable{rest}");
        json!({ "level": "warning", "subject": "settings", "text": text, "advice": "correct the name where it is set" })
    });
    let findings = match &document["error"] {
        Value::Null => document["findings"].as_array().cloned().unwrap_or_default(),
        error => {
            let (kind, text, advice) = (&error["kind"], &error["message"], &error["hint"]);
            vec![json!({ "level": "error", "kind": kind, "subject": "settings", "text": text, "advice": advice })]
        }
    };
    Ok(unknown.chain(findings).collect())
}

/// A finding of the other process as one of this.
fn found(run: &Run, one: &Value) -> Finding {
    let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
    let level = [Level::Error, Level::Warning, Level::Note].into_iter().find(|level| one["level"] == level.as_str());
    let kind = explain::find(&text("kind")).map_or("client_settings", |known| known.kind);
    let exit = Kind::ALL.iter().find(|known| **known == kind).map_or(Exit::Failed, |known| known.exit());
    let finding = Finding::ok("client_settings", format!("{}: {}", run.place, text("subject")), text("text"));
    Finding {
        level: level.unwrap_or(Level::Ok),
        kind,
        advice: one["advice"].as_str().map(str::to_owned),
        exit,
        ..finding
    }
}

fn is_about_key(finding: &Finding) -> bool {
    finding.subject.ends_with("API key")
}

/// Tells where this shell finds another key than the client: then a test by hand proves nothing for the timer.
fn difference(run: &Run, seen: &[Finding], here: &[Finding]) -> Option<Finding> {
    let [theirs, ours] = [seen, here].map(|findings| findings.iter().find(|one| is_about_key(one)));
    let (theirs, ours) = (theirs?, ours?);
    (theirs.level == Level::Ok && ours.level == Level::Ok && theirs.text != ours.text).then(|| {
        let text = format!("this shell takes its API key from another place: {}", ours.text);
        Finding::note("client_differs", &run.place, text)
    })
}
