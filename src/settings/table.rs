//! Every setting: its names, default and meaning. What the values mean in types stands in [`super::Settings`].

/// One setting. Its name in the environment is that of its flag with `IPV64_` before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    /// File that holds the API key.
    ApiKeyFile,
    /// How the key is sent.
    ApiAuth,
    /// Address of the API.
    ApiUrl,
    /// Further trusted CA certificates.
    CaFile,
    /// One API request, all of it.
    HttpTimeout,
    /// The request window.
    ApiRate,
    /// Give up waiting after this long.
    PropagationTimeout,
    /// Longest pause between two looks.
    PollingInterval,
    /// Positive answers in a row.
    Confirmations,
    /// Recursive resolvers.
    Resolvers,
    /// Authoritative servers.
    Nameservers,
    /// Port of discovered servers.
    NameserverPort,
    /// Root servers.
    RootServers,
    /// Resolvers over HTTPS to fall back to.
    Doh,
    /// Pause where nobody can be asked.
    BlindWait,
    /// The account domain.
    Domain,
    /// Whether CNAMEs are followed.
    FollowCname,
    /// Directory of journal, window and cache.
    StateDir,
}

/// The built-in resolvers over HTTPS: two operators that serve HTTP/1.1, by address so that no resolver is needed.
const DOH: &str = "https://1.1.1.1/dns-query,https://8.8.8.8/dns-query";

impl Setting {
    /// All settings, in the order of the documentation.
    pub const ALL: [Self; 18] = [
        Self::ApiKeyFile,
        Self::ApiAuth,
        Self::ApiUrl,
        Self::CaFile,
        Self::HttpTimeout,
        Self::ApiRate,
        Self::PropagationTimeout,
        Self::PollingInterval,
        Self::Confirmations,
        Self::Resolvers,
        Self::Nameservers,
        Self::NameserverPort,
        Self::RootServers,
        Self::Doh,
        Self::BlindWait,
        Self::Domain,
        Self::FollowCname,
        Self::StateDir,
    ];

    /// Returns name, default and meaning.
    const fn row(self) -> (&'static str, Option<&'static str>, &'static str) {
        match self {
            Self::ApiKeyFile => ("api-key-file", None, "file that holds the API key; nobody else may read it"),
            Self::ApiAuth => ("api-auth", Some("bearer"), "how the key is sent: bearer, basic, apikey or token"),
            Self::ApiUrl => {
                ("api-url", Some("https://ipv64.net/api"), "address of the API; plain http to loopback only")
            }
            Self::CaFile => ("ca-file", None, "further trusted CA certificates (PEM), added to the system's"),
            Self::HttpTimeout => ("http-timeout", Some("30"), "time for one API request, all of it"),
            Self::ApiRate => ("api-rate", Some("3/10"), "at most N API requests in any S seconds, written N/S"),
            Self::PropagationTimeout => {
                ("propagation-timeout", Some("180"), "give up waiting after this long; 0 = do not wait")
            }
            Self::PollingInterval => {
                ("polling-interval", Some("2"), "longest pause between two polls of one name server")
            }
            Self::Confirmations => (
                "confirmations",
                Some("12"),
                "positive answers in a row that each name server must give; half as many more after a contradiction",
            ),
            Self::Resolvers => (
                "resolvers",
                None,
                "recursive resolvers instead of the system's: ip, ip:port or https URL, comma-separated",
            ),
            Self::Nameservers => {
                ("nameservers", None, "authoritative servers to ask instead of looking them up: ip, ip:port or name")
            }
            Self::NameserverPort => ("nameserver-port", Some("53"), "port on which looked-up name servers are asked"),
            Self::RootServers => {
                ("root-servers", None, "root servers (ip) to look name servers up from, instead of the world's")
            }
            Self::Doh => {
                ("doh", Some(DOH), "resolvers over HTTPS for networks without port 53, comma-separated; off = none")
            }
            Self::BlindWait => {
                ("blind-wait", Some("0"), "where nobody can be asked, pause this long instead of failing; 0 = fail")
            }
            Self::Domain => ("domain", None, "domain of the account that holds the record, instead of looking it up"),
            Self::FollowCname => {
                ("follow-cname", Some("true"), "place the record at the end of a CNAME chain: true or false")
            }
            Self::StateDir => ("state-dir", None, "directory of journal, request window and domain cache"),
        }
    }

    /// Returns the flag without dashes: `api-url`.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        self.row().0
    }

    /// Returns the environment variable: `IPV64_API_URL`.
    #[must_use]
    pub fn environment(self) -> String {
        format!("IPV64_{}", self.flag().replace('-', "_").to_ascii_uppercase())
    }

    /// Returns the key in the configuration file: `api_url`.
    #[must_use]
    pub fn key(self) -> String {
        self.flag().replace('-', "_")
    }

    /// Returns whether the value is the path of a file or directory.
    #[must_use]
    pub const fn is_path(self) -> bool {
        matches!(self, Self::ApiKeyFile | Self::CaFile | Self::StateDir)
    }

    /// Returns the default as it would be written, if there is one.
    #[must_use]
    pub const fn default_text(self) -> Option<&'static str> {
        self.row().1
    }

    /// Returns what it means, in one line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.row().2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_names_are_those_of_the_contract() {
        assert_eq!(Setting::ApiUrl.environment(), "IPV64_API_URL");
        assert_eq!(Setting::PropagationTimeout.environment(), "IPV64_PROPAGATION_TIMEOUT");
        assert_eq!(Setting::Doh.environment(), "IPV64_DOH");
    }

    #[test]
    fn every_setting_is_listed_once() {
        let flags: std::collections::BTreeSet<_> = Setting::ALL.iter().map(|setting| setting.flag()).collect();
        assert_eq!(flags.len(), Setting::ALL.len());
    }
}
