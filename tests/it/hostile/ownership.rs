//! Files of the administrator that somebody else can change, and what is no file: whoever writes the configuration, the key
//! or the CA certificates is sent the key, and whatever they are, nothing hangs.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::support::programs;
use crate::support::skip::skipped;

/// Somebody else.
const STRANGER: u32 = 54_321;

/// Where a stranger listens, and a configuration that leads there.
struct Stranger {
    env: TestEnvironment,
    listener: TcpListener,
    config: PathBuf,
}

impl Stranger {
    fn new() -> Self {
        let env = hasty();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let config = env.path("home/.config/ipv64-acme/config.toml");
        fs::create_dir_all(config.parent().unwrap()).unwrap();
        fs::write(&config, format!("api_url = \"http://{}/api\"\n", listener.local_addr().unwrap())).unwrap();
        Self { env, listener, config }
    }

    /// Gives everything below the home to the stranger; whether that is possible, as only root can.
    fn takes_home(&self) -> bool {
        let parts = ["home", "home/.config", "home/.config/ipv64-acme", "home/.config/ipv64-acme/config.toml"];
        parts.into_iter().all(|part| chown(self.env.path(part), Some(STRANGER), None).is_ok())
    }

    /// The hook, with the key and without an address.
    fn hook(&self) -> Command {
        let mut command = self.env.command(programs::hook());
        command.args(["present", NAME, VALUE]).env_remove("IPV64_CONFIG").env_remove("IPV64_API_URL");
        command
    }

    /// Runs the hook, which has to name what it refuses, and to send nothing.
    fn assert_refused(&self, command: &mut Command, words: &[&str]) {
        let finished = process::run(command);
        assert_eq!(finished.status.code(), Some(2), "{words:?}: {}", finished.said());
        for words in words {
            assert!(finished.stderr.contains(words), "{words}: {}", finished.said());
        }
        assert!(finished.stderr.contains("\nhint: "), "{words:?}: {}", finished.said());
        assert!(self.listener.accept().is_err(), "{words:?}: the key was sent to a stranger");
        assert!(self.env.sim.api_calls().is_empty());
    }
}

#[test]
fn no_configuration_of_another_user_is_obeyed() {
    let stranger = Stranger::new();
    let (env, config) = (&stranger.env, &stranger.config);
    if !stranger.takes_home() {
        return skipped("a configuration of another user: only root can give one away");
    }
    let words = ["user 54321", "run this program as user 54321", config.to_str().unwrap()];
    for (variable, value) in [("HOME", env.path("home")), ("XDG_CONFIG_HOME", env.path("home/.config"))] {
        stranger.assert_refused(stranger.hook().env(variable, value), &words);
    }
    stranger.assert_refused(stranger.hook().env("IPV64_CONFIG", config), &words);
    let mut flag = env.command(programs::hook());
    stranger.assert_refused(flag.env_remove("IPV64_API_URL").arg("--config").arg(config).arg("account"), &words);
    // The folders are ours again, the file is not; then a link of the stranger leads to a good file.
    for folder in ["home", "home/.config", "home/.config/ipv64-acme"] {
        chown(env.path(folder), Some(0), None).unwrap();
    }
    stranger.assert_refused(stranger.hook().env("HOME", env.path("home")), &["belongs to user 54321", "`chown 0 /"]);
    chown(config, Some(0), None).unwrap();
    let link = env.path("link");
    symlink(config, &link).unwrap();
    lchown(&link, Some(STRANGER), None).unwrap();
    stranger.assert_refused(stranger.hook().env("IPV64_CONFIG", &link), &["is behind the link", "of user 54321"]);
    // A home without a configuration leads nowhere.
    fs::remove_file(config).unwrap();
    stranger.takes_home();
    let mut command = env.command(programs::hook());
    command.args(["present", NAME, VALUE]).env_remove("IPV64_CONFIG").env("HOME", env.path("home"));
    let finished = process::run(&mut command);
    assert!(finished.status.success() && finished.stderr.is_empty(), "{}", finished.said());
    assert_can_be_removed(env, VALUE, "a home of a stranger");
}

