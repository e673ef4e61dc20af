//! Commands on a terminal of their own, made by script(1): one of a test environment, or a shell that is typed into line by line, of which
//! is kept what a person would see. What is typed, and what is expected, stands in the tests.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::environment::TestEnvironment;
use super::process::{self, Finished};

/// How long a command may take; far above what any needs.
const LIMIT: Duration = Duration::from_secs(180);
/// The pause between two looks at the screen.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a shell command of a test environment on a terminal where nothing is typed.
pub(crate) fn watch(env: &TestEnvironment, command: &str) -> Finished {
    shell(env, &format!(": | script --quiet --return --command '{command}' /dev/null"))
}

/// Runs a shell command of a test environment on a terminal. Once the question is there, the shell command `typing` types.
pub(crate) fn answer(env: &TestEnvironment, command: &str, question: &str, typing: &str) -> Finished {
    // A terminal that hangs up would end the command too.
    let typed = format!(
        "(until grep -qsF '{question}' seen; do sleep 0.05; done; {typing}; until [ -e ended ]; do sleep 0.05; done)"
    );
    let command = format!("{command}; status=$?; : >ended; exit $status");
    shell(env, &format!("{typed} | script --quiet --return --flush --command '{command}' seen"))
}

fn shell(env: &TestEnvironment, script: &str) -> Finished {
    for file in ["seen", "ended"] {
        let _ = fs::remove_file(env.path(file));
    }
    process::run(env.command("/bin/sh").args(["-c", script]).env("SHELL", "/bin/sh").env("TERM", "xterm"))
}

/// A running shell; it ends with the value.
pub(crate) struct Terminal {
    script: Child,
    folder: TempDir,
    prompt: &'static str,
}

impl Terminal {
    /// Starts `shell`, a line for sh(1) that becomes a shell with this prompt, in the surroundings of `command`, which has
    /// to be sh(1).
    pub(crate) fn start(mut command: Command, shell: &str, prompt: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let seen = folder.path().join("seen");
        let inside = format!("stty cols 100 rows 40; {shell}");
        command.args(["-c", "exec script --quiet --flush --command \"$1\" \"$2\"", "sh", &inside]).arg(seen);
        // Without a line editor, what is typed is shown as it is typed.
        command.env("TERM", "xterm").env("SHELL", "/bin/sh").env("PS1", prompt).env("PS2", "");
        let script = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let terminal = Self { script, folder, prompt };
        terminal.wait_until(|screen| screen == prompt);
        terminal
    }

    /// Types a command, and returns what it printed when the prompt is back.
    pub(crate) fn run(&mut self, line: &str) -> String {
        let before = self.type_line(line);
        self.answer(&before)
    }

    /// Types a command that asks `question`, types the answer, and returns all that was printed.
    pub(crate) fn run_and_answer(&mut self, line: &str, question: &str, answer: &str) -> String {
        let before = self.type_line(line);
        self.wait_until(|screen| screen.strip_prefix(&before).is_some_and(|printed| printed.contains(question)));
        self.type_text(&format!("{answer}\n"));
        self.answer(&before)
    }

    /// Returns everything on the screen, from the first prompt on.
    pub(crate) fn screen(&self) -> String {
        // The first line is script's own.
        let seen = fs::read(self.folder.path().join("seen")).unwrap_or_default();
        let seen = String::from_utf8_lossy(&seen).into_owned();
        shown(seen.split_once('\n').map_or("", |(_, rest)| rest))
    }

    fn type_text(&mut self, text: &str) {
        self.script.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Types a line, and returns the screen with it.
    fn type_line(&mut self, line: &str) -> String {
        let typed = format!("{}{line}\n", self.screen());
        self.type_text(&format!("{line}\n"));
        typed
    }

    fn answer(&self, before: &str) -> String {
        let screen = self.wait_until(|screen| {
            screen
                .strip_prefix(before)
                .is_some_and(|it| it == self.prompt || it.ends_with(&format!("\n{}", self.prompt)))
        });
        screen[before.len()..screen.len() - self.prompt.len()].to_owned()
    }

    fn wait_until(&self, is_there: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + LIMIT;
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(Instant::now() < until, "nothing more came after:\n{screen}");
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The end of its input hangs the terminal up, and with it the shell.
        drop(self.script.stdin.take());
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

/// What stays on the screen of so many octets: lines that were taken back are gone (ECMA-48 CPL and ED), colours too.
fn shown(written: &str) -> String {
    let mut lines = vec![String::new()];
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' => lines.push(String::new()),
            // Back to the start of the line, to write another over it.
            '\r' if !rest.starts_with(['\r', '\n']) => lines.last_mut().unwrap().clear(),
            '\u{1b}' => rest = control(rest, &mut lines),
            c if c.is_control() => {}
            c => lines.last_mut().unwrap().push(c),
        }
    }
    lines.join("\n")
}

/// Does what a control sequence says, as far as it matters here, and returns what follows it.
fn control<'a>(rest: &'a str, lines: &mut Vec<String>) -> &'a str {
    let Some(rest) = rest.strip_prefix('[') else { return rest };
    let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) else { return "" };
    if rest[end..].starts_with('F') {
        // What follows erases from there on.
        let up = rest[..end].parse().unwrap_or(1);
        lines.truncate(lines.len().saturating_sub(up + 1));
        lines.push(String::new());
    }
    &rest[end + 1..]
}

#[test]
fn lines_that_were_taken_back_are_not_shown() {
    assert_eq!(shown("5%\r100%\r\n"), "100%\n");
    assert_eq!(shown("$ a\r\none\r\ntwo\r\n\u{1b}[2F\u{1b}[Jthree\r\n\u{1b}[1mbold\u{1b}[0m"), "$ a\nthree\nbold");
}
