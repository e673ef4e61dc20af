//! Ends soon after a signal, whatever is under way: a request that nobody answers may take half a minute to time out,
//! and systemd or an impatient user does not wait for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::context::{Context, watch_signals};
use crate::error::{Context as _, Error, Kind, Result};
use crate::exit::Exit;
use crate::order::Call;
use crate::report::{ProgressReporter, Report};
use crate::solver::Solver;

/// How long the work may take to end by itself, so that it can put its affairs in order.
const GRACE: Duration = Duration::from_millis(1500);
/// How often the wait checks whether a signal has come.
const TICK: Duration = Duration::from_millis(50);

/// Does work that ends by itself at a signal, but not always at once. If it takes too long it is left to die with the
/// process, and the error says what is open.
///
/// # Errors
/// That of the work, or [`crate::solver::Interrupted`].
pub(super) fn run_stoppable<T: Send + 'static, E: From<Error> + Send + 'static>(
    context: &Arc<Context>,
    call: &Call,
    work: impl FnOnce(&Call, &Solver<'_>) -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let (shared, asked) = (Arc::clone(context), call.clone());
    let work = move || {
        let events = ProgressReporter::new(shared.report);
        let result = work(&asked, &shared.solver(&events));
        // What it has drawn goes before anything else is printed.
        drop(events);
        result
    };
    end_at_signal(&context.interrupted, work)?.unwrap_or_else(|| {
        let events = ProgressReporter::new(context.report);
        Err(Error::from(context.solver(&events).interruption(call, &[])).into())
    })
}

/// Runs a command for people, which ends soon after a signal; `open` says what is then unknown, and how to find out.
pub(super) fn run_command(report: Report, open: &str, work: impl FnOnce() -> Exit + Send + 'static) -> Exit {
    let done = watch_signals().and_then(|interrupted| end_at_signal(&interrupted, work));
    let interrupted = || Error::new(Kind::Interrupted, "interrupted before there was an answer").advise(open);
    done.and_then(|exit| exit.ok_or_else(interrupted)).unwrap_or_else(|error| report.error(&error))
}

/// Does work, and leaves it to die with the process if it goes on for too long after a signal; nothing then.
pub(super) fn end_at_signal<T: Send + 'static>(
    interrupted: &AtomicBool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>> {
    let (sender, done) = channel();
    std::thread::Builder::new()
        .spawn(move || sender.send(work()).ok())
        .context("cannot start a thread: is there a limit on processes (`ulimit -u`)?")?;
    let mut told = None;
    loop {
        match done.recv_timeout(TICK) {
            Ok(result) => return Ok(Some(result)),
            Err(RecvTimeoutError::Timeout) if !interrupted.load(Ordering::Relaxed) => {}
            Err(RecvTimeoutError::Timeout) if told.get_or_insert_with(Instant::now).elapsed() < GRACE => {}
            Err(_) => return Ok(None),
        }
    }
}

/// Removes what earlier calls have left behind, once the result of this one was told: neither a signal nor an error
/// changes that result any more.
pub(super) fn clear_leftovers(context: &Arc<Context>, call: &Call) {
    let cleared: Result<()> = run_stoppable(context, call, |call, solver| {
        solver.clear_leftovers(call);
        Ok(())
    });
    // Cut short by a signal: the journal has what is left.
    cleared.ok();
    context.tell_warnings();
}
