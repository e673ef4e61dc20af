//! A simulated IPv64 and the binary next to it, called by a test in the place of an ACME client.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ipv64_acme::sim::{Config, Sim};
use tempfile::TempDir;

use crate::support::process::Finished;
use crate::support::programs;

/// One simulated world with a state directory of its own.
pub(crate) struct World {
    pub(crate) sim: Sim,
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl World {
    /// Starts a world whose name servers follow at once.
    pub(crate) fn start() -> Self {
        Self::with(Config::with_delays(&[Duration::ZERO, Duration::ZERO]))
    }

    pub(crate) fn with(config: Config) -> Self {
        let sim = Sim::start(config).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        let mut variables = sim.env();
        variables.push(("IPV64_STATE_DIR".to_owned(), folder.path().join("state").display().to_string()));
        // The request window has tests of its own, and so has the long run of answers at a first contact with a server; here
        // they would only take time.
        variables.push(("IPV64_API_RATE".to_owned(), "1000/1".to_owned()));
        variables.push(("IPV64_CONFIRMATIONS".to_owned(), "1".to_owned()));
        Self { sim, folder, variables }
    }

    /// Gives every later call a variable, in place of an earlier one of the same name.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Returns a command that sees of the environment only what this world gives it.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let hook = programs::hook();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", hook.parent().unwrap().display()))
            .current_dir(self.path("home"))
            .envs(self.variables.iter().cloned());
        command
    }

    /// Calls the hook with arguments.
    pub(crate) fn hook(&self, args: &[&str]) -> Finished {
        self.run(self.command(&programs::hook()).args(args), "")
    }

    /// Runs a command with a text on its stdin.
    pub(crate) fn run(&self, command: &mut Command, stdin: &str) -> Finished {
        let input = self.path("stdin");
        fs::write(&input, stdin).unwrap();
        let output = command.stdin(Stdio::from(File::open(&input).unwrap())).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Finished { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Returns the TXT records that stand at the moment, as `NAME VALUE`, sorted.
    pub(crate) fn records(&self) -> Vec<String> {
        let mut records: Vec<_> = self
            .sim
            .records_left()
            .iter()
            .map(|record| format!("{} {}", record.name(), record.content.trim_matches('"')))
            .collect();
        records.sort();
        records
    }
}
