//! What runs: the parts of a broker that requests, files, signals and monitoring systems meet.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::connections::Connections;
use super::engine::Engine;
use super::metrics::{Health, Reading};
use super::router::AppState;
use super::server::Phase;
use super::tls::Certificate;
use crate::state::State;

/// How long requests may go on after a signal, and how long their answers may take to leave.
const GRACE: Duration = Duration::from_millis(1500);
const FAREWELL: Duration = Duration::from_millis(300);
/// How often it is looked whether all connections have ended.
const TICK: Duration = Duration::from_millis(20);

/// The parts of a broker.
pub struct Broker {
    /// The journal.
    pub state: State,
    /// Does the work.
    pub engine: Arc<Engine>,
    /// Answers requests.
    pub app: Arc<AppState>,
    /// The certificate, if there is one.
    pub certificate: Option<Arc<Certificate>>,
    /// The connections of clients.
    pub connections: Arc<Connections>,
    /// Where the process is in its life.
    pub phase: watch::Sender<Phase>,
}

impl Broker {
    /// Returns how it is; waits for nobody.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let (down_since, quota) = self.engine.usage();
        Reading {
            health: match *self.phase.borrow() {
                Phase::Serving if self.state.is_on_disk() => Health::Serving,
                Phase::Serving => Health::NoState,
                Phase::Stopping | Phase::Closing => Health::Stopping,
            },
            requests: self.app.audit.decisions(),
            engine: self.engine.numbers(),
            connections: self.connections.count(),
            clients: self.app.clients().len(),
            quota: Some(quota),
            down_since,
            certificate_end: self.certificate.as_ref().and_then(|certificate| certificate.not_after()),
            audit_lost: self.app.audit.lost(),
        }
    }

    /// Takes no new work, and ends when the call under way has its answer and all clients have theirs, or when it has taken too
    /// long.
    pub async fn stop(&self) {
        self.phase.send_replace(Phase::Stopping);
        let engine = Arc::clone(&self.engine);
        let stopped = spawn_blocking(move || engine.stop(GRACE));
        let gone = || async {
            while self.connections.count() > 0 {
                sleep(TICK).await;
            }
        };
        timeout(GRACE, gone()).await.ok();
        self.phase.send_replace(Phase::Closing);
        timeout(FAREWELL, gone()).await.ok();
        stopped.await.ok();
    }
}
