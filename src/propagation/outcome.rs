//! What a wait ends with: ready or not, the table of servers, and the advice that fits the pattern in it.
//! Only values and words; printing is left to [`crate::report`].

use std::collections::BTreeSet;
use std::time::Duration;

use super::rule::ServerStatus;
use super::target::Host;
use crate::error::{Explain, Kind};
use crate::name::DnsName;
use crate::provider;

/// What the verdict "ready" rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Every authoritative address that answers.
    Authoritative,
    /// The configured resolvers, since no authoritative server could be asked.
    Resolvers,
    /// Resolvers over HTTPS, since nothing else could be asked.
    Https,
    /// Nothing: a fixed pause that the user allowed.
    Blind,
}

/// A server that answers with authority for another zone than the one that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherZone {
    /// The zone that it answers for.
    pub served: DnsName,
    /// The zone that was found.
    pub wanted: DnsName,
}

/// One server address in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The server and its address.
    pub host: Host,
    /// Where it stands.
    pub status: ServerStatus,
    /// Its last answer, in words.
    pub last: String,
    /// Whether that was about another zone.
    pub other_zone: Option<OtherZone>,
    /// From the start of the wait to the first of its unbroken positive answers.
    pub after: Option<Duration>,
    /// Whether TCP was tried and did not work.
    pub no_tcp: bool,
    /// Whether several machines have been seen behind it.
    pub several: bool,
}

impl Row {
    /// Returns the row as text: verdict, last answer, remarks.
    #[must_use]
    pub fn describe(&self) -> String {
        match self.host {
            Host::Server(_) => {}
            Host::Unfound(_) => return "not every address of it could be found".to_owned(),
            Host::LeftOut(_) => return "too many to be queried".to_owned(),
        }
        let mut text = match self.status {
            ServerStatus::Serving => format!("has it, after {:.1} s", self.after.unwrap_or_default().as_secs_f64()),
            ServerStatus::Confirming => "has it, not confirmed often enough yet".to_owned(),
            ServerStatus::Lagging => match &self.other_zone {
                Some(OtherZone { served, wanted }) => {
                    format!("answers for the zone `{served}`, not for `{wanted}`: {}", self.last)
                }
                None => format!("lags: {}", self.last),
            },
            ServerStatus::Lame => format!("not authoritative: {}", self.last),
            ServerStatus::Silent => format!("does not answer: {}", self.last),
            ServerStatus::NoRoute => "cannot be reached from here: no route".to_owned(),
            ServerStatus::Unknown if !self.last.is_empty() => self.last.clone(),
            ServerStatus::Unknown => "not asked yet".to_owned(),
        };
        if self.several && self.status != ServerStatus::Serving {
            text.push_str("; there are several servers behind this address, and they disagree");
        }
        if self.no_tcp && matches!(self.status, ServerStatus::Serving | ServerStatus::Confirming) {
            text.push_str("; does not answer over TCP");
        }
        text
    }
}

/// The records are ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// From the start of the wait.
    pub waited: Duration,
    /// Every address asked.
    pub rows: Vec<Row>,
    /// What the verdict rests on.
    pub basis: Basis,
    /// Whether the root servers led to other servers than the configured resolvers; the former were asked.
    pub split: bool,
}

impl Ready {
    /// Returns how many addresses serve the records.
    #[must_use]
    pub fn serving(&self) -> usize {
        self.rows.iter().filter(|row| row.status == ServerStatus::Serving).count()
    }

    /// Returns what belongs to the success and a person may want to know, a line each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self
            .rows
            .iter()
            .filter(|row| row.status != ServerStatus::Serving || row.no_tcp)
            .map(|row| format!("{} {}", row.host, row.describe()))
            .collect();
        if self.split {
            notes.push(
                "the configured resolvers name other name servers than the root servers do (split DNS?); those of the \
                root servers were queried"
                    .to_owned(),
            );
        }
        let weak = match self.basis {
            Basis::Authoritative => return notes,
            Basis::Resolvers => "this relies on the configured resolvers: no name server could be queried",
            Basis::Https => "this relies on resolvers over HTTPS: no name server could be queried",
            Basis::Blind => "this relies on a fixed pause (IPV64_BLIND_WAIT): no server could be queried",
        };
        notes.push(weak.to_owned());
        notes
    }
}

/// Why a wait ended without "ready".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The time was up.
    TimedOut,
    /// Nobody could be asked, neither authoritative servers nor resolvers.
    NobodyAnswers,
    /// A signal ended it.
    Interrupted,
}

