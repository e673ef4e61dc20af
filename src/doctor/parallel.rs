//! Several checks at once, in threads that end with the call. Where the system gives no thread the check fails and says so.

use std::io;
use std::thread::{Builder, ScopedJoinHandle, scope};

/// Does two things at once.
///
/// # Errors
/// The system's, if it gives no thread.
pub fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> io::Result<(A, B)> {
    scope(|scope| {
        let one = Builder::new().spawn_scoped(scope, one)?;
        let other = other();
        Ok((end(one)?, other))
    })
}

/// Does the same with each of several things at once.
///
/// # Errors
/// As [`both`].
pub fn each<I: Send, T: Send>(things: impl IntoIterator<Item = I>, work: impl Fn(I) -> T + Sync) -> io::Result<Vec<T>> {
    let work = &work;
    scope(|scope| {
        let begin = |thing| Builder::new().spawn_scoped(scope, move || work(thing));
        let begun = things.into_iter().map(begin).collect::<io::Result<Vec<_>>>()?;
        begun.into_iter().map(end).collect()
    })
}

fn end<T>(thread: ScopedJoinHandle<'_, T>) -> io::Result<T> {
    thread.join().map_err(|_| io::Error::other("a check has panicked"))
}
