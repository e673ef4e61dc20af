//! Host names to addresses, within the time of a request. What the system's resolver does with the name is its own affair.

use std::sync::mpsc::sync_channel;
use std::thread;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{NextTimeout, time};

/// As ureq's own resolver, whose thread with a deadline ends the whole process where no thread can be had (a limit on tasks
/// or on memory). There the name is looked up without a deadline of its own; the system has one of some seconds.
#[derive(Debug, Default)]
pub(super) struct Names;

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        // Without a deadline ureq looks up where it is called.
        let at_leisure = NextTimeout { after: time::Duration::NotHappening, ..timeout };
        let (sender, found) = sync_channel(1);
        let (shared_uri, shared_config) = (uri.clone(), config.clone());
        let look =
            move || sender.send(DefaultResolver::default().resolve(&shared_uri, &shared_config, at_leisure)).ok();
        match thread::Builder::new().name("host name".to_owned()).spawn(look) {
            Ok(_) => found.recv_timeout(*timeout.after).unwrap_or(Err(Error::Timeout(timeout.reason))),
            Err(_) => DefaultResolver::default().resolve(uri, config, at_leisure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(host: &str, after: time::Duration) -> Result<ResolvedSocketAddrs, Error> {
        let timeout = NextTimeout { after, reason: ureq::Timeout::Resolve, per_read: None, per_write: None };
        Names.resolve(&format!("https://{host}/").parse().unwrap(), &Config::default(), timeout)
    }

    #[test]
    fn an_address_is_its_own_name() {
        let found = resolve("127.0.0.1", time::Duration::from_secs(60)).unwrap();
        assert_eq!(found[..], ["127.0.0.1:443".parse().unwrap()]);
    }
}
