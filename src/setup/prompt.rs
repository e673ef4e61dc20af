//! A secret from the terminal: what is typed is not shown, and a signal leaves the terminal as it was.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::termios::{self, OptionalActions, Termios};

use super::SetupError;

/// How often the wait for a line checks whether a signal has come.
const TICK: Duration = Duration::from_millis(50);

/// Gives the terminal its settings back when the value is dropped: the thread that reads may never come to it.
struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0).ok();
    }
}

/// Asks a question on the terminal and reads one line without showing it.
///
/// # Errors
/// [`SetupError::Interrupted`] after a signal, at Ctrl-C and at the end of input, [`SetupError::Unreadable`] if there is no
/// terminal.
pub fn read_hidden(interrupted: &AtomicBool, question: String) -> Result<String, SetupError> {
    let _restore = Restore(termios::tcgetattr(io::stdin()).map_err(|error| SetupError::Unreadable(error.into()))?);
    let (sender, answer) = channel();
    // A read(2) is not ended by the signals that this program watches, so somebody else does the reading.
    let read = move || sender.send(rpassword::prompt_password(question)).ok();
    std::thread::Builder::new().spawn(read).map_err(SetupError::Unreadable)?;
    loop {
        match answer.recv_timeout(TICK) {
            Ok(Ok(line)) if line.is_empty() => return Err(SetupError::Interrupted),
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::UnexpectedEof) => {
                return Err(SetupError::Interrupted);
            }
            Ok(read) => return read.map_err(SetupError::Unreadable),
            Err(RecvTimeoutError::Timeout) if !interrupted.load(Ordering::Relaxed) => {}
            Err(_) => return Err(SetupError::Interrupted),
        }
    }
}
