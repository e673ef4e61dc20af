//! Texts of settings to values. Each function returns what is wrong in words that fit behind "cannot be used: ".

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::NamedServer;
use super::environment::is_whole;
use crate::api::AuthMethod;
use crate::dns::cname::Follow;
use crate::dns::recursive::Resolver;
use crate::excerpt::{visible, visible_path};
use crate::http::Endpoint;
use crate::name::DnsName;
use crate::ownership;
use crate::state::{LEFT_OVER_AFTER, Rate};

/// The shortest polling interval that makes sense: the pace allows six queries a second.
const SHORTEST_POLLING: Duration = Duration::from_millis(200);
/// The longest time that can be set: a year. Longer ones are typing errors, and would overflow clocks.
const LONGEST: f64 = 366.0 * 86_400.0;
/// The longest wait for a record, in minutes: with its requests before and the CA's after it, no record that is waited for is
/// so old that another call takes it for left over.
const LONGEST_WAIT_MINUTES: u64 = LEFT_OVER_AFTER.as_secs() / 60 / 2;
/// The most confirmations: an address gets six queries a second.
const MOST_CONFIRMATIONS: u32 = 50;
/// What the path of a Unix socket is written behind.
pub(super) const UNIX: &str = "unix:";
/// The port of DNS (RFC 1035 section 4.2).
const DNS_PORT: u16 = 53;

/// Reads a time: seconds, fractions allowed, or a number with `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// What is wrong, in words.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(format!("{} is not a time (seconds, or a number with ms, s, m, h or d)", quoted(text))),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("{} is not a time (for example 90, 0.5, 5m)", quoted(text)))?;
    let seconds = number * scale;
    if seconds > LONGEST {
        return Err(format!("{} is more than a year", quoted(text)));
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{} is not a time", quoted(text)))
}

/// Reads a value that may be missing.
pub(super) fn optional<T>(parse: impl Fn(&str) -> Result<T, String>) -> impl Fn(&str) -> Result<Option<T>, String> {
    move |text| Some(text).filter(|text| !text.is_empty()).map(&parse).transpose()
}

/// Takes a command as it is; whether it can be run is the shell's business.
pub(super) fn command(text: &str) -> Result<String, String> {
    if text.contains('\0') { Err("it has a NUL".to_owned()) } else { Ok(text.to_owned()) }
}

/// Reads values separated by commas or blanks; none if there is no text.
pub(super) fn list<T>(parse: impl Fn(&str) -> Result<T, String>) -> impl Fn(&str) -> Result<Vec<T>, String> {
    move |text| text.split([',', ' ', '\t', '\n']).filter(|item| !item.is_empty()).map(&parse).collect()
}

/// Reads the longest pause between two poll rounds.
pub(super) fn polling_interval(text: &str) -> Result<Duration, String> {
    duration(text).map(|interval| interval.max(SHORTEST_POLLING))
}

/// Reads the pause that replaces the check where nobody can be asked; zero means none.
pub(super) fn blind_wait(text: &str) -> Result<Option<Duration>, String> {
    wait(text).map(|wait| Some(wait).filter(|wait| !wait.is_zero()))
}

/// Reads how long a record is waited for.
pub(super) fn wait(text: &str) -> Result<Duration, String> {
    let wait = duration(text)?;
    if wait > Duration::from_secs(LONGEST_WAIT_MINUTES * 60) {
        return Err(format!(
            "{} is more than {LONGEST_WAIT_MINUTES}m: older records count as left over, and other calls remove them",
            quoted(text)
        ));
    }
    Ok(wait)
}

/// Reads a time above zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it has to be more than 0".to_owned()),
        duration => Ok(duration),
    }
}

pub(super) fn auth(text: &str) -> Result<AuthMethod, String> {
    AuthMethod::ALL
        .into_iter()
        .find(|method| method.as_str() == text.to_ascii_lowercase())
        .ok_or_else(|| format!("{} is not one of bearer, basic, apikey, token", quoted(text)))
}

/// Reads an address for requests.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text)
}

/// Reads the address of a broker, below which its paths are, or the path of its Unix socket.
pub(super) fn broker(text: &str) -> Result<Endpoint, String> {
    if let Some(path) = text.strip_prefix(UNIX) {
        return socket(Path::new(path));
    }
    if text.contains(['?', '#']) {
        return Err("it is https://host:port, without a query".to_owned());
    }
    endpoint(text)
}

