//! This machine: settings, key file, state directory, clock, and the way to the API without a request.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use super::finding::Finding;
use super::parallel;
use crate::dns::exchange::has_route;
use crate::dns::zone::{Lookup, world_roots};
use crate::error::{Explain as _, Kind};
use crate::excerpt::visible_path;
use crate::exit::Exit;
use crate::http::{NoAddress, look_up};
use crate::settings::{Settings, Sources, key};
use crate::state::{StateDir, StateError};

/// How long the look-up of the API's name, and then each connection to it, may take.
const CONNECT: Duration = Duration::from_secs(4);
/// No clock that is right shows less: seconds from 1970 to 2026-01-01.
const OLDEST_TIME: Duration = Duration::from_secs(1_767_225_600);

/// Tells which configuration file is read, and whether there is a key that can be used.
#[must_use]
pub fn settings(sources: &Sources<'_>) -> Vec<Finding> {
    let file = match &sources.file {
        Some(file) => Finding::ok("config", "configuration", format!("read from `{}`", visible_path(file.path()))),
        None => Finding::ok("config", "configuration", "no configuration file: environment and defaults only"),
    };
    let (name, place) = key::describe_place(sources);
    let key = match key::find(sources) {
        Ok(_) => {
            let place =
                place.map_or_else(|| "not needed on a Unix socket".to_owned(), |place| format!("found in {place}"));
            Finding::ok("key", name, place)
        }
        Err(error) => Finding::of(name, error),
    };
    [file].into_iter().chain(hidden_file(sources)).chain([key]).collect()
}

fn hidden_file(sources: &Sources<'_>) -> Option<Finding> {
    let hidden = sources.file.as_ref()?.hides(sources.environment)?;
    let text = format!("`{}` is not read: only the first file found is", visible_path(&hidden));
    let finding = Finding::note("config_hidden", "configuration", text);
    Some(finding.advise("name the one you want with IPV64_CONFIG or --config"))
}

/// Looks whether state can be kept, and whether the clock can be right.
#[must_use]
pub fn surroundings(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![state(settings)];
    if is_years_behind() {
        findings.push(
            Finding::error("clock", "clock", "the clock of this machine is years behind")
                .advise("set it (for example with `timedatectl set-ntp true`): TLS certificates seem not yet valid"),
        );
    }
    findings
}

fn state(settings: &Settings) -> Finding {
    const SUBJECT: &str = "state directory";
    let Some(path) = &settings.state_dir else {
        return Finding::warning("state", SUBJECT, "none: neither HOME nor a setting names one")
            .advise("set IPV64_STATE_DIR: without it, crashes leave records behind and limits are not shared");
    };
    match StateDir::open(path) {
        Ok(_) => Finding::ok("state", SUBJECT, format!("`{}` can be written", visible_path(path))),
        Err(error) => {
            let reason = match &error {
                StateError::Directory(_, source) => format!("{error}: {source}"),
                other => other.to_string(),
            };
            Finding::warning("state", SUBJECT, reason).advise(error.hint().unwrap_or_default())
        }
    }
}

/// Returns what is broken on this machine, where an error of this kind comes from that and it can be seen; it takes some
/// seconds at most.
#[must_use]
pub fn broken(settings: &Settings, lookup: &Lookup, kind: Kind) -> Option<String> {
    let is_about_names = kind == Kind::NameServersUnreachable;
    // A broker, or name servers that somebody has set, may be on a network that has no way to the world.
    let has_way = || match is_about_names {
        true => ways_to_names(lookup).any(has_route),
        false => {
            let is_local = settings.upstream().is_loopback();
            is_local || look_up_api(settings).is_ok_and(|found| found.into_iter().any(has_route))
        }
    };
    match kind {
        Kind::Tls => is_years_behind().then(|| "the clock of this machine is years behind".to_owned()),
        Kind::Unreachable | Kind::TimedOut if is_proxied(settings) => None,
        Kind::Unreachable | Kind::TimedOut | Kind::NameServersUnreachable if is_offline() && !has_way() => {
            Some("this machine has no network: it has no route to the internet, over IPv4 or IPv6".to_owned())
        }
        Kind::Unreachable => look_up_api(settings).err().map(|cause| match cause {
            NoAddress::NoResolver => cause.to_string(),
            _ => format!(
                "the resolver of this machine (/etc/resolv.conf) has no address for `{}`",
                settings.upstream().host()
            ),
        }),
        _ if is_about_names && !settings.nameservers.is_empty() => {
            Some("none of the name servers in IPV64_NAMESERVERS answers".to_owned())
        }
        _ if is_about_names && !lookup.reaches_roots(Instant::now() + CONNECT) => Some(format!(
            "UDP and TCP port {} are blocked here: none of {} addresses of root servers answer, nor does a resolver",
            lookup.port,
            lookup.roots.len()
        )),
        _ => None,
    }
}

