//! IPv64 does not answer: who asks is told so at once, one call in half a minute tries whether it does again, and where nobody
//! at all was met a connection without a request tells that sooner.

use std::net::TcpStream;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Answer, Engine, SOON};
use crate::api::ApiError;
use crate::error::{Error, Kind};
use crate::http::look_up;
use crate::state::LimitError;
use crate::time::SystemClock;

/// Between two probes, and how long one may take.
const PROBE: Duration = Duration::from_secs(2);
/// A probe that has said "reachable" in this time before a call met nobody is not believed again.
const DISBELIEVED: Duration = Duration::from_secs(60);

/// Whether IPv64 can be reached, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The last call met nobody.
    is_unreachable: bool,
    /// When a probe last ended an outage.
    probed_at: Option<Instant>,
    /// A call tries whether an outage has ended.
    is_tried: bool,
}

impl Engine {
    fn reach(&self) -> MutexGuard<'_, Reach> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure that nobody is trying whether an outage has ended, which can take as long as a call.
    ///
    /// # Errors
    /// [`LimitError::Down`]
    pub(super) fn check_reach(&self) -> Result<(), LimitError> {
        if !self.reach().is_tried {
            return Ok(());
        }
        let now = SystemClock::now();
        Err(LimitError::Down { since: self.is_down().unwrap_or(now), next: now + SOON })
    }

    /// Makes a call, which is a try where there is an outage.
    pub(super) fn try_out<T>(&self, call: impl FnOnce() -> T) -> T {
        let is_down = self.is_down().is_some();
        self.reach().is_tried = is_down;
        let done = call();
        self.reach().is_tried = false;
        done
    }

    /// Notes that a call got no answer: it was tried often enough for all. Who still waits for one is told so.
    pub(super) fn note_outage(&self, error: &Error) {
        if !error.find().is_some_and(ApiError::is_no_answer) || self.is_stopping() {
            return;
        }
        let mut reach = self.reach();
        let is_believed = reach.probed_at.is_none_or(|at| at.elapsed() >= DISBELIEVED);
        reach.is_unreachable = error.kind() == Kind::Unreachable && is_believed;
        drop(reach);
        self.parts.state.usage(|usage, now| usage.outage.give_up(now, now));
        self.desk().dismiss_queued(&Answer::Failed { kind: Kind::Unavailable, retry_after: SOON });
        self.changed.notify_all();
    }

    /// Looks whether an IPv64 that could not be reached can be again, which costs no call. Behind a proxy that says nothing.
    pub(super) fn probe(self: &Arc<Self>) {
        let (endpoint, proxy) = (&self.parts.settings.api_url, &self.parts.settings.proxy);
        let is_proxied = !endpoint.is_loopback() && (proxy.https.is_some() || proxy.all.is_some());
        let mut due = Instant::now();
        loop {
            let desk = self.desk();
            if self.is_stopping() || is_proxied {
                return;
            }
            let is_needed = self.reach().is_unreachable;
            if !is_needed {
                drop(self.changed.wait(desk));
                due = Instant::now() + PROBE;
                continue;
            }
            let pause = due.saturating_duration_since(Instant::now());
            if !pause.is_zero() {
                drop(self.changed.wait_timeout(desk, pause));
                continue;
            }
            drop(desk);
            due = Instant::now() + PROBE;
            let addresses = look_up(endpoint.host(), endpoint.port(), PROBE).unwrap_or_default();
            if addresses.iter().any(|address| TcpStream::connect_timeout(address, PROBE).is_ok()) {
                *self.reach() = Reach { probed_at: Some(Instant::now()), ..Reach::default() };
                self.parts.state.usage(|usage, _| usage.outage.end());
            }
        }
    }
}
