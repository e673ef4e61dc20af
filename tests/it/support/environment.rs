//! A simulated IPv64 and a place to call the binary from, with nothing of the tests' own environment.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::Command;

use ipv64_acme::sim::{CallKind, Config, Sim};
use serde_json::Value;
use tempfile::TempDir;

use super::process::{self, Finished};
use super::programs;

/// One simulated account with a state folder of its own.
pub(crate) struct TestEnvironment {
    pub(crate) sim: Sim,
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl TestEnvironment {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let sim = Sim::start(config).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let variables = sim.env();
        let mut env = Self { sim, folder, variables };
        // Only tests of the request window want to wait for it.
        env.set("IPV64_API_RATE", "1000/1");
        env
    }

    /// Gives every later command a variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let binary = programs::hook();
        let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("IPV64_CONFIG", self.empty_config())
            .env("IPV64_STATE_DIR", self.path("state"))
            .envs(self.variables.iter().cloned());
        command
    }

    /// A configuration file of this env's own, so that one of the machine is not read.
    fn empty_config(&self) -> PathBuf {
        let path = self.path("empty.toml");
        if !path.exists() {
            std::fs::write(&path, "").unwrap();
        }
        path
    }

    pub(crate) fn run(&self, args: &[&str]) -> Finished {
        process::run(self.command(programs::hook()).args(args))
    }

    /// Runs a command as a user without rights and without a home: as `nobody` if the tests run as root.
    pub(crate) fn run_without_home(&self, args: &[&str]) -> Finished {
        let program = self.path("ipv64-acme");
        std::fs::copy(programs::hook(), &program).unwrap();
        // Nobody else than the owner may look into a temporary folder.
        std::fs::set_permissions(self.path(""), Permissions::from_mode(0o755)).unwrap();
        let mut command = match is_root() {
            true => self.command(programs::system("setpriv")),
            false => self.command(&program),
        };
        if is_root() {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        }
        process::run(command.args(args).env_remove("HOME").env_remove("IPV64_STATE_DIR"))
    }

    /// Runs a command as `nobody` with a home that only root may look into; as the present user if that is not root.
    pub(crate) fn run_as_nobody_in_the_home_of_another(&self, args: &[&str]) -> Finished {
        let program = self.path("ipv64-acme");
        std::fs::copy(programs::hook(), &program).unwrap();
        std::fs::set_permissions(self.path(""), Permissions::from_mode(0o755)).unwrap();
        let home = self.path("home");
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, Permissions::from_mode(if is_root() { 0o700 } else { 0o000 })).unwrap();
        let mut command = match is_root() {
            true => self.command(programs::system("setpriv")),
            false => self.command(&program),
        };
        if is_root() {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        }
        process::run(command.args(args).env("HOME", home).env_remove("IPV64_CONFIG").env_remove("IPV64_STATE_DIR"))
    }

    /// Runs a command that has to succeed, and returns its stdout. It may say nothing on stderr.
    pub(crate) fn succeed(&self, args: &[&str]) -> String {
        let finished = self.run(args);
        assert!(finished.status.success(), "{args:?}: {}", finished.said());
        assert_eq!(finished.stderr, "", "{args:?}");
        finished.stdout
    }

    /// Runs a command that has to succeed and may warn, and returns its stderr.
    pub(crate) fn succeed_with_warning(&self, args: &[&str]) -> String {
        let finished = self.run(args);
        assert!(finished.status.success(), "{args:?}: {}", finished.said());
        finished.stderr
    }

    /// Runs a command with `--json` that has to succeed; its stdout has to be one document on one line.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let stdout = self.succeed(&[args, &["--json"]].concat());
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        serde_json::from_str(&stdout).unwrap()
    }

    /// Runs a command that has to fail with this exit code, and returns its stderr.
    pub(crate) fn fail(&self, args: &[&str], code: i32) -> String {
        let finished = self.run(args);
        assert_eq!(finished.status.code(), Some(code), "{args:?}: {}", finished.said());
        assert_eq!(finished.stdout, "", "{args:?}");
        finished.stderr
    }

    /// The calls that the API saw since the last time.
    pub(crate) fn calls(&self) -> Vec<CallKind> {
        let calls = self.sim.api_calls().iter().filter_map(|call| call.call).collect();
        self.sim.clear_logs();
        calls
    }
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The fields of an object, sorted.
pub(crate) fn fields(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
