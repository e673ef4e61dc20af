//! Threads that end together: a stop signal that interrupts every pause, and the crew that is joined at the end.
//! What the threads do is elsewhere.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The stack of each thread: there are dozens of them, and none goes deep.
const STACK: usize = 512 * 1024;

/// Locks a mutex. What a panicked thread left behind is still the best there is: the simulator is for tests, and the
/// panic is reported by its own thread.
pub(super) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says when to stop, and wakes those who pause.
#[derive(Debug, Default)]
pub(super) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Whether the simulation has ended.
    pub(super) fn is_set(&self) -> bool {
        *hold(&self.stopped)
    }

    /// Waits; returns early, and true, when the simulation ends meanwhile.
    pub(super) fn pause(&self, length: Duration) -> bool {
        let end = Instant::now() + length;
        let mut stopped = hold(&self.stopped);
        while !*stopped {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            stopped = self.changed.wait_timeout(stopped, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn set(&self) {
        *hold(&self.stopped) = true;
        self.changed.notify_all();
    }
}

type Wake = Box<dyn Fn() + Send>;

/// All threads of one simulation.
#[derive(Default)]
pub(super) struct Crew {
    stop: Stop,
    wakes: Mutex<Vec<Wake>>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Crew {
    /// The signal that the threads look at.
    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Starts a thread. Once the simulation has ended, or where the system has no thread to give, nothing is started:
    /// the peer sees a closed connection or silence.
    pub(super) fn spawn(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) {
        let mut handles = hold(&self.handles);
        handles.retain(|handle| !handle.is_finished());
        if self.stop.is_set() {
            return;
        }
        if let Ok(handle) = std::thread::Builder::new().name("sim".into()).stack_size(STACK).spawn(work) {
            handles.push(handle);
        }
    }

    /// Notes how to wake a thread that waits on a socket.
    pub(super) fn on_stop(&self, wake: impl Fn() + Send + 'static) {
        hold(&self.wakes).push(Box::new(wake));
    }

    /// Ends all threads and waits for them, so that their ports are free afterwards.
    pub(super) fn end(&self) {
        self.stop.set();
        for wake in hold(&self.wakes).drain(..) {
            wake();
        }
        loop {
            let Some(handle) = hold(&self.handles).pop() else { return };
            // A thread that panicked has told so itself.
            let _ = handle.join();
        }
    }
}