/// The name servers that are asked first: those of the settings, or the root servers.
fn ways_to_names(lookup: &Lookup) -> impl Iterator<Item = SocketAddr> {
    lookup.servers.iter().map(|server| server.address).chain(lookup.roots.iter().map(|ip| (*ip, lookup.port).into()))
}

/// Whether no route leads to the world, as the routes to its root servers show.
fn is_offline() -> bool {
    !world_roots().into_iter().any(|ip| has_route((ip, 53).into()))
}

fn is_proxied(settings: &Settings) -> bool {
    let is_set = settings.proxy.https.is_some() || settings.proxy.all.is_some();
    settings.upstream().is_https() && !settings.upstream().is_loopback() && is_set
}

fn look_up_api(settings: &Settings) -> Result<Vec<SocketAddr>, NoAddress> {
    look_up(settings.upstream().host(), settings.upstream().port(), CONNECT)
}

fn is_years_behind() -> bool {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() < OLDEST_TIME
}

/// Connects to the API, over each address family that its name has, without sending a request.
///
/// # Errors
/// The system's, if it gives no thread.
pub fn way_to_api(settings: &Settings) -> io::Result<Vec<Finding>> {
    let subject = if settings.broker.is_some() { "way to the broker" } else { "way to the API" };
    let host = settings.upstream().host();
    if settings.upstream().socket().is_some() {
        return Ok(Vec::new());
    }
    if is_proxied(settings) {
        let text = "a proxy is set (HTTPS_PROXY or ALL_PROXY); requests go there";
        return Ok(vec![Finding::note("api_way", subject, text)]);
    }
    let addresses = match look_up_api(settings) {
        Ok(addresses) => addresses,
        Err(cause) => {
            let finding = Finding::error("api_name", subject, format!("`{host}`: {cause}")).ending(Exit::NoAnswer);
            return Ok(vec![finding.advise(cause.advice(host))]);
        }
    };
    let first = |v4: bool| addresses.iter().find(|address| address.is_ipv4() == v4);
    let families = [("IPv4", first(true)), ("IPv6", first(false))];
    let families = families.into_iter().filter_map(|(family, address)| Some((family, address?)));
    let connect = |address: &SocketAddr| {
        let start = Instant::now();
        TcpStream::connect_timeout(address, CONNECT).map(|_| start.elapsed()).map_err(|error| error.to_string())
    };
    let way = |family: &str, address: &SocketAddr| match address.ip().to_string() {
        ip if ip == host => family.to_owned(),
        ip => format!("{family} ({ip})"),
    };
    let outcomes = parallel::each(families, |(family, address)| (way(family, address), connect(address)))?;
    let works = outcomes.iter().any(|(_, outcome)| outcome.is_ok());
    let describe = |(family, outcome): (String, _)| describe_way(subject, (host, &family), outcome, works);
    Ok(outcomes.into_iter().map(describe).collect())
}

fn describe_way(
    subject: &str,
    (host, family): (&str, &str),
    outcome: Result<Duration, String>,
    works: bool,
) -> Finding {
    match outcome {
        Ok(took) => Finding::ok("api_way", subject, format!("`{host}` over {family} in {} ms", took.as_millis())),
        Err(reason) if works => Finding::note("api_way", subject, format!("`{host}` not over {family}: {reason}")),
        Err(reason) => Finding::error("api_way", subject, format!("`{host}` not over {family}: {reason}"))
            .ending(Exit::NoAnswer)
            .advise("check the network and the firewall of this machine, or set HTTPS_PROXY where one is needed"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_family_that_does_not_work_is_a_note_as_long_as_the_other_does() {
        let dead = || Err("no route".to_owned());
        for (outcome, works, level) in
            [(Ok(CONNECT), true, Level::Ok), (dead(), true, Level::Note), (dead(), false, Level::Error)]
        {
            let finding = describe_way("way to the API", ("ipv64.net", "IPv6"), outcome, works);
            assert_eq!((finding.kind, finding.level), ("api_way", level), "{}", finding.text);
        }
    }
}
