//! What a monitoring system asks: `/livez`, `/readyz` and `/metrics` (Prometheus), on an address of their own without TLS.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::watch;

use super::server::Phase;
use crate::state::State;

/// What the answers are made of.
#[derive(Clone)]
pub struct Vitals {
    /// Where the process is in its life.
    pub phase: watch::Receiver<Phase>,
    /// Whether the journal is on a disk.
    pub state: State,
}

/// Returns the answers.
pub fn router(vitals: Vitals) -> Router {
    let vitals = Arc::new(vitals);
    Router::new().route("/livez", get(async || "alive\n")).route("/readyz", get(async move || vitals.readiness()))
}

impl Vitals {
    /// IPv64 out of reach is no reason to be taken out of service: the broker answers that by itself, and nobody else could do
    /// better.
    fn readiness(&self) -> (StatusCode, String) {
        if *self.phase.borrow() != Phase::Serving {
            return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
        }
        if !self.state.is_on_disk() {
            let text = "the state directory cannot be used: see the log of this service\n";
            return (StatusCode::SERVICE_UNAVAILABLE, text.to_owned());
        }
        (StatusCode::OK, "ready\n".to_owned())
    }
}
