//! The sockets that the broker listens on: those of `serve.toml`, or those that systemd has opened. What comes in is left to
//! [`super::server`].

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::config::ServeConfig;
use crate::error::{Error, Kind, Result};
use crate::excerpt::visible_path;

/// What systemd calls the socket of the metrics (`FileDescriptorName=` in systemd.socket(5)).
pub const ADMIN_NAME: &str = "admin";
/// Who is at the other end of a Unix socket is known, so everybody may connect.
const SOCKET_MODE: u32 = 0o666;
/// Descriptors that are for other things than connections of clients: files, sockets of API and DNS.
const OTHER_DESCRIPTORS: u64 = 512;

/// A socket for clients.
#[derive(Debug)]
pub enum Socket {
    /// TCP, with TLS if there is a certificate.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

/// All sockets.
#[derive(Debug)]
pub struct Sockets {
    /// For clients.
    pub clients: Vec<Socket>,
    /// For `/metrics`, `/livez` and `/readyz`.
    pub admin: Option<TcpListener>,
    /// The file of the Unix socket that was made here.
    file: Option<PathBuf>,
}

/// The Unix socket does not outlive its listener.
impl Drop for Sockets {
    fn drop(&mut self) {
        if let Some(path) = &self.file {
            fs::remove_file(path).ok();
        }
    }
}

impl Sockets {
    /// Takes the sockets that systemd has opened, `names` being what it calls them, and opens those of the configuration where
    /// there are none.
    ///
    /// # Errors
    /// [`Kind::ListenFailed`]; [`Kind::InvalidSetting`] for plain HTTP off loopback, and where there is nothing to listen on.
    pub fn open(config: &ServeConfig, names: &str) -> Result<Self> {
        let mut sockets = Self::inherited(names)?;
        if sockets.clients.is_empty() {
            for address in &config.listen {
                check_plain(config, *address)?;
                sockets.clients.push(Socket::Tcp(tcp(*address, "listen")?));
            }
            if let Some(path) = &config.socket {
                sockets.clients.push(Socket::Unix(unix(path)?));
                sockets.file = Some(path.clone());
            }
        }
        if sockets.clients.is_empty() {
            let hint = "add a line such as: listen = \"0.0.0.0:8443\"";
            return Err(Error::new(Kind::InvalidSetting, "serve.toml names neither `listen` nor `socket`").advise(hint));
        }
        for socket in &sockets.clients {
            if let Socket::Tcp(listener) = socket {
                listener.local_addr().map_or(Ok(()), |address| check_plain(config, address))?;
            }
        }
        if sockets.admin.is_none() {
            sockets.admin = config.admin_listen.map(|address| tcp(address, "admin_listen")).transpose()?;
        }
        Ok(sockets)
    }

    fn inherited(names: &str) -> Result<Self> {
        let mut inherited = ListenFd::from_env();
        let mut names = names.split(':');
        let (mut clients, mut admin) = (Vec::new(), None);
        for at in 0..inherited.len() {
            let is_admin = names.next() == Some(ADMIN_NAME);
            match inherited.take_tcp_listener(at) {
                Ok(Some(listener)) if is_admin => admin = Some(listener),
                Ok(Some(listener)) => clients.push(Socket::Tcp(listener)),
                _ => clients.push(Socket::Unix(inherited.take_unix_listener(at).ok().flatten().ok_or_else(foreign)?)),
            }
        }
        Ok(Self { clients, admin, file: None })
    }

    /// Says where clients are listened to, one address each.
    #[must_use]
    pub fn places(&self, is_tls: bool) -> Vec<String> {
        let scheme = if is_tls { "https" } else { "http" };
        self.clients.iter().filter_map(|socket| place(socket, scheme)).collect()
    }
}

fn place(socket: &Socket, scheme: &str) -> Option<String> {
    Some(match socket {
        Socket::Tcp(listener) => format!("{scheme}://{}", listener.local_addr().ok()?),
        Socket::Unix(listener) => {
            let address = listener.local_addr().ok();
            address.as_ref().and_then(|it| it.as_pathname()).map_or_else(|| "a Unix socket".to_owned(), visible_path)
        }
    })
}

/// What a client sends is a token: in plain text it never leaves this machine.
fn check_plain(config: &ServeConfig, address: SocketAddr) -> Result<()> {
    if config.tls.is_some() || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let problem = format!("no plain HTTP on {address}: others on the network could read the tokens");
    let hint = "set tls_cert and tls_key in serve.toml, or listen on 127.0.0.1, or on a Unix socket (`socket`)";
    Err(Error::new(Kind::InvalidSetting, problem).advise(hint))
}

fn foreign() -> Error {
    Error::new(
        Kind::ListenFailed,
        "a descriptor from systemd is neither a TCP nor a Unix socket in the listening state",
    )
    .advise("a .socket unit for the broker can only have ListenStream= lines")
}

fn tcp(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        let port = address.port();
        let (problem, hint) = match error.kind() {
            ErrorKind::AddrInUse => (
                "another program listens there".to_owned(),
                format!("find it with `ss -ltnp 'sport = :{port}'`, or set `{setting}` in serve.toml to another port"),
            ),
            ErrorKind::PermissionDenied => (
                "this user is not allowed to use that port".to_owned(),
                "use a port from 1024 on, or let systemd open it: ipv64-acme-broker.socket".to_owned(),
            ),
            ErrorKind::AddrNotAvailable => (
                "this machine has no such address".to_owned(),
                "`ip address` lists the addresses that it has; 0.0.0.0 and [::] mean all of them".to_owned(),
            ),
            _ => (error.to_string(), format!("check `{setting}` in serve.toml")),
        };
        Error::new(Kind::ListenFailed, format!("cannot listen on {address}: {problem}")).advise(hint)
    })
}

fn unix(path: &Path) -> Result<UnixListener> {
    let shown = visible_path(path);
    let fail = |problem: &str, hint: String| {
        Error::new(Kind::ListenFailed, format!("cannot listen on the Unix socket `{shown}`: {problem}")).advise(hint)
    };
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(fail(
                "a file that is not a socket is there already",
                format!("remove `{shown}`, or give another path"),
            ));
        }
        Ok(_) => match UnixStream::connect(path).map_err(|error| error.kind()) {
            // Left by a process that was killed.
            Err(ErrorKind::ConnectionRefused) => drop(fs::remove_file(path)),
            Err(ErrorKind::NotFound) => {}
            _ => {
                let hint = "end that program, or give another path".to_owned();
                return Err(fail("another program listens there", hint));
            }
        },
        Err(_) => {}
    }
    let bound = UnixListener::bind(path)
        .and_then(|listener| fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE)).map(|()| listener));
    bound.map_err(|error: io::Error| {
        fail(
            &error.to_string(),
            format!("check that the folder of `{shown}` exists and that this user may write to it"),
        )
    })
}

/// Asks the system for as many descriptors as it allows, and returns how many connections of clients fit, `most` at most.
#[must_use]
pub fn raise_descriptors(most: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = if setrlimit(Resource::Nofile, wanted).is_ok() { limit.maximum } else { limit.current };
    // No limit is `None`.
    let fit = allowed.map_or(u64::MAX, |allowed| allowed.saturating_sub(OTHER_DESCRIPTORS).max(allowed / 2));
    usize::try_from(fit).unwrap_or(most).min(most)
}
