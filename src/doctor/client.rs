//! What an ACME client meets that systemd or cron start: as which user it runs, whether it finds the hook, and where its key comes
//! from. What that user's own settings come to is asked of a process of that user, by [`crate::commands`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use super::run::{Run, read};
use super::stored::Stored;
use super::{crontabs, units};
use crate::excerpt::{excerpt, visible_path};
use crate::hook::Convention;

/// How much of a command is shown, in characters.
const SHOWN: usize = 80;

/// Returns the clients that can be looked for, by the name that is typed: each with its programs.
pub fn known(wanted: &str) -> impl Iterator<Item = (String, &'static [&'static str])> {
    let all = Convention::ALL.into_iter().filter(|client| !client.programs.is_empty());
    let named = all.map(|client| (client.name.to_lowercase(), client.programs));
    named.filter(move |(name, _)| wanted == "all" || *name == wanted)
}

/// Finds what starts one of these programs on this machine; `unit_path` is systemd's own variable `SYSTEMD_UNIT_PATH`.
#[must_use]
pub fn runs(programs: &[&str], unit_path: Option<&str>) -> Vec<Run> {
    let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect::<Vec<_>>();
    let folders = unit_path.map_or_else(|| paths(&units::FOLDERS), |list| std::env::split_paths(list).collect());
    let mut runs = units::runs(&folders, programs);
    runs.extend(crontabs::runs(&paths(&crontabs::SYSTEM), &paths(&crontabs::USERS), programs));
    runs
}

/// Nothing starts this client.
#[must_use]
pub fn not_started(client: &str) -> Finding {
    let text = "no unit of systemd and no crontab that can be read from here starts it";
    Finding::warning("client_not_started", client, text)
        .advise("containers and user units are not checked: run `ipv64-acme doctor` there, as the user of the client")
}

/// Tells what the files say of one start of a client.
#[must_use]
pub fn check(run: &Run, stored: &Stored) -> Vec<Finding> {
    let place = &run.place;
    let text = format!("starts `{}` as the user `{}`", excerpt(run.command.trim(), SHOWN), run.user);
    let mut findings = vec![Finding::ok("client_run", place, text)];
    let programs: BTreeSet<_> = stored.programs.iter().filter(|program| run.find_program(program).is_none()).collect();
    findings.extend(programs.into_iter().map(|program| missing_program(run, program)));
    if stored.is_empty() {
        let text = "nothing was found in the settings of this client that calls `ipv64-acme`";
        findings.push(Finding::note("client_unused", place, text));
    }
    if let Some(path) = &run.credential {
        findings.push(handed_over(place, path, "systemd (LoadCredential=)", |_| true));
    }
    if let Some(path) = &stored.credentials {
        let has_key = |text: &str| text.lines().any(|line| line.trim_start().starts_with("dns_ipv64_api_key"));
        findings.push(handed_over(place, path, "certbot's plugin (dns_ipv64_api_key)", has_key));
    }
    if !run.sandbox.is_empty() {
        let text = format!("{} may hide files from it, which cannot be seen from here", run.sandbox.join(", "));
        findings.push(Finding::note("client_sandbox", place, text));
    }
    findings
}

fn missing_program(run: &Run, program: &str) -> Finding {
    let (text, advice) = if program.contains('/') {
        (
            format!("the hook `{program}` does not exist"),
            "name the path of ipv64-acme as it is now in the client's settings",
        )
    } else {
        let path = run.environment.get("PATH").map_or("", String::as_str);
        let advice = "write the whole path of ipv64-acme into the client's settings, or add its folder to that PATH";
        (format!("the hook `{program}` is in none of the folders of its PATH, {path}"), advice)
    };
    Finding::error("client_program", &run.place, text).advise(advice)
}

fn handed_over(place: &str, path: &Path, by: &str, has_key: impl Fn(&str) -> bool) -> Finding {
    let shown = visible_path(path);
    match read(path).filter(|text| has_key(text)) {
        Some(_) => Finding::ok("client_key", place, format!("gets the API key from `{shown}` by {by}")),
        None => Finding::error("client_key", place, format!("`{shown}`, from which {by} takes the API key, has none"))
            .advise(format!(
                "put the API key into `{shown}`; if this is not root, try as root: others may not read it"
            )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn every_client_that_can_be_named_has_programs() {
        let names: Vec<_> = known("all").map(|(name, _)| name).collect();
        for name in ["acme.sh", "acmetool", "certbot", "dehydrated", "lego", "traefik", "uacme"] {
            assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
        }
        assert_eq!(known("certbot").count(), 1);
    }

    #[test]
    fn a_hook_that_is_not_in_the_path_of_the_timer_is_an_error() {
        let environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
        let run = Run { place: "crontab".into(), user: "root".into(), environment, ..Run::default() };
        let stored = |program: &str| Stored { programs: vec![program.to_owned()], ..Stored::default() };
        let levels =
            |program: &str| check(&run, &stored(program)).iter().map(|one| (one.kind, one.level)).collect::<Vec<_>>();
        assert_eq!(levels("sh"), [("client_run", Level::Ok)]);
        for program in ["no-such-hook", "/no/such/hook"] {
            assert_eq!(levels(program), [("client_run", Level::Ok), ("client_program", Level::Error)]);
        }
        assert_eq!(check(&run, &Stored::default())[1].kind, "client_unused");
        let handed = Run { credential: Some("/no/such/key".into()), ..run.clone() };
        assert_eq!(check(&handed, &stored("sh"))[1].level, Level::Error);
    }
}