/// The records are not ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", headline(.names, *.cause, *.waited, .rows))]
pub struct NotReady {
    /// The names waited for.
    pub names: Vec<DnsName>,
    /// Why the wait ended.
    pub cause: Cause,
    /// From its start.
    pub waited: Duration,
    /// Every address asked.
    pub rows: Vec<Row>,
    /// Whether recursive answers came from "authoritative" addresses.
    pub intercepted: bool,
    /// Zones whose answers a CA refuses, since signatures that their parents announce are missing or do not hold.
    pub bogus: Vec<DnsName>,
}

fn headline(names: &[DnsName], cause: Cause, waited: Duration, rows: &[Row]) -> String {
    let shown = match names {
        [only] => format!("`{only}` is"),
        [first, rest @ ..] => format!("`{first}` and {} more are", rest.len()),
        [] => "the record is".to_owned(),
    };
    let seconds = waited.as_secs_f64();
    let is_silent = |row: &Row| matches!(row.status, ServerStatus::Silent | ServerStatus::NoRoute);
    match cause {
        Cause::TimedOut if rows.is_empty() => {
            format!("no name server was found for {seconds:.0} s, so it is unknown whether {shown} there")
        }
        Cause::TimedOut if rows.iter().all(is_silent) => {
            format!("no name server answered for {seconds:.0} s, so it is unknown whether {shown} there")
        }
        Cause::TimedOut => format!("{shown} not on every name server after {seconds:.0} s"),
        Cause::NobodyAnswers => format!("{shown} added, but no name server could be queried for {seconds:.0} s"),
        Cause::Interrupted => format!("interrupted after {seconds:.0} s: {shown} not yet on every name server"),
    }
}

impl NotReady {
    fn advice(&self) -> String {
        use ServerStatus::{Confirming, Lagging, Lame, NoRoute, Silent, Unknown};
        let with = |statuses: &[ServerStatus]| self.rows.iter().filter(|row| statuses.contains(&row.status)).count();
        let lagging = || self.rows.iter().filter(|row| matches!(row.status, Lagging | Confirming));
        // Waiting does not help with servers that are not the provider's.
        let foreign = lagging().filter_map(|row| row.host.name()).filter(|name| !provider::owns(name));
        let foreign: BTreeSet<_> = foreign.map(DnsName::as_str).collect();
        let astray = lagging().find_map(|row| row.other_zone.as_ref().map(|other| (&row.host, other)));
        let waited = self.waited.as_secs();
        let advice = if self.intercepted {
            "something in this network answers in place of the name servers (a router or firewall that redirects port 53): \
             exempt this host from that, or name resolvers over HTTPS with IPV64_DOH"
        } else if self.rows.iter().any(|row| row.status == Unknown && !row.last.is_empty()) {
            "nothing is wrong with these servers, but this machine could not query them: raise its limits (`ulimit -n`), or \
             end what uses them up"
        } else if !foreign.is_empty() {
            return format!(
                "the domain is delegated to name servers of another provider ({}), and IPv64 does not publish records there: \
                 delegate it to ns1.ipv64.net and ns2.ipv64.net alone at its registrar, or make the challenge name a CNAME to a \
                 name below a domain that is at IPv64",
                Vec::from_iter(foreign).join(", ")
            );
        } else if let Some((host, OtherZone { served, wanted })) = astray {
            let cure = if provider::owns(wanted) {
                "tell IPv64, who run that zone".to_owned()
            } else {
                format!(
                    "delegate `{wanted}` to ns1.ipv64.net and ns2.ipv64.net alone at its registrar, and add it at IPv64.net"
                )
            };
            return format!(
                "waiting does not help: {host} has no copy of `{wanted}`, and answers for `{served}` instead; {cure}"
            );
        } else if with(&[Lagging]) > 0 && with(&[Lagging, NoRoute, Silent]) == self.rows.len() {
            return format!(
                "no server has it yet: try again, with a longer IPV64_PROPAGATION_TIMEOUT (now {waited} s) if it lasts"
            );
        } else if lagging().count() > 0 {
            return format!(
                "the servers that lag update late: raise IPV64_PROPAGATION_TIMEOUT (now {waited} s) or try again later; if it lasts, \
                 `ipv64-acme doctor` compares the zones that they have"
            );
        } else if with(&[Lame]) > 0 {
            "the servers do not serve this domain: check in the domain's settings at IPv64.net and at its registrar that \
             it is delegated to ns1.ipv64.net and ns2.ipv64.net"
        } else {
            "check that this machine can reach the name servers on port 53 (UDP and TCP), or allow resolvers over HTTPS \
             with IPV64_DOH"
        };
        advice.to_owned()
    }
}

