//! TLS in front of the HTTP listener, with good and bad certificates made on the spot.
//! Everything inside the tunnel, faults included, is the HTTP listener's.

use std::{
    error::Error,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};

use super::{Sim, SimError, threads::Stop};

/// How long one side is listened to before the other gets its turn.
const TURN: Duration = Duration::from_millis(2);
/// How long a wake-up call may take.
const WAKE: Duration = Duration::from_millis(100);

/// What certificate the TLS side shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// One for `127.0.0.1`, `localhost`, and `ipv64.net`: in a name space of its own a client may find us by that name.
    Good,
    /// One for another name.
    WrongName,
    /// One whose time ended in 2020.
    Expired,
}

/// A TLS listener in front of the API. It ends with its simulation.
#[derive(Debug, Clone)]
pub struct TlsSide {
    address: SocketAddr,
    authority: String,
}

impl TlsSide {
    /// The URL of the API.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("https://{}/api", self.address)
    }

    /// The URL of DNS over HTTPS.
    #[must_use]
    pub fn doh_url(&self) -> String {
        format!("https://{}/dns-query", self.address)
    }

    /// The certificate of the CA that signed the server's, in PEM: a client that trusts it trusts [`Certificate::Good`].
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl Sim {
    /// Opens a TLS listener in front of the API, with a CA of its own.
    ///
    /// # Errors
    /// [`SimError::Certificate`] if no certificate can be made, [`SimError::Bind`] if no port can be had.
    pub fn tls(&self, certificate: Certificate) -> Result<TlsSide, SimError> {
        let (config, authority) = configure(certificate).map_err(|source| SimError::Certificate { source })?;
        let bind = |source| SimError::Bind { what: "TLS", source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let (crew, inside, config) = (self.shared.world.crew.clone(), self.shared.api_address, Arc::new(config));
        crew.on_stop(move || drop(TcpStream::connect_timeout(&address, WAKE)));
        let accepting = crew.clone();
        crew.spawn(move || {
            while !accepting.stop().is_set() {
                let Ok((stream, _)) = listener.accept() else { continue };
                let (config, crew) = (config.clone(), accepting.clone());
                // A broken tunnel is seen by both ends.
                accepting.spawn(move || drop(tunnel(stream, inside, config, crew.stop())));
            }
        });
        Ok(TlsSide { address, authority })
    }
}

type Failure = Box<dyn Error + Send + Sync>;

fn configure(certificate: Certificate) -> Result<(ServerConfig, String), Failure> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // With the name of the server's certificate, which is rcgen's default, OpenSSL would take that for its own issuer.
    authority.distinguished_name.push(DnType::CommonName, "CA of the simulation");
    let authority_key = KeyPair::generate()?;
    let pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);
    let names: &[&str] = match certificate {
        Certificate::WrongName => &["other.example"],
        Certificate::Good | Certificate::Expired => &["127.0.0.1", "localhost", "ipv64.net"],
    };
    let mut server = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    if certificate == Certificate::Expired {
        (server.not_before, server.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    }
    let key = KeyPair::generate()?;
    let signed = server.signed_by(&key, &issuer)?;
    let private = PrivateKeyDer::try_from(key.serialize_der())?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![signed.der().clone()], private)?;
    Ok((config, pem))
}

/// Carries octets both ways until one side ends.
fn tunnel(outer: TcpStream, inside: SocketAddr, config: Arc<ServerConfig>, stop: &Stop) -> io::Result<()> {
    outer.set_read_timeout(Some(TURN))?;
    outer.set_nodelay(true)?;
    let mut inner = TcpStream::connect(inside)?;
    inner.set_read_timeout(Some(TURN))?;
    inner.set_nodelay(true)?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut outer = StreamOwned::new(connection, outer);
    while !stop.is_set() {
        if carry(&mut outer, &mut inner)? == Turn::Ended {
            return Ok(());
        }
        // A reset inside ends the tunnel here without a farewell, which to the client is a broken connection.
        if carry(&mut inner, &mut outer)? == Turn::Ended {
            outer.conn.send_close_notify();
            return outer.flush();
        }
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Turn {
    Over,
    Ended,
}

fn carry(from: &mut impl Read, to: &mut impl Write) -> io::Result<Turn> {
    let mut buffer = [0; 16 * 1024];
    match from.read(&mut buffer) {
        Ok(0) => Ok(Turn::Ended),
        Ok(count) => {
            to.write_all(buffer.get(..count).unwrap_or_default())?;
            to.flush()?;
            Ok(Turn::Over)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(Turn::Over),
        Err(error) => Err(error),
    }
}
