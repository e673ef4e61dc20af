//! A network of a test's own with two hosts: the test's, and one for the broker. Where name spaces are not permitted, both are the
//! loopback of this machine.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::process::Command;

use ipv64_acme::sim::network::{Host, Network};

use super::skip::skipped;

/// Both hosts. This thread, with all that it starts, is on the first one until the value is dropped.
pub(crate) struct TwoHosts(Option<(Host, Network)>);

impl TwoHosts {
    /// Makes the hosts. To be called before anything listens.
    pub(crate) fn enter() -> Self {
        let make = || {
            let mut network = Network::enter()?;
            Ok::<_, std::io::Error>((network.add_host()?, network))
        };
        Self(make().inspect_err(|error| skipped(&format!("a broker in a network name space of its own: {error}"))).ok())
    }

    /// The address of the test's host.
    pub(crate) fn near(&self) -> Ipv4Addr {
        self.0.as_ref().map_or(Ipv4Addr::LOCALHOST, |_| Network::FIRST)
    }

    /// The address of the other host.
    pub(crate) fn far(&self) -> Ipv4Addr {
        self.0.as_ref().map_or(Ipv4Addr::LOCALHOST, |(host, _)| host.address())
    }

    /// The IPv6 addresses of both; none on loopback, nor where the system has no IPv6.
    pub(crate) fn ipv6(&self) -> Option<[Ipv6Addr; 2]> {
        let (host, _) = self.0.as_ref()?;
        if TcpListener::bind((Network::FIRST_V6, 0)).is_err() {
            skipped("a broker in another network name space over IPv6: this system has none");
            return None;
        }
        Some([Network::FIRST_V6, host.address_v6()])
    }

    /// Moves a command to the other host.
    pub(crate) fn move_to_far(&self, command: Command) -> Command {
        match &self.0 {
            Some((host, _)) => host.command(&command),
            None => command,
        }
    }
}
