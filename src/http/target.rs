//! Addresses that a request may go to: `https` anywhere, plain `http` to this machine only.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ureq::http::Uri;

use super::HttpError;
use crate::error::Kind;
use crate::excerpt::{excerpt, visible_path};

/// How much of a refused address a message shows, in characters.
const SHOWN: usize = 120;

/// An address that was checked: a request to it cannot send a key in the clear to another host.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
    https: bool,
    host: String,
    port: u16,
    socket: Option<PathBuf>,
}

impl Endpoint {
    /// Returns the address of whatever listens on a Unix socket of this machine.
    #[must_use]
    pub fn of_socket(path: &Path) -> Self {
        // HTTP wants a host; nobody looks it up.
        let uri = Uri::from_static("http://localhost/");
        Self { uri, https: false, host: "localhost".to_owned(), port: 80, socket: Some(path.to_owned()) }
    }

    /// Returns the Unix socket that it is, if it is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Reads an address such as `https://ipv64.net/api`.
    ///
    /// # Errors
    /// The address, without its secrets, and the broken rule: for another scheme than `https`, except plain `http` to 127.0.0.0/8, `::1` or
    /// `localhost`; for user names and passwords in the address; for anything that is no address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = |rule| format!("`{}`: {rule}", excerpt(&without_secrets(text), SHOWN));
        if !text.contains("://") {
            return Err(refuse("it does not begin with `https://`"));
        }
        let uri: Uri = text.trim().parse().map_err(|_| refuse("it is not a web address"))?;
        let authority = uri.authority().ok_or_else(|| refuse("it lacks `https://` or the host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("a user name or password does not belong in an address"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(&host) => false,
            Some("http") => {
                return Err(refuse("plain http is allowed to this machine only (127.0.0.1, ::1, localhost)"));
            }
            _ => return Err(refuse("it does not begin with `https://`")),
        };
        if host.is_empty() {
            return Err(refuse("it has no host"));
        }
        let port = authority.port_u16();
        let after_host = authority.as_str().rsplit(']').next().unwrap_or_default();
        if authority.host().starts_with('[') && !(after_host.is_empty() || after_host.starts_with(':')) {
            return Err(refuse("after `]` only a port may follow"));
        }
        if port == Some(0) || port.is_none() && after_host.contains(':') {
            return Err(refuse("its port is not a number from 1 to 65535"));
        }
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Ok(Self { uri, https, host, port, socket: None })
    }

    /// Puts a query behind the address: `query` is sent as given, so it has to be percent-encoded already.
    ///
    /// # Errors
    /// [`Kind::BadUrl`] if the query holds characters that it cannot hold.
    pub fn with_query(&self, query: &str) -> Result<Self, HttpError> {
        let joint = if self.uri.query().is_some() { '&' } else { '?' };
        let refuse = || format!("`{self}` cannot be used: its query is not percent-encoded");
        let uri = format!("{}{joint}{query}", self.as_str()).parse();
        let uri = uri.map_err(|_| HttpError::unsent(Kind::BadUrl, refuse()))?;
        Ok(Self { uri, ..self.clone() })
    }

    /// Returns the address of something below this one: `path` begins with a slash.
    ///
    /// # Errors
    /// [`Kind::BadUrl`] if no address can be made of both.
    pub fn below(&self, path: &str) -> Result<Self, HttpError> {
        let scheme = if self.https { "https" } else { "http" };
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let uri = format!("{scheme}://{authority}{}{path}", self.uri.path().trim_end_matches('/')).parse();
        let refuse =
            |_| HttpError::unsent(Kind::BadUrl, format!("`{self}` cannot be used: it has no place for `{path}`"));
        Ok(Self { uri: uri.map_err(refuse)?, ..self.clone() })
    }

    /// Returns whether the connection is encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Returns the host without brackets, in lower case.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, the scheme's own one if none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether the host is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Returns the whole address. It may hold a key in its query, so it does not belong into messages.
    pub(super) fn as_str(&self) -> String {
        self.uri.to_string()
    }
}

impl fmt::Display for Endpoint {
    /// Prints the address without its query, which may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.socket {
            return write!(f, "unix:{}", visible_path(path));
        }
        let scheme = if self.https { "https" } else { "http" };
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        write!(f, "{scheme}://{authority}{}", self.uri.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns the host of an address, without brackets, and its port.
pub(super) fn bare_host(uri: &Uri) -> Option<(&str, u16)> {
    let usual = if uri.scheme_str()? == "https" { 443 } else { 80 };
    Some((uri.host()?.trim_start_matches('[').trim_end_matches(']'), uri.port_u16().unwrap_or(usual)))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Returns the text of an address, also of one that is refused, as it may be shown: without its query, which may hold a
/// key, and without what comes before the last `@`, since a password may hold one too.
#[must_use]
pub fn without_secrets(text: &str) -> String {
    let (address, query) = text.split_once('?').map_or((text, ""), |(address, _)| (address, "?…"));
    let (scheme, rest) = address.split_once("://").map_or(("", address), |(scheme, rest)| (scheme, rest));
    let joint = if scheme.is_empty() { "" } else { "://" };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{joint}…@{host}{query}"),
        None => format!("{address}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_may_go_anywhere_and_http_home_only() {
        for text in [
            "https://ipv64.net/api",
            "https://[2001:db8::1]:8443/api",
            "HTTPS://Example.ORG",
            "http://127.0.0.1:8080/api",
            "http://127.9.8.7/",
            "http://[::1]:80/",
            "http://localhost:1/api",
            " https://ipv64.net/api\n",
        ] {
            Endpoint::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    #[test]
    fn refuses_what_would_leak_a_key_or_is_no_address() {
        for (text, word) in [
            ("http://ipv64.net/api", "plain http"),
            ("http://localhost.example.org/", "plain http"),
            ("http://127.0.0.1.nip.example/", "plain http"),
            ("http://2130706433/", "plain http"),
            ("https://ipv64.net:0/api", "from 1 to 65535"),
            ("https://ipv64.net:65536/api", "from 1 to 65535"),
            ("https://user:geheim@ipv64.net/", "user name"),
            ("https://user:ge@geheim@ipv64.net/", "address"),
            ("user:geheim@ipv64.net/", "https://"),
            ("http://ipv64.net/api?apikey=geheim", "plain http"),
            ("https://ipv64.net/api?apikey=geheim ©", "address"),
            ("ftp://ipv64.net/", "https://"),
            ("ipv64.net/api", "https://"),
            ("ipv64.net", "https://"),
            ("https://", "web address"),
            ("https://ipv64.net:99999/", "port"),
            ("https://ipv64.net:/", "port"),
            ("http://[::1]example.org/", "after `]`"),
            ("https://[::1]:80@example.org/", "user name"),
            ("https://ip v64.net/", "web address"),
            ("", "https://"),
        ] {
            let message = Endpoint::parse(text).unwrap_err().to_string();
            assert!(message.contains(word), "{text:?}: {message}");
            assert!(!message.contains("geheim"), "{message}");
        }
    }

    #[test]
    fn prints_without_the_query() {
        let endpoint = Endpoint::parse("https://ipv64.net/api").unwrap().with_query("get_logs&apikey=canary").unwrap();
        assert_eq!(format!("{endpoint} {endpoint:?}"), "https://ipv64.net/api https://ipv64.net/api");
        assert_eq!(endpoint.as_str(), "https://ipv64.net/api?get_logs&apikey=canary");
        assert!(!endpoint.with_query("a b").unwrap_err().to_string().contains("canary"));
    }
}
