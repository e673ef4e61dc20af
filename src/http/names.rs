//! Host names to addresses, within the time of a request. The system's resolver is asked for the name as it stands, without
//! the search domains of resolv.conf: where one of them has a wildcard, `ipv64.net` would lead to a stranger.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::target::bare_host;
use crate::name::DnsName;
use crate::provider;

/// The most addresses of a host that are tried: as many as ureq has room for.
const MOST_ADDRESSES: usize = 16;
/// Names of this machine's administrator, which come before DNS (hosts(5)).
const HOSTS: &str = "/etc/hosts";
/// Names the resolvers. Without it the system asks this machine itself.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Why a host name has no address, as far as this machine can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// No resolver, or none that can say something about the name.
    #[error("no DNS resolver of this machine answers (/etc/resolv.conf)")]
    NoAnswer,
    /// No answer before the time was up.
    #[error("the DNS resolver of this machine (/etc/resolv.conf) does not answer in time")]
    TimedOut,
    /// Nobody answers, and no resolver is named, as in a container that was given none.
    #[error("this machine has no DNS resolver: there is no /etc/resolv.conf")]
    NoResolver,
    /// The resolver says so.
    #[error("the name has no address, says the DNS resolver of this machine (/etc/resolv.conf)")]
    Unknown,
}

/// Returns the addresses that this machine's resolver or its hosts file has for a name, or what an address itself is.
/// Where no thread can be had (a limit on tasks or on memory) the system's own deadline of some seconds holds.
///
/// # Errors
/// [`NoAddress`], after `patience` at the latest.
pub fn look_up(host: &str, port: u16, patience: Duration) -> Result<Vec<SocketAddr>, NoAddress> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let (sender, found) = sync_channel(1);
    let asked = host.to_owned();
    let ask = move || sender.send(ask_system(&asked, port)).ok();
    let found = match thread::Builder::new().name("host name".to_owned()).spawn(ask) {
        Ok(_) => found.recv_timeout(patience).unwrap_or(Err(NoAddress::TimedOut)),
        Err(_) => ask_system(host, port),
    };
    found.map_err(|cause| match cause {
        NoAddress::NoAnswer | NoAddress::TimedOut if !Path::new(RESOLV_CONF).exists() => NoAddress::NoResolver,
        told => told,
    })
}

/// Returns whether /etc/hosts gives the name an address.
pub(super) fn is_in_hosts_file(host: &str) -> bool {
    has_line(Path::new(HOSTS), host)
}

fn has_line(hosts: &Path, host: &str) -> bool {
    // What is no file (a pipe) could keep us waiting for ever.
    let text = hosts.is_file().then(|| std::fs::read(hosts).ok()).flatten().unwrap_or_default();
    let names = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        line.split_whitespace().skip(1).any(|name| name.eq_ignore_ascii_case(host))
    };
    String::from_utf8_lossy(&text).lines().any(names)
}

/// A dot at the end keeps the resolver from the search domains. The hosts file knows no such dot (glibc and musl), and names
/// without any dot (`localhost`, `proxy`) are meant to be looked up as the system does.
fn ask_system(host: &str, port: u16) -> Result<Vec<SocketAddr>, NoAddress> {
    let ask = |name: &str| match (name, port).to_socket_addrs() {
        Ok(found) => Ok(found.collect::<Vec<_>>()),
        Err(error) => Err(cause(&error)),
    };
    if !host.contains('.') || host.ends_with('.') || is_in_hosts_file(host) {
        return ask(host);
    }
    match ask(&format!("{host}.")) {
        // `proxy.infra` may be meant to go on with a search domain; a name of IPv64 never is.
        Err(NoAddress::Unknown) if !DnsName::parse(host).is_ok_and(|name| provider::owns(&name)) => ask(host),
        found => found,
    }
}

/// The standard library keeps getaddrinfo's code to itself: there is only its text, which has no translation unless a program
/// asks for one. glibc: EAI_NONAME, EAI_NODATA; musl: the same.
fn cause(error: &io::Error) -> NoAddress {
    const UNKNOWN: [&str; 4] =
        ["Name or service not known", "No address associated", "Name does not resolve", "no usable address"];
    let text = error.to_string();
    if UNKNOWN.iter().any(|unknown| text.contains(unknown)) { NoAddress::Unknown } else { NoAddress::NoAnswer }
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
    fn keep(self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Error> {
        match self {
            _ if found.is_empty() => Err(io::Error::other(NoAddress::Unknown).into()),
            Self::ThisMachine if found.iter().any(|address| !address.ip().is_loopback()) => {
                Err(io::Error::other(NotThisMachine).into())
            }
            _ => Ok(found),
        }
    }
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let (host, port) = bare_host(uri).ok_or(Error::HostNotFound)?;
        let found = look_up(host, port, *timeout.after).map_err(io::Error::other)?;
        let mut kept = self.empty();
        self.keep(found)?.into_iter().take(MOST_ADDRESSES).for_each(|address| kept.push(address));
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
        assert_eq!(found("http://127.0.0.1"), ["127.0.0.1:80".parse().unwrap()]);
    }

    #[test]
    fn plain_http_stays_here_wherever_the_name_leads() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        for foreign in [addresses(&["10.99.99.9:80"]), addresses(&["127.0.0.1:80", "10.99.99.9:80"])] {
            let error = Names::ThisMachine.keep(foreign.clone()).unwrap_err();
            assert!(matches!(&error, Error::Io(error) if error.get_ref().unwrap().is::<NotThisMachine>()), "{error:?}");
            assert_eq!(Names::Any.keep(foreign.clone()).unwrap(), foreign);
        }
        assert!(resolve(Names::ThisMachine, "http://localhost:1/").unwrap().iter().all(|it| it.ip().is_loopback()));
    }

    #[test]
    fn lines_of_the_hosts_file_are_found_as_the_system_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        std::fs::write(
            &path,
            b"127.0.0.1 localhost\n0.0.0.0\tb.example IPV64.net # c.example\n#1.1.1.1 d.example\n\xff\n",
        )
        .unwrap();
        for (host, is_there) in [("ipv64.net", true), ("b.example", true), ("c.example", false), ("d.example", false)] {
            assert_eq!(has_line(&path, host), is_there, "{host}");
        }
        assert!(!has_line(&folder.path().join("missing"), "ipv64.net") && !has_line(folder.path(), "ipv64.net"));
    }

    #[test]
    fn words_of_the_system_are_told_apart() {
        let said = |text: &str| cause(&io::Error::other(format!("failed to lookup address information: {text}")));
        for text in ["Name or service not known", "No address associated with hostname", "Name does not resolve"] {
            assert_eq!(said(text), NoAddress::Unknown, "{text}");
        }
        for text in ["Temporary failure in name resolution", "Try again", "Non-recoverable failure in name resolution"]
        {
            assert_eq!(said(text), NoAddress::NoAnswer, "{text}");
        }
    }
}
