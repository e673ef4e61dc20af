//! `serve`: puts the broker together, and runs it until a signal.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::json;
use tokio::sync::watch;

use super::Invocation;
use super::context::Context;
use crate::cli::ServeArgs;
use crate::error::{Context as _, Error, Kind, Result};
use crate::exit::Exit;
use crate::report::Report;
use crate::serve::audit::Audit;
use crate::serve::clients::Clients;
use crate::serve::config::ServeConfig;
use crate::serve::connections::Connections;
use crate::serve::daemon::{Daemon, MOST_CONNECTIONS, Tell, in_words};
use crate::serve::engine::Engine;
use crate::serve::listen::{Sockets, raise_descriptors};
use crate::serve::metrics::{self, Health, Reading, Vitals};
use crate::serve::router::{self, Desk};
use crate::serve::server::Phase;
use crate::serve::tls::Certificate;
use crate::serve::watch::Folder;
use crate::settings::key;
use crate::state::State;

/// The folder of the clients' files, in that of the configuration.
const CLIENTS: &str = "clients";

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(call: &Invocation<'_>, args: &ServeArgs) -> Result<Exit> {
    let config = ServeConfig::read(&args.config_dir)?;
    let credentials = call.environment.get(key::CREDENTIALS);
    let certificate = config.tls.clone().map(|files| Certificate::read(files, credentials)).transpose()?;
    let context = Context::open(call)?;
    context.client()?;
    let interrupted = Arc::clone(&context.interrupted);
    let connections = Connections::new(raise_descriptors(MOST_CONNECTIONS));
    let mut sockets = Sockets::open(&config, &call.environment.get("LISTEN_FDNAMES").unwrap_or_default())?;
    let broker = Broker::new(call.report, context, certificate, Arc::clone(&connections))?;
    let (phase, now) = watch::channel(Phase::Serving);
    let routers = (router::router(Arc::clone(&broker.desk)), metrics::router(broker.vitals(now)));
    let daemon = broker.daemon(&args.config_dir, config, interrupted);
    tell_places(call.report, &sockets, broker.certificate.is_some());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(daemon.run(&mut sockets, routers, phase, connections))?;
    runtime.shutdown_background();
    Ok(Exit::Done)
}

/// What the parts of the broker share.
struct Broker {
    report: Report,
    state: State,
    engine: Arc<Engine>,
    desk: Arc<Desk>,
    certificate: Option<Arc<Certificate>>,
    connections: Arc<Connections>,
}

impl Broker {
    fn new(
        report: Report,
        context: Context,
        certificate: Option<Arc<Certificate>>,
        connections: Arc<Connections>,
    ) -> Result<Self> {
        let state = context.state.clone();
        // Whether its journal can be read is known now.
        state.journal(|_, _| ());
        let Some(folder) = state.directory().filter(|_| state.is_on_disk()) else { return Err(without_state(&state)) };
        state.be_patient();
        let audit = Audit::open(folder, Arc::new(move |text: &str| report.warning(text)))?;
        let engine = Engine::start(context.into_parts())?;
        let desk = Desk { clients: RwLock::default(), engine: Arc::clone(&engine) as _, audit };
        Ok(Self { report, state, engine, desk: Arc::new(desk), certificate, connections })
    }

    fn vitals(&self, phase: watch::Receiver<Phase>) -> Vitals {
        let (state, engine, desk) = (self.state.clone(), Arc::clone(&self.engine), Arc::clone(&self.desk));
        let (certificate, connections) = (self.certificate.clone(), Arc::clone(&self.connections));
        let read = move || {
            let (numbers, (down_since, quota)) = (engine.numbers(), engine.usage());
            Reading {
                requests: desk.audit.decisions(),
                failures: numbers.failures,
                waits: numbers.waits,
                queued: numbers.queued,
                connections: connections.count(),
                clients: desk.clients.read().unwrap_or_else(PoisonError::into_inner).len(),
                api_requests: numbers.requests,
                quota: Some(quota),
                down_since,
                certificate_end: certificate.as_ref().and_then(|certificate| certificate.not_after()),
                audit_lost: desk.audit.counts().lost,
            }
        };
        let health = move || match *phase.borrow() {
            Phase::Serving if state.is_on_disk() => Health::Serving,
            Phase::Serving => Health::NoState,
            Phase::Stopping | Phase::Closing => Health::Stopping,
        };
        Vitals { health: Arc::new(health), read: Arc::new(read) }
    }

    fn daemon(&self, folder: &Path, config: ServeConfig, interrupted: Arc<AtomicBool>) -> Daemon {
        let (report, state, engine) = (self.report, self.state.clone(), Arc::clone(&self.engine));
        let clients = Folder::new(folder.join(CLIENTS));
        let mut load_clients = client_loader(report, clients.path(), Arc::clone(&self.desk));
        load_clients();
        let (note, warn): (Tell, Tell) =
            (Arc::new(move |text: &str| report.line(text)), Arc::new(move |text: &str| report.warning(text)));
        let tick = move || {
            state.take_warnings().into_iter().for_each(|warning| report.warning(&in_words(&Error::from(warning))));
        };
        Daemon {
            folder: folder.to_owned(),
            config,
            certificate: self.certificate.clone(),
            clients,
            load_clients,
            stop: Box::new(move |within| engine.stop(within)),
            tick: Box::new(tick),
            complained: None,
            interrupted,
            note,
            warn,
        }
    }
}

/// A hook goes on without its journal, since a certificate is waited for. A broker has to know whose record is whose.
fn without_state(state: &State) -> Error {
    let problem = "the broker needs its state directory";
    match state.take_warnings().into_iter().next() {
        Some(warning) => Error::from(warning).context(problem),
        None => Error::new(Kind::StateUnusable, problem),
    }
}

/// Returns what reads the clients' files and puts the clients in force; what is wrong with one is told once.
fn client_loader(report: Report, folder: &Path, desk: Arc<Desk>) -> Box<dyn FnMut()> {
    let (folder, mut told, mut count) = (folder.to_owned(), BTreeSet::new(), None);
    Box::new(move || {
        let (clients, errors) = Clients::load(&folder);
        let problems: BTreeSet<_> = errors.iter().map(in_words).collect();
        problems.difference(&told).for_each(|problem| report.warning(problem));
        told = problems;
        if count.replace(clients.len()) != Some(clients.len()) {
            report.line(&format!("clients: {}", clients.len()));
        }
        *desk.clients.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(clients);
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
