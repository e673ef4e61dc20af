//! The life of the broker's process: from its sockets to a signal. It looks at the files that may change meanwhile, and tells
//! the service manager how it is.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::config::ServeConfig;
use super::connections::Connections;
use super::listen::{Socket, Sockets};
use super::server::{Phase, Server};
use super::systemd;
use super::tls::{Certificate, Look};
use super::watch::Folder;
use crate::error::{Context as _, Error, Result};
use crate::time::Timestamp;

/// The most connections of clients: 1,000 waits, and room for those that come and go. One over TLS takes some forty kilobytes.
pub const MOST_CONNECTIONS: usize = 1280;
/// The most connections of monitoring systems.
const MOST_ADMIN_CONNECTIONS: usize = 16;
/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long requests may go on after a signal, and how long their answers may take to leave.
const GRACE: Duration = Duration::from_millis(1500);
const FAREWELL: Duration = Duration::from_millis(300);
/// How often it is looked whether all connections have ended.
const TICK: Duration = Duration::from_millis(20);

/// Tells a person something.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// What the process lives from.
pub struct Daemon {
    /// The folder of `serve.toml` and `clients/`.
    pub folder: PathBuf,
    /// What `serve.toml` said at the start.
    pub config: ServeConfig,
    /// The certificate, if there is one.
    pub certificate: Option<Arc<Certificate>>,
    /// The clients' files.
    pub clients: Folder,
    /// Reads the clients' files again.
    pub load_clients: Box<dyn FnMut()>,
    /// Ends the work within this time.
    pub stop: Box<dyn FnOnce(Duration) + Send>,
    /// Looks after what else goes on.
    pub tick: Box<dyn FnMut()>,
    /// What was said of the certificate.
    pub complained: Option<String>,
    /// Whether a signal to end has come before anybody here could hear it.
    pub interrupted: Arc<AtomicBool>,
    /// For what a person may want to know.
    pub note: Tell,
    /// For what a person should know.
    pub warn: Tell,
}

impl Daemon {
    /// Serves until SIGTERM or SIGINT; SIGHUP reads everything again.
    ///
    /// # Errors
    /// If the sockets, signals or TLS cannot be set up.
    pub async fn run(
        mut self,
        sockets: &mut Sockets,
        routers: (Router, Router),
        phase: watch::Sender<Phase>,
        connections: Arc<Connections>,
    ) -> Result<()> {
        let mut signals = Signals::new().context("cannot watch for signals")?;
        if self.interrupted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let tls = self.certificate.as_ref().map(Certificate::server_config).transpose()?.map(TlsAcceptor::from);
        let warn = Arc::clone(&self.warn);
        let (clients, admin) = routers;
        let server = Server { router: clients, tls, connections, phase: phase.subscribe(), tell: warn };
        let connections = Arc::clone(&server.connections);
        let admin = Server {
            router: admin,
            tls: None,
            connections: Connections::new(MOST_ADMIN_CONNECTIONS),
            ..server.clone()
        };
        let sockets = (std::mem::take(&mut sockets.clients), sockets.admin.take());
        sockets.0.into_iter().for_each(|socket| self.listen(&server, socket));
        sockets.1.into_iter().for_each(|socket| self.listen(&admin, Socket::Tcp(socket)));
        systemd::ready("serving");
        self.live(&mut signals).await;
        systemd::stopping();
        phase.send_replace(Phase::Stopping);
        (self.note)("stopping: what is under way is in the journal");
        std::thread::spawn(move || (self.stop)(GRACE));
        let until = Instant::now() + GRACE;
        while connections.count() > 0 && Instant::now() < until {
            sleep(TICK).await;
        }
        phase.send_replace(Phase::Closing);
        let gone = async {
            while connections.count() > 0 {
                sleep(TICK).await;
            }
        };
        timeout(FAREWELL, gone).await.ok();
        Ok(())
    }

    fn listen(&self, server: &Server, socket: Socket) {
        let (server, warn) = (server.clone(), Arc::clone(&self.warn));
        tokio::spawn(async move {
            if let Err(error) = server.accept(socket).await {
                warn(&format!("a socket cannot be used: {error}"));
            }
        });
    }

    /// Looks at files and signals, until it is time to end.
    async fn live(&mut self, signals: &mut Signals) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watchdog = systemd::watchdog_interval().map(interval);
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => return,
                _ = signals.interrupt.recv() => return,
                _ = signals.reload.recv() => self.reload(),
                _ = look.tick() => self.look(),
                () = next(&mut watchdog) => systemd::alive(),
            }
        }
    }

    fn look(&mut self) {
        if let Some(look) = self.certificate.as_ref().map(|certificate| certificate.look(None)) {
            self.tell(look);
        }
        self.complain();
        if self.clients.has_changed() {
            (self.load_clients)();
        }
        (self.tick)();
    }

    /// Reads everything again. What cannot be used leaves what was there before.
    fn reload(&mut self) {
        systemd::reloading();
        match ServeConfig::read(&self.folder) {
            Ok(config) => self.take_up(config),
            Err(error) => {
                (self.warn)(&format!("the configuration from before stays in force: {}", in_words(&error)));
            }
        }
        self.clients.has_changed();
        (self.load_clients)();
        systemd::ready("serving");
        (self.note)("read the configuration again");
    }

    fn take_up(&mut self, config: ServeConfig) {
        let listens = |config: &ServeConfig| {
            (config.listen.clone(), config.socket.clone(), config.admin_listen, config.tls.is_some())
        };
        if listens(&config) != listens(&self.config) {
            (self.warn)(
                "other addresses to listen on, or TLS instead of none, need a restart: `systemctl restart ipv64-acme-broker`",
            );
        }
        if let (Some(certificate), Some(files)) = (&self.certificate, &config.tls) {
            self.tell(certificate.look(Some(files.clone())));
        }
        let tls = self.config.tls.take();
        self.config = ServeConfig { tls: config.tls.or(tls), ..config };
    }

    fn tell(&self, look: Look) {
        match look {
            Look::Same => {}
            Look::Renewed(end) => (self.note)(&format!("shows a new certificate{}", until(end))),
            Look::Kept(error) => {
                (self.warn)(&format!("the certificate from before is still shown: {}", in_words(&error)));
            }
        }
    }

    /// Says once that a certificate has ended.
    fn complain(&mut self) {
        let complaint = self.certificate.as_ref().and_then(|certificate| certificate.complaint());
        if self.complained != complaint {
            complaint.iter().for_each(|complaint| (self.warn)(complaint));
            self.complained = complaint;
        }
    }
}

fn until(end: Option<Timestamp>) -> String {
    end.map_or_else(String::new, |end| format!(", good until {end}"))
}

/// Returns an error with all its causes and its hint, for a log.
#[must_use]
pub fn in_words(error: &Error) -> String {
    let hint = error.hint().map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    format!("{error:#}{hint}")
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
