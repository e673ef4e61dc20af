//! How a connection comes about: the addresses raced ([`super::race`]), CONNECT where there is a proxy, then TLS. Why none
//! came about is put into words in [`super::explain`].

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::Error;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, Resolver as _};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, RustlsConnector, TcpConnector, Transport,
};

use super::CONNECT_TIMEOUT;
use super::race::{order, race};

/// The address that was connected to last, by host and port: tried first the next time, and named in messages.
#[derive(Debug, Default)]
pub(super) struct LastAddresses(Mutex<HashMap<String, SocketAddr>>);

impl LastAddresses {
    fn of(&self, uri: &Uri) -> Option<SocketAddr> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(uri.authority()?.as_str()).copied()
    }

    fn keep(&self, uri: &Uri, address: Option<SocketAddr>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(host) = uri.authority().map(|authority| authority.as_str().to_owned()) else { return };
        match address {
            Some(address) => known.insert(host, address),
            None => known.remove(&host),
        };
    }
}

/// A connection did not come about, so nothing of the request has left.
#[derive(Debug, thiserror::Error)]
#[error("no connection")]
pub(super) struct NoConnection {
    /// The address that answered over TCP, if one has.
    pub(super) address: Option<SocketAddr>,
    /// What failed.
    pub(super) error: Error,
}

/// Returns ureq's own chain, with the race in place of one address after the other.
pub(super) fn connector() -> impl Connector {
    let last = Arc::new(LastAddresses::default());
    let chain = ().chain(ConnectProxyConnector::default()).chain(Race(Arc::clone(&last)));
    Named { chain: chain.chain(RustlsConnector::default()), last }
}

/// Tells errors before the request from later ones, and with which address they happened.
#[derive(Debug)]
struct Named<C> {
    chain: C,
    last: Arc<LastAddresses>,
}

impl<C: Connector> Connector for Named<C> {
    type Out = C::Out;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<C::Out>, Error> {
        self.chain.connect(details, chained).map_err(|error| match error {
            // From the connection to the proxy, which comes this way too.
            Error::Other(inner) if inner.is::<NoConnection>() => Error::Other(inner),
            error => Error::Other(Box::new(NoConnection { address: self.last.of(details.uri), error })),
        })
    }
}

type Tcp = <TcpConnector as Connector>::Out;

#[derive(Debug)]
struct Race(Arc<LastAddresses>);

impl<In: Transport> Connector<In> for Race {
    type Out = Either<In, Tcp>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(by_proxy) = chained {
            return Ok(Some(Either::A(by_proxy)));
        }
        let addresses = order(&details.addrs, self.0.of(details.uri));
        self.0.keep(details.uri, None);
        let patience = CONNECT_TIMEOUT.min(*details.timeout.after);
        let (address, tcp) = race(&addresses, patience, opener(details)).map_err(io::Error::other)?;
        self.0.keep(details.uri, Some(address));
        Ok(Some(Either::B(tcp)))
    }
}

/// Returns what opens one connection by ureq's own means, in a thread that may outlive the request.
fn opener(details: &ConnectionDetails<'_>) -> impl Fn(SocketAddr, Duration) -> io::Result<Tcp> + Clone + Send + use<> {
    let (uri, config, request_level) = (details.uri.clone(), details.config.clone(), details.request_level);
    let (current_time, run_connector) = (Arc::clone(&details.current_time), Arc::clone(&details.run_connector));
    let (register_shutdown, timeout) = (Arc::clone(&details.register_shutdown), details.timeout);
    move |address, patience| {
        let resolver = DefaultResolver::default();
        let mut addrs = resolver.empty();
        addrs.push(address);
        let details = ConnectionDetails {
            uri: &uri,
            addrs,
            config: &config,
            request_level,
            resolver: &resolver,
            now: current_time(),
            timeout: NextTimeout { after: patience.into(), ..timeout },
            current_time: Arc::clone(&current_time),
            run_connector: Arc::clone(&run_connector),
            register_shutdown: Arc::clone(&register_shutdown),
        };
        match TcpConnector::default().connect(&details, None::<()>) {
            Ok(tcp) => tcp.ok_or_else(|| ErrorKind::NotConnected.into()),
            Err(Error::Io(error)) => Err(error),
            Err(Error::Timeout(_)) => Err(ErrorKind::TimedOut.into()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use ureq::config::Config;
    use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};

    use super::*;

    /// Whatever the name: these addresses, in this order.
    #[derive(Debug)]
    struct Fixed(Vec<SocketAddr>);

    impl Resolver for Fixed {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
            let mut addresses = self.empty();
            self.0.iter().for_each(|address| addresses.push(*address));
            Ok(addresses)
        }
    }

    /// An address that answers no SYN, as a broken IPv6 tunnel does: a listener whose queue is full.
    fn black_hole() -> TcpListener {
        let silent = TcpListener::bind("127.0.0.9:0").unwrap();
        let address = silent.local_addr().unwrap();
        while TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_ok() {}
        silent
    }

    /// Whether this machine is just now trying to connect to the address (state 02, SYN_SENT, of proc(5)).
    fn is_being_tried(address: SocketAddr) -> bool {
        let SocketAddr::V4(address) = address else { return false };
        let remote = format!("{:08X}:{:04X}", u32::from_le_bytes(address.ip().octets()), address.port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().any(|line| line.split_whitespace().skip(2).take(2).eq([remote.as_str(), "02"]))
    }

    #[test]
    fn an_address_that_swallows_packets_is_overtaken_and_not_waited_for() {
        let good = TcpListener::bind("127.0.0.1:0").unwrap();
        let live = good.local_addr().unwrap();
        let silent = black_hole();
        let dead = silent.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut stream = good.accept().unwrap().0;
            let overtaken = is_being_tried(dead);
            while !matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            overtaken
        });
        let config = Config::builder().proxy(None).timeout_connect(Some(CONNECT_TIMEOUT)).build();
        let agent = ureq::Agent::with_parts(config, connector(), Fixed(vec![dead, live]));
        assert_eq!(agent.get("http://api.example/").call().unwrap().status(), 200);
        assert!(server.join().unwrap(), "the first address was given up before the second was tried");
    }
}
