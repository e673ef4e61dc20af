//! Everything one run of an ACME client needs: a simulated IPv64, a CA that asks its servers, and folders of its own.
//! What the client is called with stands in `crate::clients`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use ipv64_acme::sim::{Config, Limits, Sim};
use tempfile::TempDir;

use super::pebble::Pebble;
use super::process::{self, Finished};
use super::programs;

/// One simulated world; nothing of it is left when the value is dropped.
pub(crate) struct Stage {
    pub(crate) sim: Sim,
    pub(crate) pebble: Pebble,
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Stage {
    /// Starts the simulation and a CA whose resolver is the simulation's `ca`.
    pub(crate) fn start(config: Config) -> Self {
        let sim = Sim::start(config).unwrap();
        let pebble = Pebble::start(sim.addresses("ca")[0]);
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", "home"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut variables = sim.env();
        // The simulation has no limits until `enforce_limits`: without them most tests need not wait for a window.
        variables.push(("IPV64_API_RATE".to_owned(), "100/1".to_owned()));
        // Should a test leave no name server to ask, the hook must not turn to one outside.
        variables.push(("IPV64_DOH".to_owned(), "off".to_owned()));
        let stage = Self { sim, pebble, folder, variables };
        stage.put_into_path("ipv64-acme", &programs::hook());
        stage
    }

    /// Returns a path below the folder of this run.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Makes a program callable by a name of its own.
    pub(crate) fn put_into_path(&self, name: &str, program: &Path) {
        symlink(program, self.path("bin").join(name)).unwrap();
    }

    /// Makes a shell script callable by a name.
    pub(crate) fn put_script_into_path(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Returns a command that sees nothing of the environment of the tests, and all of the simulation's.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path("home"))
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", self.path("bin").display()))
            .env("HOME", self.path("home"))
            // Some clients leave their temporary files behind.
            .env("TMPDIR", self.path("home"))
            .env("IPV64_STATE_DIR", self.path("state"))
            .envs(self.variables.iter().cloned());
        command
    }

    /// Gives every later command a variable, in place of the simulation's of the same name.
    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Lets the simulation refuse what is too much for an account, and the hook keep its default rate.
    pub(crate) fn enforce_limits(&mut self) {
        self.sim.set_limits(Limits::standard());
        self.variables.retain(|(name, _)| name != "IPV64_API_RATE");
    }

    /// Returns a variable as later commands see it.
    pub(crate) fn variable(&self, name: &str) -> String {
        let mut variables = self.variables.iter().rev();
        variables.find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// Sends a signal, named as for `kill`, to the hook that a client on this stage has called.
    ///
    /// Other tests run the same program at the same time: ours is the one with our state directory.
    pub(crate) fn signal_hook(&self, signal: &str) {
        let ours = format!("IPV64_STATE_DIR={}\0", self.path("state").display());
        let is_ours = |process: &PathBuf| {
            let runs_hook = fs::read_link(process.join("exe")).is_ok_and(|program| program == programs::hook());
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            runs_hook && String::from_utf8_lossy(&environment).contains(&ours)
        };
        let mut processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let hook = processes.find(is_ours).expect("no hook is running");
        assert!(process::signal(hook.file_name().unwrap().to_str().unwrap(), signal));
    }

    /// Runs shell commands, as a page of the documentation shows them, with further variables.
    pub(crate) fn shell(&self, script: &str, variables: &[(&str, String)]) -> Finished {
        let mut shell = self.command("/bin/sh");
        process::run(shell.args(["-eu", "-c", script]).envs(variables.iter().cloned()))
    }
}