#[test]
fn no_configuration_that_others_can_change_is_obeyed() {
    let stranger = Stranger::new();
    let (config, folder) = (&stranger.config, stranger.config.parent().unwrap());
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let safe: [(&Path, u32); 3] = [(config, 0o644), (folder, 0o755), (folder.parent().unwrap(), 0o755)];
    for (path, mode) in [(config.as_path(), 0o664), (config, 0o646), (folder, 0o775), (safe[2].0, 0o777)] {
        safe.iter().for_each(|(path, mode)| set(path, *mode));
        set(path, mode);
        let mend = format!("chmod go-w {}`", path.display());
        for (variable, value) in [("IPV64_CONFIG", config.clone()), ("HOME", stranger.env.path("home"))] {
            stranger.assert_refused(stranger.hook().env(variable, value), &[&format!("mode {mode:o}"), &mend]);
        }
    }
    // A folder like /tmp, where nobody may touch what belongs to others.
    safe.iter().for_each(|(path, mode)| set(path, *mode));
    set(folder, 0o1777);
    fs::write(config, "").unwrap();
    let finished = process::run(stranger.env.command(programs::hook()).arg("account").env("IPV64_CONFIG", config));
    assert!(finished.status.success(), "{}", finished.said());
}

#[test]
fn no_certificates_of_another_user_are_trusted() {
    let stranger = Stranger::new();
    let path = stranger.env.path("ca.pem");
    fs::write(&path, "-----BEGIN CERTIFICATE-----\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let env = |command: &mut Command| process::run(command.env("IPV64_CA_FILE", &path));
    let finished = env(stranger.env.command(programs::hook()).arg("account"));
    assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
    assert!(finished.stderr.contains("mode 666") && finished.stderr.contains("chmod go-w"), "{}", finished.said());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    if chown(&path, Some(STRANGER), None).is_err() {
        return skipped("CA certificates of another user: only root can give them away");
    }
    let finished = env(stranger.env.command(programs::hook()).args(["present", NAME, VALUE]));
    assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
    assert!(finished.stderr.contains("belongs to user 54321"), "{}", finished.said());
    assert!(stranger.env.sim.api_calls().is_empty());
}

#[test]
fn init_stores_nothing_where_others_could_replace_it() {
    let stranger = Stranger::new();
    let folder = stranger.config.parent().unwrap();
    fs::remove_file(&stranger.config).unwrap();
    fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
    let init = |config: &Path| {
        stranger.assert_refused(
            stranger.env.command(programs::hook()).args(["init", "--stdin", "--config"]).arg(config),
            &["others can put another in its place"],
        );
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    };
    init(&stranger.config);
    init(&folder.join("new/folder/config.toml"));
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    if chown(folder, Some(STRANGER), None).is_ok() {
        init(&stranger.config);
    }
}

#[test]
fn what_init_stores_is_used_under_every_umask() {
    for umask in ["000", "002", "077"] {
        let env = hasty();
        let key = env.sim.key(0).unwrap();
        let config = "--config new/folder/config.toml";
        let script = format!("umask {umask}; unset IPV64_API_KEY; echo {key} | ipv64-acme init --stdin {config} >out");
        let finished = shell(&env, &format!("{script} && ipv64-acme {config} account"));
        assert!(finished.status.success(), "{umask}: {}", finished.said());
    }
}

/// Makes what stands in place of a file.
type Trap = fn(&TestEnvironment, &Path);

const TRAPS: [(&str, Trap); 4] = [
    ("a pipe", |env, path| {
        assert!(process::run(env.command("mkfifo").arg(path)).status.success());
    }),
    ("a device that never ends", |_, path| symlink("/dev/zero", path).unwrap()),
    ("a folder", |_, path| fs::create_dir(path).unwrap()),
    ("a file of 100 MB", |_, path| {
        let file = File::create(path).unwrap();
        file.set_len(100 << 20).unwrap();
        file.set_permissions(Permissions::from_mode(0o600)).unwrap();
    }),
];

#[test]
fn what_stands_in_place_of_a_file_of_the_administrator_is_named_at_once() {
    let (at, beside) = (|path: &Path| path.to_owned(), |path: &Path| path.parent().unwrap().to_owned());
    // The variable, what it names, the file's name there, and the exit code.
    type Place = (&'static str, fn(&Path) -> PathBuf, &'static str, i32);
    let places: [Place; 6] = [
        ("IPV64_CONFIG", at, "file", 2),
        ("IPV64_API_KEY_FILE", at, "file", 3),
        ("CREDENTIALS_DIRECTORY", beside, "ipv64-api-key", 3),
        ("IPV64_CA_FILE", at, "file", 2),
        ("SSL_CERT_FILE", at, "file", 2),
        ("XDG_CONFIG_HOME", |path| path.ancestors().nth(2).unwrap().to_owned(), "ipv64-acme/config.toml", 2),
    ];
    for (trap, set) in TRAPS {
        for (variable, value, name, code) in places {
            let mut env = hasty();
            env.set("IPV64_API_KEY", if code == 3 { "" } else { "0123456789abcdef" });
            let path = env.path("trap").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            set(&env, &path);
            let mut command = env.command(programs::hook());
            if variable == "XDG_CONFIG_HOME" {
                command.env_remove("IPV64_CONFIG");
            }
            let finished = process::run(command.args(["present", NAME, VALUE]).env(variable, value(&path)));
            let context = format!("{trap} as {variable}");
            assert_eq!(finished.status.code(), Some(code), "{context}: {}", finished.said());
            assert!(
                finished.stderr.contains(name) && finished.stderr.contains("hint: "),
                "{context}: {}",
                finished.said()
            );
            assert!(env.sim.api_calls().is_empty(), "{context}");
        }
    }
}

#[test]
fn nothing_in_a_folder_of_certificates_is_read_without_end() {
    let mut env = hasty();
    let folder = env.path("certificates");
    fs::create_dir(&folder).unwrap();
    env.set("SSL_CERT_DIR", &format!("/nonexistent:{}", folder.display()));
    env.set("SSL_CERT_FILE", "/no-cert-file.crt");
    for (trap, set) in TRAPS {
        let path = folder.join("0123abcd.0");
        set(&env, &path);
        let finished = env.run(&["account"]);
        let code = if trap.contains("MB") { 2 } else { 0 };
        assert_eq!(finished.status.code(), Some(code), "{trap}: {}", finished.said());
        fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
    }
}

/// An engine hands secrets in with the mode 0444: nobody else is in there. Anywhere else that mode is refused.
#[test]
fn a_key_file_that_all_may_read_is_taken_where_an_engine_has_put_it() {
    let env = TestEnvironment::new();
    let key = env.sim.key(0).unwrap();
    let hook = programs::hook().display().to_string();
    let folder = env.path("folder").display().to_string();
    let run = |place: &str, before: &str, after: &str| {
        let write = format!("mkdir -p {place}; printf %s {key} >{place}/key; chmod 444 {place}/key");
        let script = format!("{before}; {write}; {after}; IPV64_API_KEY_FILE={place}/key exec {hook} account");
        let mut command = env.command(programs::system("unshare"));
        command.args(["--mount", "--map-root-user", "sh", "-euc", &script]).env_remove("IPV64_API_KEY");
        process::run(&mut command)
    };
    let refused = run(&folder, ":", ":");
    if refused.stderr.starts_with("unshare:") {
        return skipped("a key file of a container: needs `unshare --mount`");
    }
    assert_eq!(refused.status.code(), Some(3), "{}", refused.said());
    assert!(refused.stderr.contains("hint: run `chmod 600 "), "{}", refused.said());
    let read_only = format!("mount -o remount,ro,bind {folder}");
    // A service that may write nothing (systemd's ProtectSystem=strict) sees the system read-only, and others are there.
    if fs::metadata(env.path("")).unwrap().dev() == fs::metadata("/").unwrap().dev() {
        let system = run(&folder, ":", &format!("mount --bind {folder} {folder}; {read_only}"));
        assert_eq!(system.status.code(), Some(3), "{}", system.said());
    }
    let mounted = format!("mkdir -p {folder}; mount -t tmpfs none {folder}");
    let places = [("/run/secrets", "mount -t tmpfs none /run", ":"), (&folder, mounted.as_str(), read_only.as_str())];
    for (place, before, after) in places {
        let finished = run(place, before, after);
        assert_eq!(finished.status.code(), Some(0), "{place}: {}", finished.said());
    }
}
