//! The life of the broker's process: from its sockets to a signal. It looks at the files that may change meanwhile, and tells
//! the service manager how it is.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;

use super::broker::Broker;
use super::clients::{Clients, FOLDER};
use super::config::ServeConfig;
use super::confusion;
use super::connections::Connections;
use super::listen::{Socket, Sockets};
use super::metrics;
use super::router::router;
use super::server::Server;
use super::tls::{Certificate, Reloaded};
use super::watch::Folder;
use super::{Note, Warn, systemd};
use crate::error::{Context as _, Error, Kind, Result};

/// The most connections of clients: 1,000 waits, and room for those that come and go. One over TLS takes some forty kilobytes.
pub const MOST_CONNECTIONS: usize = 1280;
/// The most connections of monitoring systems.
const MOST_ADMIN_CONNECTIONS: usize = 16;
/// How often it is checked whether files have changed.
const CHECK_FILES: Duration = Duration::from_secs(2);

/// Looks after a broker.
pub struct Daemon {
    broker: Arc<Broker>,
    /// The folder of `serve.toml` and `clients/`.
    folder: PathBuf,
    /// What `serve.toml` said at the start: addresses stay as they were then.
    config: ServeConfig,
    clients: Folder,
    /// Whether a client file cannot be used.
    has_unusable: bool,
    /// How many clients there are, what is wrong with files of clients, and with the certificate, as far as a person was told.
    count: Option<usize>,
    problems: BTreeSet<String>,
    complaint: Option<String>,
    note: Note,
    warn: Warn,
}

impl Daemon {
    /// Puts the clients in force whose files are in `clients/` in a folder. `note` hears what a person may want to know, and
    /// `warn` what a person should know.
    pub fn new(broker: Broker, folder: &Path, config: ServeConfig, note: Note, warn: Warn) -> Self {
        let mut daemon = Self {
            broker: Arc::new(broker),
            folder: folder.to_owned(),
            config,
            clients: Folder::new(folder.join(FOLDER)),
            has_unusable: false,
            count: None,
            problems: BTreeSet::new(),
            complaint: None,
            note,
            warn,
        };
        daemon.load_clients();
        daemon
    }

    /// Serves until SIGTERM or SIGINT, which may have come already (`interrupted`); SIGHUP reads everything again.
    ///
    /// # Errors
    /// If the sockets, signals or TLS cannot be set up.
    pub async fn run(self, mut sockets: Sockets, interrupted: &AtomicBool) -> Result<()> {
        let mut signals = Signals::new().context("cannot watch for signals")?;
        if interrupted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (broker, watched, note) = (Arc::clone(&self.broker), Arc::clone(&self.broker), Arc::clone(&self.note));
        let clients = Server {
            router: router(Arc::clone(&broker.app)),
            tls: broker.certificate.as_ref().map(Certificate::server_config).transpose()?.map(TlsAcceptor::from),
            connections: Arc::clone(&broker.connections),
            phase: broker.phase.subscribe(),
            warn: Arc::clone(&self.warn),
        };
        let admin = Server {
            router: metrics::router(move || watched.reading()),
            tls: None,
            connections: Connections::new(MOST_ADMIN_CONNECTIONS),
            ..clients.clone()
        };
        sockets.clients.drain(..).for_each(|socket| self.listen(&clients, socket));
        sockets.admin.take().into_iter().for_each(|socket| self.listen(&admin, Socket::Tcp(socket)));
        systemd::ready("serving");
        self.live(&mut signals).await?;
        // Before the last answers: another broker may have taken over the path of the Unix socket by then.
        drop(sockets);
        systemd::stopping();
        note("stopping: what is under way is in the journal");
        broker.stop().await;
        Ok(())
    }

    fn listen(&self, server: &Server, socket: Socket) {
        let (server, warn) = (server.clone(), Arc::clone(&self.warn));
        tokio::spawn(async move {
            if let Err(error) = server.accept(socket).await {
                warn(&Error::from(error).context("a socket cannot be used"));
            }
        });
    }