impl Explain for NotReady {
    fn kind(&self) -> Kind {
        match self.cause {
            Cause::TimedOut => Kind::NotPropagated,
            Cause::NobodyAnswers => Kind::NameServersUnreachable,
            Cause::Interrupted => Kind::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self.cause {
            Cause::Interrupted => None,
            _ => Some(self.advice()),
        }
    }

    fn details(&self) -> Vec<String> {
        let bogus = self.bogus.iter().map(|apex| {
            format!(
                "also, `{apex}` has a DS record at its parent, but no valid signatures (DNSSEC): a CA gets SERVFAIL until \
                the zone is signed again, or the DS record is removed at the registrar"
            )
        });
        by_status(&self.rows).into_iter().chain(bogus).collect()
    }
}

/// A line for each status, with the servers that have it; where several are done, their times do not matter any more.
fn by_status(rows: &[Row]) -> Vec<String> {
    let status = |row: &Row| match row.status {
        ServerStatus::Serving if !row.no_tcp => "has it".to_owned(),
        _ => row.describe(),
    };
    let mut lines: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in rows {
        match lines.iter_mut().find(|(known, _)| *known == status(row)) {
            Some((_, group)) => group.push(row),
            None => lines.push((status(row), vec![row])),
        }
    }
    let line = |(status, group): (String, Vec<&Row>)| match group[..] {
        [only] => format!("{}  {}", only.host, only.describe()),
        _ => {
            let hosts: Vec<_> = group.iter().map(|row| row.host.to_string()).collect();
            format!("{}  {status}", hosts.join(", "))
        }
    };
    lines.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::zone::Server;

    fn advice(rows: &[(&str, ServerStatus)]) -> String {
        let row = |(name, status): &(&str, ServerStatus)| Row {
            host: Host::Server(Server { name: DnsName::parse(name).ok(), address: ([192, 0, 2, 1], 53).into() }),
            status: *status,
            last: "no such name".to_owned(),
            other_zone: None,
            after: None,
            no_tcp: false,
            several: false,
        };
        let not_ready = NotReady {
            names: Vec::new(),
            cause: Cause::TimedOut,
            waited: Duration::from_secs(180),
            rows: rows.iter().map(row).collect(),
            intercepted: false,
            bogus: Vec::new(),
        };
        not_ready.hint().unwrap()
    }

    #[test]
    fn servers_with_one_status_share_a_line() {
        use ServerStatus::{Lagging, Serving};
        let row = |name: &str, status| Row {
            host: Host::Server(Server { name: DnsName::parse(name).ok(), address: ([192, 0, 2, 1], 53).into() }),
            status,
            last: "no TXT record".to_owned(),
            other_zone: None,
            after: Some(Duration::from_secs(3)),
            no_tcp: false,
            several: false,
        };
        let rows = [row("ns1.a", Serving), row("ns2.a", Lagging), row("ns3.a", Lagging)];
        assert_eq!(
            by_status(&rows),
            ["ns1.a (192.0.2.1)  has it, after 3.0 s", "ns2.a (192.0.2.1), ns3.a (192.0.2.1)  lags: no TXT record"]
        );
        assert_eq!(
            by_status(&[row("ns1.a", Serving), row("ns2.a", Serving)]),
            ["ns1.a (192.0.2.1), ns2.a (192.0.2.1)  has it"]
        );
    }

    #[test]
    fn nobody_is_told_to_wait_for_servers_of_another_provider() {
        use ServerStatus::{Lagging, Serving};
        for rows in [
            [("ns1.ipv64.net", Serving), ("ns2.other.example", Lagging)],
            [("ns1.notipv64.net", Lagging), ("ns2.other.example", Lagging)],
        ] {
            let advice = advice(&rows);
            assert!(advice.contains("ns2.other.example") && advice.contains("at its registrar"), "{advice}");
            assert!(!advice.contains("IPV64_PROPAGATION_TIMEOUT"), "{advice}");
        }
        let ours = advice(&[("ns1.ipv64.net", Serving), ("ns2.ipv64.net", Lagging)]);
        assert!(ours.contains("raise IPV64_PROPAGATION_TIMEOUT (now 180 s)"), "{ours}");
    }
}
