//! Questions to the person at the terminal. A signal ends the wait for the answer, and leaves the terminal as it was.

use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::termios::{self, LocalModes, OptionalActions, Termios};

use super::{interrupted, unreadable};
use crate::error::Result;

/// How often the wait for an answer checks whether a signal has come.
const TICK: Duration = Duration::from_millis(50);

/// Gives the terminal its settings back when the value is dropped: the thread that reads may never come to it.
struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0).ok();
    }
}

/// Returns whether there is a person to ask.
#[must_use]
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Reads from stdin whether somebody agrees; anything but `y` and `yes` is a no, and so are the end of input and a signal.
#[must_use]
pub fn agrees(interrupted: &AtomicBool) -> bool {
    let line = answer(interrupted, || {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = line.and_then(std::result::Result::ok).unwrap_or_default();
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Asks a question on the terminal and reads one line without showing it.
///
/// # Errors
/// After a signal, at Ctrl-C and at the end of input, and if there is no terminal.
pub fn read_hidden(signal: &AtomicBool, question: String) -> Result<String> {
    let mut silent = termios::tcgetattr(io::stdin()).map_err(|error| unreadable(&error.into()))?;
    let _restore = Restore(silent.clone());
    // Before the question is there: what is typed or pasted at once would be shown.
    silent.local_modes.remove(LocalModes::ECHO);
    termios::tcsetattr(io::stdin(), OptionalActions::Now, &silent).map_err(|error| unreadable(&error.into()))?;
    match answer(signal, move || rpassword::prompt_password(question)) {
        Some(Ok(line)) if !line.is_empty() => Ok(line),
        Some(Err(error)) if !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::UnexpectedEof) => {
            Err(unreadable(&error))
        }
        _ => Err(interrupted()),
    }
}

/// Waits for what somebody types. A read(2) is not ended by the signals that this program watches, so another thread does the
/// reading; without a thread nobody reads, which is no answer.
fn answer<T: Send + 'static>(
    interrupted: &AtomicBool,
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Option<io::Result<T>> {
    let (sender, answer) = channel();
    std::thread::Builder::new().spawn(move || sender.send(read()).ok()).ok()?;
    loop {
        match answer.recv_timeout(TICK) {
            Ok(read) => return Some(read),
            Err(RecvTimeoutError::Timeout) if !interrupted.load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
    }
}