/// Reads the path of a socket. Whoever could put another one in its place would be told of every challenge, and believed.
fn socket(path: &Path) -> Result<Endpoint, String> {
    if !path.is_absolute() {
        return Err(format!("write it as {UNIX}/run/ipv64-acme/broker.sock"));
    }
    let is_foreign = |owner: u32| owner != 0 && owner != rustix::process::geteuid().as_raw();
    if path.symlink_metadata().is_ok_and(|metadata| is_foreign(metadata.uid())) {
        return Err(format!("the socket `{}` belongs to another user", visible_path(path)));
    }
    match ownership::exposure_of_place(path) {
        Some(exposure) => Err(format!("the socket {}; {}", exposure.problem, exposure.remedy)),
        None => Ok(Endpoint::of_socket(path)),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if is_whole(text) { Ok(PathBuf::from(text)) } else { Err(format!("{text:?} is not UTF-8")) }
}

/// Reads a directory that has to be the same wherever a hook runs.
pub(super) fn absolute_path(text: &str) -> Result<PathBuf, String> {
    let path = path(text)?;
    let relative = || format!("{} is not an absolute path, and a hook runs in any directory", quoted(text));
    if path.is_absolute() { Ok(path) } else { Err(relative()) }
}

/// Reads a rate, whose time may have a unit like any other.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let seconds = match text.split_once('/') {
        Some((requests, time)) => format!("{requests}/{}", duration(time.trim())?.as_secs_f64()),
        None => text.to_owned(),
    };
    seconds.parse::<Rate>().map_err(|error| error.to_string())
}

pub(super) fn confirmations(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count @ 1..=MOST_CONFIRMATIONS) => Ok(count),
        _ => Err(format!("{} is not a number from 1 to {MOST_CONFIRMATIONS}", quoted(text))),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("{} is not a port (1 to 65535)", quoted(text))),
        Ok(port) => Ok(port),
    }
}

pub(super) fn ip(text: &str) -> Result<IpAddr, String> {
    unbracketed(text).parse().map_err(|_| format!("{} is not an IP address", quoted(text)))
}

fn unbracketed(text: &str) -> &str {
    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text)
}

fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let with_port = text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    let with_port = with_port.map(|address| (address.ip(), Some(address.port())));
    with_port.or_else(|| Some((unbracketed(text).parse().ok()?, None)))
}

pub(super) fn resolver(text: &str) -> Result<Resolver, String> {
    if text.contains("://") {
        endpoint(text)?;
        return Ok(Resolver::Https(text.to_owned()));
    }
    let (ip, port) = address(text).ok_or_else(|| format!("{} is not an ip, ip:port or https URL", quoted(text)))?;
    Ok(Resolver::Plain(SocketAddr::new(ip, port.unwrap_or(DNS_PORT))))
}

/// Reads resolvers over HTTPS; `off` stands for none.
pub(super) fn doh(text: &str) -> Result<Vec<Resolver>, String> {
    let resolvers = list(|text| match text {
        "off" | "false" | "none" => Ok(None),
        url if url.contains("://") => resolver(url).map(Some),
        other => Err(format!("{} is not an https URL (or off)", quoted(other))),
    });
    Ok(resolvers(text)?.into_iter().flatten().collect())
}

pub(super) fn nameserver(text: &str) -> Result<NamedServer, String> {
    if let Some((ip, port)) = address(text) {
        return Ok(NamedServer::Address(ip, port));
    }
    DnsName::parse(text).map(NamedServer::Name).map_err(|error| format!("neither an address nor a name: {error}"))
}

/// Reads a domain of the account, which is never a wildcard.
pub(super) fn domain(text: &str) -> Result<DnsName, String> {
    let name = DnsName::parse(text).map_err(|error| error.to_string())?;
    if name == name.without_wildcard() { Ok(name) } else { Err(format!("`{name}` is a wildcard, not a domain")) }
}

pub(super) fn follow(text: &str) -> Result<Follow, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(Follow::Chain),
        "false" | "no" | "off" | "0" => Ok(Follow::Never),
        _ => Err(format!("{} is neither true nor false", quoted(text))),
    }
}

/// The words of the user as messages show them.
fn quoted(text: &str) -> String {
    format!("`{}`", visible(text))
}

#[cfg(test)]
mod tests;
