//! Work beside other work: in a thread of its own, or at once where none can be had. A limit on tasks makes `doctor` slower,
//! and does not end it.

use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Work that was begun.
pub enum Begun<'scope, T> {
    /// In a thread.
    Running(ScopedJoinHandle<'scope, T>),
    /// There was no thread, so it is done.
    Done(T),
}

/// Begins work in a scope. It can be copied since it only borrows: where a thread fails to start, its copy of the work is
/// lost.
pub fn begin<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl Fn() -> T + Copy + Send + 'scope,
) -> Begun<'scope, T> {
    Builder::new().spawn_scoped(scope, work).map_or_else(|_| Begun::Done(work()), Begun::Running)
}

impl<T> Begun<'_, T> {
    /// Waits for the end of the work; nothing if it has panicked.
    pub fn end(self) -> Option<T> {
        match self {
            Self::Running(thread) => thread.join().ok(),
            Self::Done(result) => Some(result),
        }
    }
}
