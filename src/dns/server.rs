//! Servers and zones as values: what is known of them, and what is not. Who finds them is in [`super::walk`] and
//! [`super::zone`].

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::message::Reply;
use crate::name::DnsName;

/// Name servers of one zone beyond this number are left out: no zone has so many, but a reply could.
pub(super) const MAX_SERVERS: usize = 64;
/// So are addresses.
pub(super) const MAX_ADDRESSES: usize = 128;

/// One address of an authoritative server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Server {
    /// The server's name; none where the user gave an address.
    pub name: Option<DnsName>,
    /// Where it is asked.
    pub address: SocketAddr,
}

impl Server {
    pub(super) fn named(name: &DnsName, ip: IpAddr, port: u16) -> Self {
        Self { name: Some(name.clone()), address: SocketAddr::new(ip, port) }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address: &dyn fmt::Display = if self.address.port() == 53 { &self.address.ip() } else { &self.address };
        match &self.name {
            Some(name) => write!(f, "{name} ({address})"),
            None => write!(f, "{address}"),
        }
    }
}

/// How the servers of a zone were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// The user named them.
    Settings,
    /// The configured resolvers.
    #[default]
    Resolvers,
    /// Referrals from the root servers.
    Roots,
    /// Resolvers over HTTPS.
    Https,
}

/// A zone with its servers: those that the delegation names and those that the zone itself names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Zone {
    /// The name at the zone cut; none where the user named the servers.
    pub apex: Option<DnsName>,
    /// Every address of every authoritative server, in order; empty only where nobody knows any.
    pub servers: Vec<Server>,
    /// Name servers that may have addresses, or more than are known, but nobody could tell them.
    pub unfound: Vec<DnsName>,
    /// How many servers and addresses are left out because there are too many.
    pub left_out: usize,
    /// Name servers that only the delegation names, if both sides are known.
    pub only_parent: Vec<DnsName>,
    /// Name servers that only the zone itself names, if both sides are known.
    pub only_zone: Vec<DnsName>,
    /// How they were found.
    pub found_by: FoundBy,
    /// Whether the configured resolvers name others than the delegation does, from the root servers on (split DNS).
    pub split: bool,
}

impl Zone {
    /// Returns a line for people on the servers that are not asked.
    #[must_use]
    pub fn not_asked(&self) -> Vec<String> {
        let unfound = self.unfound.iter();
        let mut lines: Vec<_> = unfound.map(|name| format!("not every address of `{name}` could be found")).collect();
        if let (Some(apex), 1..) = (&self.apex, self.left_out) {
            let (asked, left_out) = (self.servers.len(), self.left_out);
            lines.push(format!(
                "`{apex}` has too many name servers: {asked} addresses are asked, {left_out} more are not"
            ));
        }
        lines
    }

    /// Whether the zone is known to be a part of another one's space of names, which the other has delegated.
    pub(super) fn is_below(&self, other: &Self) -> bool {
        let below = |apex: &DnsName| other.apex.as_ref().is_some_and(|above| apex != above && apex.is_within(above));
        self.apex.as_ref().is_some_and(below)
    }
}

/// The servers of a zone, as far as they are found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) servers: BTreeSet<Server>,
    /// Names whose addresses are not known yet, or not all of them.
    pub(super) unfound: BTreeSet<DnsName>,
    /// Names that have no address at all, as somebody says, which may be an error that passes.
    pub(super) denied: BTreeSet<DnsName>,
    /// Names that are not looked up because there are too many.
    pub(super) left_out: usize,
}

impl Found {
    /// Returns the servers of a referral with the addresses that it gives. Whoever has none, or only one kind (RFC 8499
    /// calls it glue, and it may be incomplete), has to be looked up.
    pub(super) fn in_referral(referral: &Reply, below: &DnsName, port: u16) -> Self {
        let mut found = Self::unfound(referral.name_servers(below));
        let names = found.unfound.clone();
        for name in names {
            let addresses = referral.addresses(&name);
            if addresses.iter().any(IpAddr::is_ipv4) && addresses.iter().any(IpAddr::is_ipv6) {
                found.unfound.remove(&name);
            }
            found.servers.extend(addresses.into_iter().map(|ip| Server::named(&name, ip, port)));
        }
        found
    }

    /// Names that are to be looked up, and no more of them than any zone has.
    pub(super) fn unfound(mut names: BTreeSet<DnsName>) -> Self {
        let left_out = names.len().saturating_sub(MAX_SERVERS);
        if let Some(first_left_out) = names.iter().nth(MAX_SERVERS).cloned() {
            names.split_off(&first_left_out);
        }
        Self { unfound: names, left_out, ..Self::default() }
    }

    /// Returns the names of all servers, with and without addresses.
    pub(super) fn names(&self) -> BTreeSet<DnsName> {
        self.named().chain(&self.unfound).chain(&self.denied).cloned().collect()
    }

    fn named(&self) -> impl Iterator<Item = &DnsName> {
        self.servers.iter().filter_map(|server| server.name.as_ref())
    }

    /// Returns the names that have no address as somebody says, and of which nobody tells one.
    pub(super) fn without_address(&self) -> BTreeSet<DnsName> {
        &self.denied - &self.named().cloned().collect()
    }

    /// Returns the addresses of all servers.
    pub(super) fn addresses(&self) -> BTreeSet<SocketAddr> {
        self.servers.iter().map(|server| server.address).collect()
    }

    /// Adds what another look-up has found, and what it has not.
    pub(super) fn merge(&mut self, more: Self) {
        self.servers.extend(more.servers);
        self.unfound.extend(more.unfound);
        self.denied.extend(more.denied);
        self.left_out = self.left_out.max(more.left_out);
    }

    pub(super) fn into_zone(self, apex: Option<DnsName>, found_by: FoundBy) -> Zone {
        let left_out = self.left_out + self.servers.len().saturating_sub(MAX_ADDRESSES);
        let unfound = self.unfound.union(&self.without_address()).cloned().collect();
        let servers = self.servers.into_iter().take(MAX_ADDRESSES).collect();
        Zone { apex, servers, unfound, left_out, found_by, ..Zone::default() }
    }
}
