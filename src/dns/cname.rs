//! Where a challenge record has to be placed: the end of the CNAME chain of its name (RFC 1034 section 3.6.2),
//! asked of the authoritative servers so that no resolver learns that the name has no record yet.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::authority::ask_servers;
use super::message::{Question, RecordType, Reply};
use super::server::Found;
use super::zone::{FoundBy, Lookup, Zone, no_address_in_settings};
use crate::error::{self, Explain};
use crate::name::DnsName;

/// The longest chain that is followed. The CA's resolver stops earlier or at about the same length.
pub const MAX_HOPS: usize = 12;
/// The most delegations below the zone that are followed for one name.
const MAX_DELEGATIONS: usize = 4;
/// How long the resolvers of one set are waited for.
const ATTEMPT: Duration = Duration::from_secs(3);

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
    /// The name itself, in a zone of which nobody knows the servers.
    #[must_use]
    pub fn unknown(name: &DnsName) -> Self {
        Self { chain: vec![name.clone()], zone: Zone::default(), notes: Vec::new() }
    }

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
    /// Nobody gave a usable answer.
    #[error("no name server answered the CNAME query for `{name}`")]
    NoAnswer {
        /// The name asked for.
        name: DnsName,
        /// Everything that was tried, a line each.
        tried: Vec<String>,
        /// The zone that was asked in vain; nothing if it is not known either.
        zone: Option<Box<Zone>>,
        /// Whether it may be answered a moment later: not where a server that the settings name does not exist.
        is_passing: bool,
    },
}

impl PlaceError {
    /// Whether DNS may tell the place a moment later without anybody doing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NoAnswer { is_passing: true, .. })
    }
}

fn first(chain: &[DnsName]) -> &str {
    chain.first().map_or("", DnsName::as_str)
}

impl Explain for PlaceError {
    fn kind(&self) -> error::Kind {
        match self {
            Self::Loop { .. } => error::Kind::CnameLoop,
            Self::TooLong { .. } => error::Kind::CnameTooLong,
            Self::NoAnswer { .. } => error::Kind::NameServersUnreachable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Loop { .. } | Self::TooLong { .. } => {
                "let the CNAME record of the challenge name point at a name that has no CNAME record itself".to_owned()
            }
            Self::NoAnswer { .. } => "check that DNS works on this machine (is port 53 open?), or name resolvers with \
                                      IPV64_RESOLVERS, for example `IPV64_RESOLVERS=https://1.1.1.1/dns-query`; \
                                      if there is no CNAME at that name, IPV64_FOLLOW_CNAME=false skips the look-up"
                .to_owned(),
        })
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Loop { chain } | Self::TooLong { chain } => {
                vec![chain.iter().map(DnsName::as_str).collect::<Vec<_>>().join(" -> ")]
            }
            Self::NoAnswer { tried, .. } => tried.clone(),
        }
    }
}

/// What is known about one name on the way.
struct Step {
    /// The zone of the name; its servers may not have answered.
    zone: Zone,
    alias: Alias,
}

/// What is left where no name server gave a usable answer: the lowest zone that was found, and what was tried, a line each.
type Unheard = (Option<Box<Zone>>, Vec<String>);

/// Where a name points.
#[derive(Debug, Default)]
struct Alias {
    /// Nothing if it is no alias of its own.
    target: Option<DnsName>,
    note: Option<String>,
}

impl Alias {
    /// Reads a reply about a name. `ask` is to ask the same of a name beside it that nobody made: if that is the same alias,
    /// a wildcard answers for all names (RFC 4592).
    fn read<E>(name: &DnsName, reply: &Reply, ask: impl FnOnce(&DnsName) -> Result<Reply, E>) -> Result<Self, E> {
        let Some(target) = reply.alias(name) else { return Ok(Self::default()) };
        let label = format!("{:016x}", rand::random::<u64>());
        if let Some(sibling) = name.parent().and_then(|parent| parent.prepend(&label).ok())
            && ask(&sibling)?.alias(&sibling).as_ref() == Some(&target)
        {
            let note = format!("`{name}` is an alias of `{target}` only by a wildcard; not followed");
            return Ok(Self { target: None, note: Some(note) });
        }
        Ok(Self { target: Some(target), note: None })
    }
}

