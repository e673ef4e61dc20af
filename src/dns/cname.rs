//! Where a challenge record has to be placed: the end of the CNAME chain of its name (RFC 1034 section 3.6.2),
//! asked of the authoritative servers so that no resolver learns that the name has no record yet.

use std::time::{Duration, Instant};

use super::exchange::ask_whole;
use super::message::{Kind, Question, Rcode, Reply};
use super::zone::{Lookup, NoZone, Server, Zone};
use crate::challenge::TxtValue;
use crate::exit::{Exit, Explain};
use crate::name::DnsName;

/// The longest chain that is followed. The CA's resolver stops earlier or at about the same length.
pub const MAX_HOPS: usize = 12;
/// The most delegations below the zone that are followed for one name.
const MAX_DELEGATIONS: usize = 4;
/// How long one server is waited for.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// Whether aliases are followed (`IPV64_FOLLOW_CNAME`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// The record goes to the end of the chain.
    Chain,
    /// The record goes to the challenge name itself.
    Never,
}

/// Where a record belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The names on the way, the challenge name first; the record belongs at the last one.
    pub chain: Vec<DnsName>,
    /// The zone that holds the last name.
    pub zone: Zone,
    /// What a person should know: a wildcard that was not followed, a TXT record beside the alias.
    pub notes: Vec<String>,
}

impl Place {
    /// Returns the name that has to hold the record.
    #[must_use]
    pub fn target<'a>(&'a self, name: &'a DnsName) -> &'a DnsName {
        self.chain.last().unwrap_or(name)
    }
}

/// Why the place of a record could not be found. A look-up that fails is not "no CNAME": guessing would put the record
/// where nobody looks, and the user would only read the CA's "no TXT record found".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The chain comes back to one of its names.
    #[error("the CNAME chain of `{}` is a loop", first(chain))]
    Loop {
        /// All names passed; the last one was passed before.
        chain: Vec<DnsName>,
    },
    /// The chain does not end.
    #[error("the CNAME chain of `{}` is longer than {MAX_HOPS}", first(chain))]
    TooLong {
        /// All names passed.
        chain: Vec<DnsName>,
    },
    /// No servers for one of the names.
    #[error(transparent)]
    NoZone(#[from] NoZone),
    /// No server of the zone gave a usable answer.
    #[error("no authoritative name server answered whether `{name}` is an alias")]
    NoAnswer {
        /// The name asked for.
        name: DnsName,
        /// Each server and what it did.
        servers: Vec<String>,
    },
}

fn first(chain: &[DnsName]) -> &str {
    chain.first().map_or("", DnsName::as_str)
}

impl Explain for PlaceError {
    fn exit(&self) -> Exit {
        Exit::NoAnswer
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Loop { .. } => "cname_loop",
            Self::TooLong { .. } => "cname_too_long",
            Self::NoZone(_) => "no_name_servers",
            Self::NoAnswer { .. } => "name_servers_unreachable",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Loop { .. } | Self::TooLong { .. } => {
                "let the CNAME record of the challenge name point at a name that has no CNAME record itself".to_owned()
            }
            Self::NoZone(_) | Self::NoAnswer { .. } => {
                "check that DNS works on this machine (is port 53 open?), or name \
                 resolvers with IPV64_RESOLVERS, for example `IPV64_RESOLVERS=https://1.1.1.1/dns-query`"
                    .to_owned()
            }
        })
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Loop { chain } | Self::TooLong { chain } => {
                vec![chain.iter().map(DnsName::as_str).collect::<Vec<_>>().join(" -> ")]
            }
            Self::NoZone(error) => error.tried.clone(),
            Self::NoAnswer { servers, .. } => servers.clone(),
        }
    }
}

impl Lookup {
    /// Finds the name that has to hold a challenge record, and the zone of that name.
    ///
    /// # Errors
    /// [`PlaceError`], by the deadline.
    pub fn place(&self, name: &DnsName, follow: Follow, deadline: Instant) -> Result<Place, PlaceError> {
        let mut place = Place { chain: vec![name.clone()], zone: self.zone_above(name, deadline)?, notes: Vec::new() };
        if follow == Follow::Never {
            return Ok(place);
        }
        let mut current = name.clone();
        for _ in 0..MAX_HOPS {
            let Some(target) = self.alias(&current, &mut place, deadline)? else { return Ok(place) };
            let known = place.chain.contains(&target);
            place.chain.push(target.clone());
            if known {
                return Err(PlaceError::Loop { chain: place.chain });
            }
            place.zone = self.zone_above(&target, deadline)?;
            current = target;
        }
        Err(PlaceError::TooLong { chain: place.chain })
    }

