//! A secret from the terminal: what is typed is not shown, and a signal leaves the terminal as it was.

use std::io::{self, BufRead as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};

use super::SetupError;

/// How often the wait for a line looks whether a signal has come.
const TICK: Duration = Duration::from_millis(50);

/// A terminal that does not show what is typed, until the value is dropped.
struct Quiet(Termios);

impl Quiet {
    fn start() -> io::Result<Self> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        // The line end is shown all the same, so that the next output begins a line.
        quiet.local_modes.insert(LocalModes::ECHONL);
        // Ctrl-Z and Ctrl-\ would end or stop the program at once and leave the terminal silent: 0 takes them away
        // (termios(3), _POSIX_VDISABLE). Ctrl-C stays.
        for key in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VQUIT] {
            quiet.special_codes[key] = 0;
        }
        termios::tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0).ok();
    }
}

/// Reads one line from the terminal without showing it; `ask` prints the question once nothing is shown any more.
///
/// # Errors
/// [`SetupError::Interrupted`] after a signal and at the end of input, [`SetupError::Unreadable`] if stdin is no terminal.
pub fn read_hidden(interrupted: &AtomicBool, ask: impl FnOnce()) -> Result<String, SetupError> {
    let _quiet = Quiet::start().map_err(SetupError::Unreadable)?;
    ask();
    let (sender, answer) = channel();
    // A read(2) is not ended by the signals that this program watches, so somebody else does the reading.
    let read = move || {
        let mut line = String::new();
        sender.send(io::stdin().lock().read_line(&mut line).map(|_| line)).ok();
    };
    std::thread::Builder::new().spawn(read).map_err(SetupError::Unreadable)?;
    loop {
        match answer.recv_timeout(TICK) {
            Ok(Ok(line)) if line.is_empty() => return Err(SetupError::Interrupted),
            Ok(read) => return read.map_err(SetupError::Unreadable),
            Err(RecvTimeoutError::Timeout) if !interrupted.load(Ordering::Relaxed) => {}
            Err(_) => return Err(SetupError::Interrupted),
        }
    }
}
