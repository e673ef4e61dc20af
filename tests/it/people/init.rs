//! `init`: from a key to files and lines.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ipv64_acme::sim::{Action, ApiFault, CallKind, Config};
use serde_json::Value;

use crate::support::environment::TestEnvironment;
use crate::support::process::{self, Finished};
use crate::support::programs;

/// A test environment whose commands know no key.
fn env() -> TestEnvironment {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_KEY", "");
    env
}

fn pipe_in(env: &TestEnvironment, key: &str, args: &[&str]) -> Finished {
    let input = env.path("input");
    fs::write(&input, key).unwrap();
    let config = env.path("conf/config.toml");
    let script = "input=$1; shift; exec \"$@\" <\"$input\"";
    let mut command = env.command("/bin/sh");
    command.args(["-c", script, "sh"]).arg(&input).arg(programs::hook());
    process::run(command.args(["init", "--stdin", "--config"]).arg(config).args(args))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_good_key_is_stored_and_every_command_finds_it() {
    let env = env();
    let key = env.sim.key(0).unwrap().to_owned();
    let finished = pipe_in(&env, &format!("{key}\n"), &["--json"]);
    assert!(finished.status.success(), "{}", finished.said());
    assert!(!finished.said().contains(&key), "{}", finished.said());
    assert_eq!(env.calls(), [CallKind::GetAccountInfo, CallKind::GetDomains]);
    let shown: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(shown["class"], "Standard");
    assert!(shown["domains"].as_array().unwrap().contains(&"name.ipv64.net".into()), "{shown}");
    assert_eq!(mode(&env.path("conf/api-key")), 0o600);
    let config = env.path("conf/config.toml").display().to_string();
    assert!(env.succeed(&["account", "--config", &config]).contains("class\tStandard"));
}

#[test]
fn a_refused_key_is_not_stored_and_does_not_replace_a_good_one() {
    let env = env();
    let finished = pipe_in(&env, "wrong-key", &[]);
    assert_eq!(finished.status.code(), Some(3), "{}", finished.said());
    assert!(
        finished.stderr.contains("was not stored") && !finished.said().contains("wrong-key"),
        "{}",
        finished.said()
    );
    assert!(!env.path("conf").exists());
    let key = env.sim.key(0).unwrap().to_owned();
    assert!(pipe_in(&env, &key, &[]).status.success());
    assert_eq!(pipe_in(&env, "wrong-key", &[]).status.code(), Some(3));
    assert_eq!(fs::read_to_string(env.path("conf/api-key")).unwrap(), format!("{key}\n"));
}

#[test]
fn what_is_no_key_is_told_without_a_call() {
    let more_than_is_read = format!("key{}and more", "\n".repeat(5000));
    for input in ["", "\n", "two\nlines\n", "a blank", "ümlaut", &"a".repeat(4097), &more_than_is_read] {
        let env = env();
        let finished = pipe_in(&env, input, &[]);
        assert_eq!(finished.status.code(), Some(3), "{input:?}: {}", finished.said());
        assert!(finished.stderr.contains("hint: "), "{}", finished.said());
        assert!(env.calls().is_empty() && !env.path("conf").exists());
    }
}

#[test]
fn a_second_run_keeps_the_other_settings() {
    let env = env();
    fs::create_dir(env.path("conf")).unwrap();
    fs::write(env.path("conf/config.toml"), "# mine\nconfirmations = 4\n").unwrap();
    let key = env.sim.key(0).unwrap().to_owned();
    for _ in 0..2 {
        assert!(pipe_in(&env, &key, &[]).status.success());
    }
    let text = fs::read_to_string(env.path("conf/config.toml")).unwrap();
    assert!(text.starts_with("# mine\nconfirmations = 4\napi_key_file = \""), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn a_key_file_stays_where_it_is() {
    let env = env();
    let file = env.path("my.key");
    fs::write(&file, env.sim.key(0).unwrap()).unwrap();
    let config = env.path("conf/config.toml").display().to_string();
    let init = ["init", "--api-key-file", "my.key", "--config", &config];
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(env.fail(&init, 3).contains("chmod 600"));
    assert!(!env.path("conf").exists());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    env.succeed_with_warning(&init);
    assert!(!env.path("conf/api-key").exists());
    env.succeed(&["account", "--config", &config]);
}

#[test]
fn a_key_file_that_holds_no_key_is_told_without_a_call() {
    for text in ["", "\n", "  \t\n", "two\nlines\n", "a blank\n", "\u{1b}[31m\n"] {
        let env = env();
        let file = env.path("my.key");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let config = env.path("conf/config.toml").display().to_string();
        let error = env.fail(&["init", "--api-key-file", "my.key", "--config", &config], 3);
        assert!(
            error.contains("my.key") && error.contains("\nhint: ") && !error.contains('\u{1b}'),
            "{text:?}: {error}"
        );
        assert!(env.calls().is_empty() && !env.path("conf").exists(), "{text:?}");
    }
}

#[test]
fn a_key_file_that_is_none_is_told_without_a_call() {
    let env = env();
    fs::create_dir(env.path("folder")).unwrap();
    let config = env.path("conf/config.toml").display().to_string();
    for (file, words) in
        [("folder", "not a regular file"), ("missing", "No such file"), ("/dev/null", "not a regular file")]
    {
        let error = env.fail(&["init", "--api-key-file", file, "--config", &config], 3);
        assert!(error.contains(words) && error.contains("\nhint: "), "{file}: {error}");
    }
    assert!(env.calls().is_empty() && !env.path("conf").exists());
}

#[test]
fn a_configuration_that_cannot_be_read_is_left_as_it_is() {
    let env = env();
    fs::create_dir_all(env.path("conf/config.toml")).unwrap();
    let finished = pipe_in(&env, env.sim.key(0).unwrap(), &[]);
    assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
    assert!(
        finished.stderr.contains("not a regular file") && finished.stderr.contains("--config"),
        "{}",
        finished.said()
    );
    fs::remove_dir(env.path("conf/config.toml")).unwrap();
    fs::write(env.path("conf/config.toml"), "confirmations = [").unwrap();
    assert_eq!(pipe_in(&env, env.sim.key(0).unwrap(), &[]).status.code(), Some(2));
    assert_eq!(fs::read_to_string(env.path("conf/config.toml")).unwrap(), "confirmations = [");
    assert!(env.calls().is_empty() && !env.path("conf/api-key").exists());
}

#[test]
fn a_key_that_cannot_be_stored_changes_nothing() {
    let env = env();
    fs::create_dir_all(env.path("conf/api-key/in-the-way")).unwrap();
    let finished = pipe_in(&env, env.sim.key(0).unwrap(), &[]);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.contains("api-key") && finished.stderr.contains("\nhint: "), "{}", finished.said());
    assert_eq!(fs::read_dir(env.path("conf")).unwrap().count(), 1);
}

#[test]
fn without_a_terminal_there_is_nobody_to_ask() {
    let env = env();
    let config = env.path("conf/config.toml").display().to_string();
    let error = env.fail(&["init", "--config", &config], 2);
    assert!(error.contains("--stdin"), "{error}");
}

#[test]
fn a_variable_that_hides_the_stored_key_is_told() {
    let env = TestEnvironment::new();
    let finished = pipe_in(&env, env.sim.key(0).unwrap(), &[]);
    assert!(finished.status.success());
    assert!(finished.stderr.contains("IPV64_API_KEY is set and comes before"), "{}", finished.said());
}

#[test]
fn a_configuration_that_hooks_would_not_find_is_told() {
    let mut env = env();
    let config = env.path("conf/config.toml").display().to_string();
    let elsewhere = pipe_in(&env, env.sim.key(0).unwrap(), &[]);
    assert!(elsewhere.stderr.contains("empty.toml` is read before `"), "{}", elsewhere.said());
    env.set("IPV64_CONFIG", "");
    let unnamed = pipe_in(&env, env.sim.key(0).unwrap(), &[]);
    assert!(unnamed.stderr.contains(&config) && unnamed.stderr.contains("IPV64_CONFIG"), "{}", unnamed.said());
    env.set("IPV64_CONFIG", &config);
    let named = pipe_in(&env, env.sim.key(0).unwrap(), &[]);
    assert!(named.status.success() && named.stderr.is_empty(), "{}", named.said());
}

#[test]
fn clients_that_are_installed_get_their_line() {
    let mut env = env();
    fs::create_dir(env.path("bin")).unwrap();
    for name in ["certbot", "uacme"] {
        File::create(env.path("bin").join(name)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
    env.set("PATH", &path);
    let finished = pipe_in(&env, env.sim.key(0).unwrap(), &[]);
    assert!(finished.stdout.contains("\ncertbot ("), "{}", finished.said());
    assert!(
        finished.stdout.contains("--manual-auth-hook \"") && finished.stdout.contains("uacme -h /"),
        "{}",
        finished.said()
    );
}

#[test]
fn a_dry_run_shows_every_file_and_writes_none() {
    let env = env();
    let key = env.sim.key(0).unwrap().to_owned();
    let finished = pipe_in(&env, &key, &["--dry-run"]);
    assert!(finished.status.success() && !finished.said().contains(&key), "{}", finished.said());
    for words in ["conf/api-key (mode 600):\n  ********\n", "conf/config.toml (mode 644):\n", "\n  api_key_file = \""] {
        assert!(finished.stdout.contains(words), "{words}: {}", finished.said());
    }
    assert!(!env.path("conf").exists());
}

/// Every file below a folder with its content, but for the state directory.
fn listing(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = BTreeMap::new();
    for path in entries.filter(|path| !path.ends_with("state")) {
        if path.is_dir() {
            files.extend(listing(&path));
            files.insert(path, Vec::new());
        } else {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

#[test]
fn a_dry_run_leaves_what_is_there_as_it_is_and_a_second_run_changes_nothing() {
    let env = env();
    let key = env.sim.key(0).unwrap();
    assert!(pipe_in(&env, key, &[]).status.success());
    let before = listing(&env.path(""));
    let file = env.path("conf/config.toml");
    fs::write(&file, "polling_interval = 1\n").unwrap();
    let changed = listing(&env.path(""));
    assert!(pipe_in(&env, key, &["--dry-run"]).status.success());
    assert_eq!(listing(&env.path("")), changed);
    fs::write(&file, &before[&file]).unwrap();
    assert!(pipe_in(&env, key, &[]).status.success());
    assert_eq!(listing(&env.path("")), before);
}

#[test]
fn the_lines_name_a_domain_of_the_account_the_plugin_first() {
    let mut env = env();
    fs::create_dir(env.path("bin")).unwrap();
    File::create(env.path("bin/certbot")).unwrap();
    env.set("PATH", &format!("{}:/usr/bin:/bin", env.path("bin").display()));
    let finished = pipe_in(&env, env.sim.key(0).unwrap(), &[]);
    let at = |words: &str| finished.stdout.find(words).unwrap_or_else(|| panic!("{words}: {}", finished.said()));
    let plugin = at("  certbot certonly --authenticator dns-ipv64 -d ");
    assert!(at("pip install certbot-dns-ipv64\n") < plugin && plugin < at("--manual-auth-hook"), "{}", finished.said());
    assert!(!finished.stdout.contains("DOMAIN"), "{}", finished.said());
}

#[test]
fn without_a_domain_it_says_where_to_add_one_and_a_list_that_fails_does_not_matter() {
    let mut config = Config::default();
    config.accounts[0].domains.clear();
    config.accounts[0].records.clear();
    let mut none = TestEnvironment::with(config);
    none.set("IPV64_API_KEY", "");
    let finished = pipe_in(&none, none.sim.key(0).unwrap(), &[]);
    assert!(finished.stdout.contains("ipv64-acme domain add NAME"), "{}", finished.said());
    let env = env();
    env.sim.fault(ApiFault::on(CallKind::GetDomains, Action::json(403, "{}")).times(9));
    let finished = pipe_in(&env, env.sim.key(0).unwrap(), &[]);
    assert!(finished.status.success() && env.path("conf/api-key").exists(), "{}", finished.said());
    assert!(finished.stderr.contains("cannot list the domains"), "{}", finished.said());
}

#[test]
fn what_clients_have_is_told_without_their_keys() {
    let mut env = env();
    let saved = "0123456789abcdef0123456789abcdef";
    fs::create_dir_all(env.path("home/.acme.sh")).unwrap();
    fs::write(env.path("home/.acme.sh/account.conf"), format!("SAVED_IPv64_Token='{saved}'\n")).unwrap();
    env.set("HOME", env.path("home").to_str().unwrap());
    let finished = pipe_in(&env, env.sim.key(0).unwrap(), &[]);
    assert!(finished.stdout.contains("  acme.sh has saved an API key ("), "{}", finished.said());
    assert!(!finished.said().contains(saved), "{}", finished.said());
    let config = env.path("conf/config.toml").display().to_string();
    let unasked = env.fail(&["init", "--config", &config], 2);
    assert!(unasked.contains("acme.sh has saved an API key") && !unasked.contains(saved), "{unasked}");
}

#[test]
fn no_timer_is_written_for_a_configuration_that_its_unit_would_not_find() {
    let env = env();
    let finished = pipe_in(&env, env.sim.key(0).unwrap(), &["--timer"]);
    assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
    assert!(finished.stderr.contains("--timer") && finished.stderr.contains("\nhint: "), "{}", finished.said());
    assert!(env.calls().is_empty() && !env.path("conf").exists());
}
