//! What a person sets at an ACME client so that it uses the broker: a pure function from a client's name, token and account
//! to lines. Facts of the clients: names of variables and files as their authors chose them.

use super::client_file::AcmeDnsAccount;
use super::grant::Grant;
use crate::broker::pattern::Pattern;
use crate::challenge::CHALLENGE_LABEL;
use crate::secret::Secret;

/// A client that was added just now: the only moment at which its secrets are known.
#[derive(Debug)]
pub struct NewClient<'a> {
    /// Where the broker is, as a URL without a final slash.
    pub broker: &'a str,
    /// The client's name, and user name.
    pub name: &'a str,
    /// Its token, and password.
    pub token: &'a Secret,
    /// Its account of acme-dns, with the key that is its password.
    pub acme_dns: Option<(&'a AcmeDnsAccount, &'a Secret)>,
}

/// What to set at one kind of client.
#[derive(Debug, PartialEq, Eq)]
pub struct Lines {
    /// Which clients.
    pub of: &'static str,
    /// What to set.
    pub lines: Vec<String>,
}

impl NewClient<'_> {
    /// Returns what to set, for each kind of client.
    #[must_use]
    pub fn lines(&self) -> Vec<Lines> {
        let Self { broker, name, .. } = self;
        let token = self.token.expose();
        let of = |of, lines: &[String]| Lines { of, lines: lines.to_vec() };
        let mut all = vec![
            of(
                "ipv64-acme on that machine, and so every ACME client that calls it",
                &[
                    "install -D -m 600 /dev/stdin /etc/ipv64-acme/broker-token   # paste the token, Enter, Ctrl-D"
                        .into(),
                    format!("IPV64_BROKER={broker}"),
                    "IPV64_BROKER_TOKEN_FILE=/etc/ipv64-acme/broker-token".into(),
                ],
            ),
            of(
                "lego, Traefik, certbot-dns-multi (provider httpreq)",
                &[
                    format!("HTTPREQ_ENDPOINT={broker}"),
                    format!("HTTPREQ_USERNAME={name}"),
                    format!("HTTPREQ_PASSWORD={token}"),
                    // Else it follows a CNAME itself, and asks for a name that is not granted.
                    "LEGO_DISABLE_CNAME_SUPPORT=true".to_owned(),
                    // Else it gives up after a minute, and its turn comes later where many machines renew at once.
                    "HTTPREQ_PROPAGATION_TIMEOUT=400".to_owned(),
                ],
            ),
            of(
                "acme.sh, OPNsense (dns_acmeproxy)",
                &[
                    format!("ACMEPROXY_ENDPOINT={broker}"),
                    format!("ACMEPROXY_USERNAME={name}"),
                    format!("ACMEPROXY_PASSWORD={token}"),
                ],
            ),
            of(
                "Caddy with the module caddy-dns/acmeproxy",
                &[
                    format!("dns acmeproxy {broker} {{"),
                    format!("    username {name}"),
                    format!("    password {token}"),
                    "}".into(),
                ],
            ),
            of(
                "certbot-lego-httpreq, in its file of credentials",
                &[
                    format!("dns_httpreq_endpoint = {broker}"),
                    format!("dns_httpreq_username = {name}"),
                    format!("dns_httpreq_password = {token}"),
                ],
            ),
        ];
        all.extend(self.acme_dns.map(|(account, key)| acme_dns(broker, account, key)));
        all
    }
}

/// Returns what a grant means beyond its words, beside those of other clients.
#[must_use]
pub fn notes<'a>(grant: &Grant, others: impl Iterator<Item = &'a Grant>) -> Vec<String> {
    let without_name = grant.allow.iter().filter_map(|pattern| match pattern {
        Pattern::Below(above) if !grant.allow.iter().any(|pattern| pattern.matches(above)) => Some(format!(
            "`{pattern}` is every name below `{above}`; `{above}` itself, and a certificate for `*.{above}`, need --allow \
             {above}"
        )),
        _ => None,
    });
    // Whoever may write a record may answer the challenge that it is.
    let by_alias = grant.alias.iter().filter_map(|pattern| {
        let names = match pattern {
            Pattern::Below(above) => format!("`{above}` and all names below it"),
            Pattern::Exact(name) => {
                format!("`{}`", name.parent().filter(|_| name.labels().next() == Some(CHALLENGE_LABEL))?)
            }
        };
        Some(format!("with --alias {pattern} it may get certificates for {names} too"))
    });
    let shared = others.filter_map(|other| {
        grant
            .shared_with(other)
            .map(|pattern| format!("`{pattern}` overlaps with what the client `{}` is allowed", other.client))
    });
    without_name.chain(by_alias).chain(shared).collect()
}

