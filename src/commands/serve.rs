//! `serve`: puts the broker together, and runs it until a signal.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::http::StatusCode;
use serde_json::json;
use tokio::sync::watch;

use super::Invocation;
use super::context::Context;
use crate::cli::ServeArgs;
use crate::error::{Context as _, Result};
use crate::exit::Exit;
use crate::report::Report;
use crate::serve::clients::Clients;
use crate::serve::config::ServeConfig;
use crate::serve::daemon::{Daemon, MOST_CONNECTIONS, Tell, in_words};
use crate::serve::listen::{Sockets, raise_descriptors};
use crate::serve::metrics::{self, Health, Reading, Vitals};
use crate::serve::server::Phase;
use crate::serve::tls::Certificate;
use crate::serve::watch::Folder;
use crate::settings::key;

/// The folder of the clients' files, in that of the configuration.
const CLIENTS: &str = "clients";

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(call: &Invocation<'_>, args: &ServeArgs) -> Result<Exit> {
    let config = ServeConfig::read(&args.config_dir)?;
    let credentials = call.environment.get(key::CREDENTIALS);
    let certificate = config.tls.clone().map(|files| Certificate::read(files, credentials)).transpose()?;
    let context = Context::open(call)?;
    let most = raise_descriptors(MOST_CONNECTIONS);
    let mut sockets = Sockets::open(&config, &call.environment.get("LISTEN_FDNAMES").unwrap_or_default())?;
    tell_places(call.report, &sockets, certificate.is_some());
    context.tell_warnings();
    let (phase, now) = watch::channel(Phase::Serving);
    let state = context.state.clone();
    let health = move || match *now.borrow() {
        Phase::Serving if state.is_on_disk() => Health::Serving,
        Phase::Serving => Health::NoState,
        Phase::Stopping | Phase::Closing => Health::Stopping,
    };
    let admin = metrics::router(Vitals { health: Arc::new(health), read: Arc::new(Reading::default) });
    let router = Router::new().fallback(async || StatusCode::SERVICE_UNAVAILABLE);
    let desk = Arc::new(RwLock::default());
    let daemon = daemon(call.report, &args.config_dir, config, certificate, &desk);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(daemon.run(&mut sockets, (router, admin), phase, most))?;
    runtime.shutdown_background();
    Ok(Exit::Done)
}

fn daemon(
    report: Report,
    folder: &Path,
    config: ServeConfig,
    certificate: Option<Arc<Certificate>>,
    desk: &Arc<RwLock<Arc<Clients>>>,
) -> Daemon {
    let mut load_clients = client_loader(report, folder.join(CLIENTS), Arc::clone(desk));
    load_clients();
    let (note, warn): (Tell, Tell) =
        (Arc::new(move |text: &str| report.line(text)), Arc::new(move |text: &str| report.warning(text)));
    Daemon {
        folder: folder.to_owned(),
        config,
        certificate,
        clients: Folder::new(folder.join(CLIENTS)),
        load_clients,
        stop: Box::new(|_| ()),
        tick: Box::new(|| ()),
        complained: None,
        note,
        warn,
    }
}

/// Returns what reads the clients' files and puts the clients in force; what is wrong with one is told once.
fn client_loader(report: Report, folder: PathBuf, desk: Arc<RwLock<Arc<Clients>>>) -> Box<dyn FnMut()> {
    let (mut told, mut count) = (BTreeSet::new(), None);
    Box::new(move || {
        let (clients, errors) = Clients::load(&folder);
        let problems: BTreeSet<_> = errors.iter().map(in_words).collect();
        problems.difference(&told).for_each(|problem| report.warning(problem));
        told = problems;
        if count.replace(clients.len()) != Some(clients.len()) {
            report.line(&format!("clients: {}", clients.len()));
        }
        *desk.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(clients);
    })
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