impl Lookup {
    /// Finds the name that has to hold a challenge record, and the zone of that name.
    ///
    /// # Errors
    /// [`PlaceError`], by the deadline.
    pub fn place(&self, name: &DnsName, follow: Follow, deadline: Instant) -> Result<Place, PlaceError> {
        let mut chain = vec![name.clone()];
        let mut notes = Vec::new();
        let mut current = name.clone();
        for _ in 0..=MAX_HOPS {
            let step = self.step(&current, follow, deadline)?;
            notes.extend(step.alias.note);
            // Only there does anybody put one by mistake, and each question counts where one server holds a long chain.
            if step.alias.target.is_some() && chain.len() == 1 {
                notes.extend(self.text_beside(&current, &step.zone, deadline));
            }
            let Some(target) = step.alias.target.filter(|_| follow == Follow::Chain) else {
                return Ok(Place { chain, zone: step.zone, notes });
            };
            let passed = chain.contains(&target);
            chain.push(target.clone());
            if passed {
                return Err(PlaceError::Loop { chain });
            }
            current = target;
        }
        Err(PlaceError::TooLong { chain })
    }

    /// Finds the zone of a name anew, whatever was found out before; nothing if nobody knows its servers. For a wait that has
    /// lost its servers, or never had them all: it takes some seconds at most where nobody answers, and asks no resolver for
    /// the name itself. Equal results are equal zones.
    #[must_use]
    pub fn discover(&self, name: &DnsName, deadline: Instant) -> Option<Zone> {
        let afresh = Self { known: Arc::default(), ..self.clone() };
        match afresh.ask_everybody(name, deadline) {
            Ok(step) => Some(step.zone),
            Err((lowest, _)) => lowest.map(|zone| *zone),
        }
    }

    /// Finds out about one name: of its name servers, else by asking resolvers.
    fn step(&self, name: &DnsName, follow: Follow, deadline: Instant) -> Result<Step, PlaceError> {
        let (zone, mut tried) = match self.ask_everybody(name, deadline) {
            Ok(step) => return Ok(step),
            Err(unheard) => unheard,
        };
        let is_named = self.ways() == [FoundBy::Settings];
        let no_answer = |tried, zone: Option<_>| {
            let is_passing = !is_named || zone.is_some();
            PlaceError::NoAnswer { name: name.clone(), tried, zone, is_passing }
        };
        // Whoever names servers wants no others to be asked.
        if is_named && zone.as_ref().is_none_or(|zone| zone.servers.is_empty()) {
            let unfound = zone.iter().flat_map(|zone| &zone.unfound);
            tried.extend(unfound.map(no_address_in_settings));
            return Err(no_answer(tried, zone));
        }
        let known = |zone: Option<Box<Zone>>| zone.map_or_else(Zone::default, |zone| *zone);
        match self.ask_resolvers_for_alias(name, deadline) {
            Ok(alias) => Ok(Step { zone: known(zone), alias }),
            // Whoever does not follow aliases does not need to know.
            Err(_) if follow == Follow::Never => Ok(Step { zone: known(zone), alias: Alias::default() }),
            Err(lines) => {
                tried.extend(lines);
                let mut seen = BTreeSet::new();
                tried.retain(|line| seen.insert(line.clone()));
                Err(no_answer(tried, zone))
            }
        }
    }

    /// Asks the name servers about a name, in the first way in which they are found and answer.
    ///
    /// The zone is found from the name above, so that no resolver is asked for the name itself; a zone cut at the name is
    /// found by the referral with which the zone above answers. Where nobody is heard, the lowest zone that was found is
    /// taken: resolvers that cannot reach its servers either name the zone above it.
    fn ask_everybody(&self, name: &DnsName, deadline: Instant) -> Result<Step, Unheard> {
        let above = name.parent().unwrap_or_else(|| name.clone());
        let (mut lowest, mut tried): Unheard = (None, Vec::new());
        for way in self.ways() {
            let mut zone = match self.zone_by(*way, &above, deadline) {
                Ok(zone) => zone,
                Err(lines) => {
                    tried.extend(lines);
                    continue;
                }
            };
            if lowest.as_ref().is_some_and(|lowest| lowest.servers == zone.servers) {
                continue;
            }
            match self.ask_zone(name, &mut zone, deadline) {
                Ok(alias) => return Ok(Step { zone, alias }),
                Err(lines) => tried.extend(lines),
            }
            if lowest.as_ref().is_none_or(|lowest| zone.is_below(lowest)) {
                lowest = Some(Box::new(zone));
            }
        }
        Err((lowest, tried))
    }

