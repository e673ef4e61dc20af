//! Asking back before something that cannot be undone.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::context::Context;
use crate::cli::CliError;

/// How often the wait for an answer looks whether a signal has come.
const TICK: Duration = Duration::from_millis(50);

/// Returns whether there is a person to ask.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks; anything but `y` and `yes` is a no, and so are the end of input and a signal.
///
/// # Errors
/// [`CliError::Declined`]
pub(super) fn confirm(context: &Context, question: &str) -> Result<(), CliError> {
    context.report().question(&format!("{question} [y/N]"));
    let (sender, answer) = channel();
    // A read(2) is not ended by the signals that this program watches, so somebody else does the reading.
    let read = move || {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).ok();
        sender.send(line).ok();
    };
    // Without a thread nobody reads the answer, and that is a no.
    std::thread::Builder::new().spawn(read).ok();
    loop {
        match answer.recv_timeout(TICK) {
            Ok(line) if matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes") => return Ok(()),
            Err(RecvTimeoutError::Timeout) if !context.interrupted().load(Ordering::Relaxed) => {}
            _ => return Err(CliError::Declined),
        }
    }
}