    /// Looks at files and signals, until it is time to end. There may be many files, and slow ones: requests do not wait for them.
    async fn live(mut self, signals: &mut Signals) -> Result<()> {
        let mut check = interval(CHECK_FILES);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watchdog = systemd::watchdog_interval().map(interval);
        loop {
            let what = tokio::select! {
                _ = signals.terminate.recv() => return Ok(()),
                _ = signals.interrupt.recv() => return Ok(()),
                _ = signals.reload.recv() => Self::reload,
                _ = check.tick() => Self::check_files,
                () = next(&mut watchdog) => {
                    systemd::alive();
                    continue;
                }
            };
            self = spawn_blocking(move || {
                what(&mut self);
                self
            })
            .await
            .map_err(|error| Error::new(Kind::Failed, format!("cannot check the files of the broker: {error}")))?;
        }
    }

    fn check_files(&mut self) {
        if let Some(certificate) = &self.broker.certificate {
            self.tell(certificate.reload(None));
        }
        self.complain();
        // Such as could not be used are read again although they have not changed: a folder above may be mended, or the disk.
        if self.clients.has_changed() || self.has_unusable {
            self.load_clients();
        }
        for warning in self.broker.state.take_warnings() {
            (self.warn)(&warning.into());
        }
    }

    /// Reads everything again. What cannot be used leaves what was there before.
    fn reload(&mut self) {
        systemd::reloading();
        match ServeConfig::read(&self.folder) {
            Ok(config) => {
                self.take_up(&config);
                (self.note)("the configuration was read again");
            }
            Err(error) => (self.warn)(&error.context("the previous configuration stays in force")),
        }
        self.clients.has_changed();
        self.load_clients();
        systemd::ready("serving");
    }

    /// Puts the clients in force that the files name; what is wrong with one is told once.
    fn load_clients(&mut self) {
        let (clients, errors) = Clients::load(self.clients.path());
        self.has_unusable = !errors.is_empty();
        let known = std::mem::take(&mut self.problems);
        let confusions = clients.confusions();
        for error in errors.into_iter().chain(confusions.iter().map(|text| confusion::warning(text))) {
            let text = format!("{error:#}");
            if !known.contains(&text) {
                (self.warn)(&error);
            }
            self.problems.insert(text);
        }
        if self.count.replace(clients.len()) != Some(clients.len()) {
            (self.note)(&format!("clients: {}", clients.len()));
        }
        self.broker.app.put_in_force(clients);
        let clients = self.broker.app.clients();
        self.broker.engine.regrant(|ask| clients.again(ask));
    }

    fn take_up(&self, config: &ServeConfig) {
        let listens = |config: &ServeConfig| {
            (config.listen.clone(), config.socket.clone(), config.admin_listen, config.tls.is_some())
        };
        if listens(config) != listens(&self.config) {
            let problem = "new addresses to listen on, and TLS switched on or off, take effect after a restart";
            (self.warn)(&Error::new(Kind::Failed, problem).advise("run `systemctl restart ipv64-acme-broker`"));
        }
        if let (Some(certificate), Some(files)) = (&self.broker.certificate, &config.tls) {
            self.tell(certificate.reload(Some(files.clone())));
        }
    }

    fn tell(&self, reloaded: Reloaded) {
        match reloaded {
            Reloaded::Same => {}
            Reloaded::Renewed(end) => {
                let until = end.map_or_else(String::new, |end| format!(", valid until {end}"));
                (self.note)(&format!("uses a new certificate{until}"));
            }
            Reloaded::Kept(error) => (self.warn)(&error.context("the previous certificate stays in use")),
        }
    }

    /// Says once that a certificate has ended.
    fn complain(&mut self) {
        let complaint = self.broker.certificate.as_ref().and_then(|certificate| certificate.complaint());
        if self.complaint != complaint {
            complaint.iter().for_each(|text| (self.warn)(&Error::new(Kind::CertificateUnusable, text.clone())));
            self.complaint = complaint;
        }
    }
}

async fn next(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// The signals that mean something.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }
}
