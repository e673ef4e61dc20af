//! Ends soon after a signal, whatever is under way: a request that nobody answers may take half a minute to time out,
//! and systemd or an impatient user does not wait for that.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::context::Context;
use crate::error::{Context as _, Error, Result};
use crate::order::Call;
use crate::report::ProgressReporter;
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
    let (sender, done) = channel();
    let (shared, asked) = (Arc::clone(context), call.clone());
    let work = move || {
        let events = ProgressReporter::new(shared.report);
        let result = work(&asked, &shared.solver(&events));
        // What it has drawn goes before anything else is printed.
        drop(events);
        sender.send(result).ok();
    };
    std::thread::Builder::new()
        .spawn(work)
        .context("cannot start a thread: is there a limit on processes (`ulimit -u`)?")?;
    let mut told = None;
    loop {
        match done.recv_timeout(TICK) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) if !context.interrupted.load(Ordering::Relaxed) => {}
            Err(RecvTimeoutError::Timeout) if told.get_or_insert_with(Instant::now).elapsed() < GRACE => {}
            Err(_) => {
                let events = ProgressReporter::new(context.report);
                return Err(Error::from(context.solver(&events).interruption(call, &[])).into());
            }
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
