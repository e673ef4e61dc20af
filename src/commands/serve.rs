//! `serve`: puts the broker together, and runs it until a signal.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;

use super::Invocation;
use super::context::Context;
use crate::cli::BrokerFiles;
use crate::error::{Context as _, Error, Kind, Result};
use crate::exit::Exit;
use crate::report::Report;
use crate::serve::Warn;
use crate::serve::audit::Audit;
use crate::serve::broker::Broker;
use crate::serve::config::ServeConfig;
use crate::serve::connections::Connections;
use crate::serve::daemon::{Daemon, MOST_CONNECTIONS};
use crate::serve::engine::Engine;
use crate::serve::listen::{Sockets, raise_descriptors};
use crate::serve::router::AppState;
use crate::serve::server::Phase;
use crate::serve::tls::Certificate;
use crate::settings::key;
use crate::state::State;

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(call: &Invocation<'_>, files: &BrokerFiles) -> Result<Exit> {
    let config = ServeConfig::read(&files.config_dir)?;
    let credentials = call.environment.get(key::CREDENTIALS);
    let certificate = config.tls.clone().map(|files| Certificate::read(files, credentials)).transpose()?;
    let context = Context::open(call)?;
    context.client()?;
    let (report, state, interrupted) = (call.report, context.state.clone(), Arc::clone(&context.interrupted));
    let connections = Connections::new(raise_descriptors(MOST_CONNECTIONS));
    let sockets = Sockets::open(&config, &call.environment.get("LISTEN_FDNAMES").unwrap_or_default())?;
    let warn: Warn = Arc::new(move |error| report.warning_of(error));
    // Whether its journal can be read is known now.
    state.journal(|_, _| ());
    let folder = state.directory().filter(|_| state.is_on_disk()).ok_or_else(|| without_state(&state))?;
    state.be_patient();
    let audit = Audit::open(folder, Arc::clone(&warn))?;
    let engine = Engine::start(context.into_parts())?;
    let app = AppState::new(Arc::clone(&engine) as _, audit);
    let is_tls = certificate.is_some();
    let phase = watch::Sender::new(Phase::Serving);
    let broker = Broker { state, engine, app, certificate, connections, phase };
    let daemon = Daemon::new(broker, &files.config_dir, config, Arc::new(move |text| report.line(text)), warn);
    tell_places(report, &sockets, is_tls);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(daemon.run(sockets, &interrupted))?;
    runtime.shutdown_background();
    Ok(Exit::Done)
}

/// A hook goes on without its journal, since a certificate is waited for. A broker has to know whose record is whose.
fn without_state(state: &State) -> Error {
    let problem = "the broker needs its state directory";
    match state.take_warnings().into_iter().next() {
        Some(warning) => Error::from(warning).context(problem),
        None => Error::new(Kind::StateUnusable, problem),
    }
}

/// Says where the broker can be reached.
fn tell_places(report: Report, sockets: &Sockets, is_tls: bool) {
    let places = sockets.places(is_tls);
    let admin = sockets.admin.as_ref().and_then(|admin| admin.local_addr().ok()).map(|it| format!("http://{it}"));
    for place in &places {
        report.line(&format!("listening on {place}"));
    }
    if let Some(admin) = &admin {
        report.line(&format!("metrics on {admin}/metrics"));
    }
    report.document(&json!({ "listening": places, "admin": admin }));
}