    /// Asks the servers of a zone about a name, and those of zones below it that they refer to: `zone` becomes the one that
    /// was asked last.
    fn ask_zone(&self, name: &DnsName, zone: &mut Zone, deadline: Instant) -> Result<Alias, Vec<String>> {
        for _ in 0..MAX_DELEGATIONS {
            let reply = self.ask_servers(zone, &Question::authoritative(name, RecordType::CNAME), deadline)?;
            if let Some(below) = reply.referral() {
                let found = Found::in_referral(&reply, &below, self.port);
                let found = self.complete(found, FoundBy::Settings, deadline);
                if found.servers.is_empty() {
                    *zone = found.into_zone(Some(below.clone()), zone.found_by);
                    return Err(vec![format!("no address of the name servers of `{below}` could be found")]);
                }
                *zone = self.both_sides((below, Some(found.clone())), found, zone.found_by, deadline);
                continue;
            }
            if let Some(lower) = self.lower_zone(name, &reply, zone, deadline)? {
                *zone = lower;
                return Ok(Alias::default());
            }
            return Alias::read(name, &reply, |sibling| {
                self.ask_servers(zone, &Question::authoritative(sibling, RecordType::CNAME), deadline)
            });
        }
        Err(vec![format!("more than {MAX_DELEGATIONS} referrals for `{name}`")])
    }

    /// Returns the zone below the one that was asked, if the name is in it: where one server holds both sides of a zone cut, it
    /// answers for the lower one without a referral.
    fn lower_zone(
        &self,
        name: &DnsName,
        reply: &Reply,
        asked: &Zone,
        deadline: Instant,
    ) -> Result<Option<Zone>, Vec<String>> {
        let is_lower = |apex: &DnsName| {
            name.is_within(apex) && asked.apex.as_ref().is_some_and(|above| apex != above && apex.is_within(above))
        };
        let Some(apex) = reply.zone().filter(|_| !reply.has_answers()).filter(is_lower) else { return Ok(None) };
        let names = self.ask_servers(asked, &Question::authoritative(&apex, RecordType::NS), deadline)?;
        let found = self.complete(Found::unfound(names.name_servers(&apex)), FoundBy::Settings, deadline);
        let zone = || self.both_sides((apex, None), found.clone(), asked.found_by, deadline);
        Ok((!found.servers.is_empty()).then(zone))
    }

    /// A TXT record beside an alias is against the rules (RFC 1034 section 3.6.2), and some servers show it instead.
    fn text_beside(&self, name: &DnsName, zone: &Zone, deadline: Instant) -> Option<String> {
        let reply = self.ask_servers(zone, &Question::authoritative(name, RecordType::TXT), deadline);
        let beside = reply.is_ok_and(|reply| reply.texts(name).next().is_some());
        beside.then(|| format!("`{name}` has a TXT record next to its CNAME; remove one of them"))
    }

    fn ask_servers(&self, zone: &Zone, question: &Question, deadline: Instant) -> Result<Reply, Vec<String>> {
        ask_servers((zone.apex.as_ref(), &zone.servers), question, &self.pace, deadline)
    }

    /// Where no authoritative server can be asked: resolvers, those over HTTPS first, since the others may be what is in
    /// the way. They remember that the name has no record yet; the check that follows has to live with that.
    fn ask_resolvers_for_alias(&self, name: &DnsName, deadline: Instant) -> Result<Alias, Vec<String>> {
        let mut tried = Vec::new();
        for set in [&self.fallback, &self.resolvers] {
            let until = deadline.min(Instant::now() + ATTEMPT);
            let ask = |name: &DnsName| set.ask(&Question::recursive(name, RecordType::CNAME), until, Reply::is_answer);
            match ask(name).and_then(|reply| Alias::read(name, &reply, ask)) {
                Ok(alias) => return Ok(alias),
                Err(failures) => tried.extend(failures),
            }
        }
        Err(tried)
    }
}

#[cfg(test)]
mod tests;