/// The account in the two forms in which clients of acme-dns keep it: one line of JSON by domain, and variables.
fn acme_dns(broker: &str, account: &AcmeDnsAccount, key: &Secret) -> Lines {
    let domain = account.record.parent().unwrap_or_else(|| account.record.clone());
    let document = serde_json::json!({ domain.as_str(): account_document(account, key) });
    Lines {
        of: "acme-dns: cert-manager's accountSecretRef, lego's ACME_DNS_STORAGE_PATH (no CNAME is needed); acme.sh",
        lines: vec![
            document.to_string(),
            format!("ACME_DNS_API_BASE={broker}"),
            format!("ACMEDNS_BASE_URL={broker}"),
            format!("ACMEDNS_USERNAME={}", account.username),
            format!("ACMEDNS_PASSWORD={}", key.expose()),
            format!("ACMEDNS_SUBDOMAIN={}", account.subdomain),
        ],
    }
}

/// Returns an account as `POST /register` of acme-dns would. Its full domain is the record itself: where a client checks that
/// the challenge leads there, it does.
#[must_use]
pub fn account_document(account: &AcmeDnsAccount, key: &Secret) -> serde_json::Value {
    serde_json::json!({
        "username": account.username,
        "password": key.expose(),
        "fulldomain": account.record,
        "subdomain": account.subdomain,
        "allowfrom": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::grant::NotReady;
    use crate::serve::token::TokenHash;

    #[test]
    fn what_a_grant_means_beyond_its_words_is_said() {
        let notes = |allow: &[&str], alias: &[&str]| {
            let grant = Grant {
                client: "web".to_owned(),
                allow: allow.iter().map(|text| Pattern::of_certificates(text).unwrap()).collect(),
                alias: alias.iter().map(|text| text.parse().unwrap()).collect(),
                from: Vec::new(),
                calls_per_day: None,
                not_ready: NotReady::Pending,
            };
            notes(&grant, std::iter::empty())
        };
        assert_eq!(notes(&["a.example", "*.a.example", "b.a.example"], &["web.acme.example"]), [""; 0]);
        let said = notes(&["*.b.example"], &["_acme-challenge.c.example", "*.d.example"]);
        for (note, words) in said.iter().zip([
            "need --allow b.example",
            "it may get certificates for `c.example` too",
            "it may get certificates for `d.example` and all names below it too",
        ]) {
            assert!(note.contains(words), "{said:?}");
        }
        assert_eq!(said.len(), 3, "{said:?}");
    }

    #[test]
    fn every_client_gets_the_names_that_it_reads() {
        let (token, key) = (Secret::from_answer("ipv64b_t".to_owned()), Secret::from_answer("k".to_owned()));
        let account = AcmeDnsAccount {
            username: "u".to_owned(),
            key: TokenHash::of(b"k"),
            subdomain: "s".to_owned(),
            record: "_acme-challenge.a.example".parse().unwrap(),
        };
        let new = NewClient {
            broker: "https://broker.example:8443",
            name: "web",
            token: &token,
            acme_dns: Some((&account, &key)),
        };
        let text = new.lines().iter().flat_map(|lines| lines.lines.clone()).collect::<Vec<_>>().join("\n");
        for line in [
            "IPV64_BROKER=https://broker.example:8443",
            "HTTPREQ_ENDPOINT=https://broker.example:8443\nHTTPREQ_USERNAME=web\nHTTPREQ_PASSWORD=ipv64b_t\nLEGO_DISABLE_CNAME_SUPPORT=true\nHTTPREQ_PROPAGATION_TIMEOUT=400",
            "ACMEPROXY_ENDPOINT=https://broker.example:8443\nACMEPROXY_USERNAME=web\nACMEPROXY_PASSWORD=ipv64b_t",
            "dns acmeproxy https://broker.example:8443 {\n    username web\n    password ipv64b_t\n}",
            "dns_httpreq_password = ipv64b_t",
            r#""a.example":{"allowfrom":[],"fulldomain":"_acme-challenge.a.example","password":"k","subdomain":"s","username":"u"}"#,
            "ACMEDNS_SUBDOMAIN=s",
        ] {
            assert!(text.contains(line), "{line}\n---\n{text}");
        }
        let without = NewClient { acme_dns: None, ..new };
        assert_eq!(without.lines().len(), new.lines().len() - 1);
    }
}
