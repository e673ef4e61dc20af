//! What a monitoring system asks: `/livez`, `/readyz` and `/metrics` (Prometheus), on an address of their own without TLS.

use std::collections::BTreeMap;
use std::fmt;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::engine::Numbers;
use crate::state::Quota;
use crate::time::Timestamp;

/// What every name begins with.
const PREFIX: &str = "ipv64_acme";
/// The media type of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How the process is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Health {
    /// Requests are answered.
    #[default]
    Serving,
    /// It is about to end.
    Stopping,
    /// The journal is in memory only.
    NoState,
}

/// What is measured at one moment.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// How the process is.
    pub health: Health,
    /// Requests of clients since the start, by dialect, action and outcome.
    pub requests: BTreeMap<[String; 3], u64>,
    /// What the engine is doing.
    pub engine: Numbers,
    /// Connections of clients.
    pub connections: usize,
    /// Clients that are known.
    pub clients: usize,
    /// The API calls of the day.
    pub quota: Option<Quota>,
    /// Since when IPv64 has not answered.
    pub down_since: Option<Timestamp>,
    /// When the certificate ends.
    pub certificate_end: Option<Timestamp>,
    /// Lines that could not be written to the audit log.
    pub audit_lost: u64,
}

/// Returns the answers. `read` may not wait for anything.
pub fn router(read: impl Fn() -> Reading + Clone + Send + Sync + 'static) -> Router {
    let ready = read.clone();
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(async move || readiness(&ready())))
        .route("/metrics", get(async move || metrics(read())))
}

/// IPv64 out of reach is no reason to be taken out of service: the broker answers that by itself, and nobody else could do better.
fn readiness(reading: &Reading) -> (StatusCode, String) {
    match (reading.health, reading.down_since) {
        (Health::Stopping, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()),
        (Health::NoState, _) => {
            let text = "the state directory cannot be used: see the log of this service\n";
            (StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
        }
        (Health::Serving, Some(since)) => (StatusCode::OK, format!("ready; IPv64 has not answered since {since}\n")),
        (Health::Serving, None) => (StatusCode::OK, "ready\n".to_owned()),
    }
}

fn metrics(reading: Reading) -> Result<impl IntoResponse, StatusCode> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(reading));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).map_err(|fmt::Error| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], text))
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "requests",
            "Requests of clients, by dialect, action and outcome",
            None,
            MetricType::Counter,
        )?;
        for ([dialect, action, outcome], count) in &self.requests {
            let labels = [("dialect", dialect.as_str()), ("action", action.as_str()), ("outcome", outcome.as_str())];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
        let help = "Additions that failed, by kind of error";
        let mut family = encoder.encode_descriptor("failures", help, None, MetricType::Counter)?;
        for (kind, count) in &self.engine.failures {
            ConstCounter::new(*count).encode(family.encode_family(&[("kind", *kind)])?)?;
        }
        for (name, help, count) in [
            ("api_requests", "Requests to the IPv64 API", self.engine.requests),
            ("audit_lost", "Lines that could not be written to the audit log", self.audit_lost),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        for (name, help, value) in self.gauges() {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

impl Reading {
    fn gauges(&self) -> [(&'static str, &'static str, Option<f64>); 8] {
        let count = |count: usize| Some(count as f64);
        let seconds = |moment: Timestamp| moment.as_millis() as f64 / 1000.0;
        [
            ("waits", "Records that name servers are being asked for", count(self.engine.waits)),
            ("queued", "Additions and removals that wait for an API call", count(self.engine.queued)),
            ("connections", "Connections of clients", count(self.connections)),
            ("clients", "Clients that are known", count(self.clients)),
            (
                "api_calls_today",
                "API calls made since midnight in Germany",
                self.quota.map(|quota| quota.calls_today as f64),
            ),
            (
                "api_calls_left",
                "API calls left today, where the limit is known",
                self.quota.and_then(|quota| quota.remaining).map(|left| left as f64),
            ),
            (
                "down_since_timestamp_seconds",
                "When IPv64 stopped answering; 0 while it answers",
                Some(self.down_since.map_or(0.0, seconds)),
            ),
            (
                "certificate_end_timestamp_seconds",
                "When the certificate of the broker ends",
                self.certificate_end.map(seconds),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv64_away_is_ready_and_said() {
        let down = Reading { down_since: Some(Timestamp::from_millis(0)), ..Reading::default() };
        let (status, text) = readiness(&down);
        assert!(status == StatusCode::OK && text.contains("has not answered since 1970-01-01"), "{text}");
        for health in [Health::Stopping, Health::NoState] {
            assert_eq!(readiness(&Reading { health, ..down.clone() }).0, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(readiness(&Reading { health, ..Reading::default() }).0, StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[tokio::test]
    async fn everything_has_a_line() {
        let reading = Reading {
            requests: BTreeMap::from([(["v1", "present", "done"].map(str::to_owned), 3)]),
            engine: Numbers { failures: BTreeMap::from([("timed_out", 2)]), waits: 5, ..Numbers::default() },
            down_since: Some(Timestamp::from_millis(1500)),
            ..Reading::default()
        };
        let body = metrics(reading).into_response().into_body();
        let text = String::from_utf8(axum::body::to_bytes(body, 100_000).await.unwrap().to_vec()).unwrap();
        for line in [
            "ipv64_acme_requests_total{dialect=\"v1\",action=\"present\",outcome=\"done\"} 3",
            "ipv64_acme_failures_total{kind=\"timed_out\"} 2",
            "ipv64_acme_waits 5",
            "ipv64_acme_audit_lost_total 0",
            "ipv64_acme_down_since_timestamp_seconds 1.5",
        ] {
            assert!(text.lines().any(|it| it.trim_end_matches(".0") == line), "no {line} in {text}");
        }
    }
}