    /// Finds the zone from the name above, so that no resolver is asked for the name itself. A zone cut at the name is
    /// found by the referral that the zone above answers with.
    fn zone_above(&self, name: &DnsName, deadline: Instant) -> Result<Zone, NoZone> {
        self.zone_of(&name.parent().unwrap_or_else(|| name.clone()), deadline)
    }

    /// Returns the alias target of a name, if it has one of its own. Moves `place.zone` down along referrals.
    fn alias(&self, name: &DnsName, place: &mut Place, deadline: Instant) -> Result<Option<DnsName>, PlaceError> {
        for _ in 0..MAX_DELEGATIONS {
            let reply = self.ask_zone(&place.zone, &Question::authoritative(name, Kind::Cname), deadline)?;
            if let Some(below) = reply.referral() {
                place.zone = self.follow_referral(below, &reply, deadline)?;
                continue;
            }
            let Some(target) = reply.alias(name) else { return Ok(None) };
            if self.is_wildcard(name, target, &place.zone, deadline)? {
                place.notes.push(format!("`{name}` is an alias of `{target}` only by a wildcard; not followed"));
                return Ok(None);
            }
            return Ok(Some(target.clone()));
        }
        Err(PlaceError::NoAnswer { name: name.clone(), servers: vec!["referrals without end".to_owned()] })
    }

    /// Asks for a name that nobody made: if it is the same alias, a wildcard answers for all names (RFC 4592).
    fn is_wildcard(
        &self,
        name: &DnsName,
        target: &DnsName,
        zone: &Zone,
        deadline: Instant,
    ) -> Result<bool, PlaceError> {
        let random = TxtValue::random().map(|value| value.as_str().replace(['-', '_'], "").to_ascii_lowercase());
        let label = random.unwrap_or_default().chars().take(16).collect::<String>();
        let Some(sibling) = name.parent().and_then(|parent| parent.prepend(&label).ok()) else { return Ok(false) };
        let reply = self.ask_zone(zone, &Question::authoritative(&sibling, Kind::Cname), deadline)?;
        Ok(reply.alias(&sibling) == Some(target))
    }

    fn follow_referral(&self, below: &DnsName, reply: &Reply, deadline: Instant) -> Result<Zone, NoZone> {
        let names: Vec<_> = Reply::name_servers(&reply.authority).cloned().collect();
        let glue = |name| Reply::addresses(&reply.additional, name).map(move |ip| self.server(name, ip));
        let servers: Vec<_> = names.iter().flat_map(glue).collect();
        if servers.is_empty() {
            return self.servers_of(below, &names, deadline);
        }
        Ok(Zone { apex: Some(below.clone()), servers, found_by: super::zone::FoundBy::Resolvers })
    }

    /// Asks the servers of a zone, one after the other, until one answers with authority or refers further down.
    fn ask_zone(&self, zone: &Zone, question: &Question, deadline: Instant) -> Result<Reply, PlaceError> {
        let mut seen = Vec::new();
        while Instant::now() < deadline {
            for server in &zone.servers {
                match self.ask_server(server, question, deadline) {
                    Ok(reply) => return Ok(reply),
                    Err(line) => seen.push(line),
                }
            }
            if seen.len() >= zone.servers.len() * 2 {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        Err(PlaceError::NoAnswer { name: question.name.clone(), servers: seen })
    }

    fn ask_server(&self, server: &Server, question: &Question, deadline: Instant) -> Result<Reply, String> {
        if !self.pace.wait(server.address.ip(), deadline) {
            return Err(format!("{server}: no time left"));
        }
        let attempt = deadline.min(Instant::now() + ATTEMPT);
        match ask_whole(server.address, question, attempt) {
            Ok(reply) if reply.referral().is_some_and(|below| question.name.is_within(below)) => Ok(reply),
            Ok(reply) if reply.authoritative && matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain) => Ok(reply),
            Ok(reply) if reply.authoritative => Err(format!("{server}: {}", reply.rcode)),
            Ok(reply) => Err(format!("{server}: {} without authority", reply.rcode)),
            Err(error) => Err(format!("{server}: {error}")),
        }
    }
}
