//! Host names to addresses, within the time of a request. What the system's resolver does with the name is its own affair.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The most addresses of a host that are tried: as many as ureq has room for.
const MOST_ADDRESSES: usize = 16;

/// Returns what the system says of a name, or nothing if it takes longer than `patience`. Where no thread can be had (a limit
/// on tasks or on memory) the system's own deadline of some seconds holds.
pub fn look_up<Name>(name: Name, patience: Duration) -> Option<io::Result<Vec<SocketAddr>>>
where
    Name: ToSocketAddrs + Clone + Send + 'static,
{
    let (sender, found) = sync_channel(1);
    let asked = name.clone();
    let ask = move || sender.send(asked.to_socket_addrs().map(Iterator::collect)).ok();
    match thread::Builder::new().name("host name".to_owned()).spawn(ask) {
        Ok(_) => found.recv_timeout(patience).ok(),
        Err(_) => Some(name.to_socket_addrs().map(Iterator::collect)),
    }
}

/// As ureq's own resolver, whose thread with a deadline ends the whole process where no thread can be had.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names {
    /// Wherever a name leads.
    Any,
    /// Only to this machine, whatever else the resolver says of `localhost`: for plain http.
    ThisMachine,
}

/// Plain http would have gone to another machine.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to another machine")]
pub(super) struct NotThisMachine;

impl Names {
    fn keep(self, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Error> {
        let found: Vec<_> = found.take(MOST_ADDRESSES).collect();
        match self {
            _ if found.is_empty() => Err(Error::HostNotFound),
            Self::ThisMachine if found.iter().any(|address| !address.ip().is_loopback()) => {
                Err(io::Error::other(NotThisMachine).into())
            }
            _ => Ok(found),
        }
    }
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let (scheme, authority) = uri.scheme().zip(uri.authority()).ok_or(Error::HostNotFound)?;
        let host = DefaultResolver::host_and_port(scheme, authority).ok_or(Error::HostNotFound)?;
        let found = look_up(host, *timeout.after).ok_or(Error::Timeout(timeout.reason))??;
        let mut kept = self.empty();
        self.keep(found.into_iter())?.into_iter().for_each(|address| kept.push(address));
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use ureq::unversioned::transport::time;

    use super::*;

    fn resolve(names: Names, url: &str) -> Result<Vec<SocketAddr>, Error> {
        let after = time::Duration::from_secs(60);
        let timeout = NextTimeout { after, reason: ureq::Timeout::Resolve, per_read: None, per_write: None };
        Ok(names.resolve(&url.parse().unwrap(), &Config::default(), timeout)?.to_vec())
    }

    #[test]
    fn an_address_is_its_own_name() {
        let found = |url| resolve(Names::Any, url).unwrap();
        assert_eq!(found("https://127.0.0.1/"), ["127.0.0.1:443".parse().unwrap()]);
        assert_eq!(found("https://[::1]:8443/"), ["[::1]:8443".parse().unwrap()]);
    }

    #[test]
    fn plain_http_stays_here_wherever_the_name_leads() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        for foreign in [addresses(&["10.99.99.9:80"]), addresses(&["127.0.0.1:80", "10.99.99.9:80"])] {
            let error = Names::ThisMachine.keep(foreign.clone().into_iter()).unwrap_err();
            assert!(matches!(&error, Error::Io(error) if error.get_ref().unwrap().is::<NotThisMachine>()), "{error:?}");
            assert_eq!(Names::Any.keep(foreign.clone().into_iter()).unwrap(), foreign);
        }
        assert!(resolve(Names::ThisMachine, "http://localhost:1/").unwrap().iter().all(|it| it.ip().is_loopback()));
    }
}
