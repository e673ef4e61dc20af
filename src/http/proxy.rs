//! The proxy variables, read as curl reads them. ureq's own reading is switched off: it takes any proxy for any
//! scheme, does not trim `NO_PROXY`, and matches no subdomains in it.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Endpoint, HttpError};
use crate::error::Kind;

/// The proxy variables as plain values. There is no `HTTP_PROXY`: plain http goes to loopback only, and loopback never
/// through a proxy.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxyEnv {
    /// `https_proxy` or `HTTPS_PROXY`: the proxy for `https`.
    pub https: Option<String>,
    /// `all_proxy` or `ALL_PROXY`: the proxy where no other is set.
    pub all: Option<String>,
    /// `no_proxy` or `NO_PROXY`: hosts that are asked directly, separated by commas or blanks.
    pub no_proxy: Option<String>,
}

impl ProxyEnv {
    /// Takes the variables from a look-up; lower case wins, and an empty one counts as unset, as in curl.
    pub fn from_lookup(variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |lower: &str| {
            [lower.to_owned(), lower.to_ascii_uppercase()]
                .iter()
                .find_map(|name| variable(name).filter(|v| !v.is_empty()))
        };
        Self { https: read("https_proxy"), all: read("all_proxy"), no_proxy: read("no_proxy") }
    }

    /// Returns the proxy for an address, or nothing if it is asked directly.
    pub(super) fn proxy_for(&self, endpoint: &Endpoint) -> Result<Option<ureq::Proxy>, HttpError> {
        let chosen = self.https.as_ref().map(|proxy| ("HTTPS_PROXY", proxy));
        let Some((variable, address)) = chosen.or_else(|| self.all.as_ref().map(|proxy| ("ALL_PROXY", proxy))) else {
            return Ok(None);
        };
        if !endpoint.is_https() || endpoint.is_loopback() || self.excepts(endpoint) {
            return Ok(None);
        }
        let proxy = ureq::Proxy::new(address.trim())
            .ok()
            .filter(|proxy| matches!(proxy.protocol(), ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https));
        // Its value is not shown, for it may hold a password.
        let refuse = || format!("`{variable}` does not contain the address of an http or https proxy");
        proxy.map(Some).ok_or_else(|| HttpError::unsent(Kind::BadProxy, refuse()))
    }

    fn excepts(&self, endpoint: &Endpoint) -> bool {
        let entries = self.no_proxy.as_deref().unwrap_or_default();
        entries.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()).any(|entry| names(entry, endpoint.host()))
    }
}

impl fmt::Debug for ProxyEnv {
    /// Prints which variables are set, and not their values: they may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyEnv")
            .field("https", &self.https.is_some())
            .field("all", &self.all.is_some())
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}

/// Whether one entry of `NO_PROXY` names the host: `*`, an address, a network (`10.0.0.0/8`), or a name with everything
/// below it, with or without a dot or `*.` before it.
fn names(entry: &str, host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        let entry = entry.trim_matches(['[', ']']);
        let holds = |network: IpNet| network.contains(&address);
        return entry == "*" || entry.parse() == Ok(address) || entry.parse().is_ok_and(holds);
    }
    let name = entry.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
    entry == "*" || host.strip_suffix(&name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(no_proxy: &str) -> ProxyEnv {
        ProxyEnv { https: Some("http://proxy.example:3128".into()), all: None, no_proxy: Some(no_proxy.into()) }
    }

    fn is_direct(env: &ProxyEnv, url: &str) -> bool {
        env.proxy_for(&Endpoint::parse(url).unwrap()).unwrap().is_none()
    }

    #[test]
    fn exceptions_match_as_people_expect() {
        let api = "https://ipv64.net/api";
        for list in ["*", "ipv64.net", "a.example, ipv64.net", ".ipv64.net", "*.ipv64.net", "net", "a\tipv64.net"] {
            assert!(is_direct(&env(list), api), "{list}");
        }
        for list in ["", "pv64.net", "x.ipv64.net", "ipv64.net.example", ",", "10.0.0.0/8"] {
            assert!(!is_direct(&env(list), api), "{list}");
        }
        assert!(is_direct(&env("example.org"), "https://dns.example.org/dns-query"));
        assert!(!is_direct(&env("example.org"), "https://evilexample.org/"));
    }

    #[test]
    fn exceptions_know_addresses_and_networks() {
        for list in ["192.0.2.7", "192.0.2.0/24", "0.0.0.0/0"] {
            assert!(is_direct(&env(list), "https://192.0.2.7/"), "{list}");
        }
        for list in ["192.0.2.70", "192.0.3.0/24", "192.0.2.0/33", "2.7", "192.0.2.0/x"] {
            assert!(!is_direct(&env(list), "https://192.0.2.7/"), "{list}");
        }
        for list in ["2001:db8::1", "[2001:db8::1]", "2001:db8::/32", "::/0"] {
            assert!(is_direct(&env(list), "https://[2001:db8::1]/"), "{list}");
        }
        assert!(!is_direct(&env("2001:db9::/32"), "https://[2001:db8::1]/"));
    }

    #[test]
    fn loopback_is_always_asked_directly() {
        for url in ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "https://[::1]/", "https://localhost/"] {
            assert!(is_direct(&env(""), url), "{url}");
        }
    }

    #[test]
    fn lower_case_wins_and_empty_is_unset() {
        let read = |pairs: &'static [(&str, &str)]| {
            ProxyEnv::from_lookup(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
        };
        assert_eq!(read(&[("https_proxy", "a:1"), ("HTTPS_PROXY", "b:1")]).https.as_deref(), Some("a:1"));
        assert_eq!(read(&[("https_proxy", ""), ("HTTPS_PROXY", "b:1")]).https.as_deref(), Some("b:1"));
        assert_eq!(read(&[("HTTP_PROXY", "a:1")]), ProxyEnv::default());
        let all = read(&[("ALL_PROXY", "proxy.example:3128")]);
        assert!(!is_direct(&all, "https://ipv64.net/"));
    }

    #[test]
    fn an_unusable_proxy_is_an_error_that_hides_its_password() {
        for address in ["socks5://user:geheim@proxy.example:1080", "ftp://proxy.example", "http://"] {
            let env = ProxyEnv { https: Some(address.into()), ..ProxyEnv::default() };
            let error = env.proxy_for(&Endpoint::parse("https://ipv64.net/").unwrap()).unwrap_err();
            assert!(error.to_string().contains("`HTTPS_PROXY`"), "{error}");
            assert!(!format!("{error} {error:?} {env:?}").contains("geheim"));
        }
    }
}
