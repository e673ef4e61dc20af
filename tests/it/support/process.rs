//! Runs a program to its end, with a limit, and keeps all it said.
//! Which program, and with what environment, is up to the caller.

use std::fs::File;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take. Far above what any test needs: it only keeps a hanging run from hanging for ever.
const LIMIT: Duration = Duration::from_secs(180);
/// The pause between two looks at a running program.
const LOOK: Duration = Duration::from_millis(10);

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Returns everything the program said, for the message of a failed assertion.
    pub(crate) fn said(&self) -> String {
        format!("{}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}

/// Sends a signal, named as for `kill`, to a process; returns whether there was one. By the shell, which has it built in: the
/// program is in a package that a small system does not have.
pub(crate) fn signal(process: &str, signal: &str) -> bool {
    run(Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, process])).status.success()
}

/// Runs a command without input until it ends. Output goes through files: no pipe can fill up, and a process
/// that outlives the command cannot hold the test.
pub(crate) fn run(command: &mut Command) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("stdout"), folder.path().join("stderr"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", command.get_program().display()));
    let read = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let until = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{command:?} did not end within {LIMIT:?}\n{}\n{}", read(&out), read(&err));
        }
        std::thread::sleep(LOOK);
    };
    Finished { status, stdout: read(&out), stderr: read(&err) }
}
