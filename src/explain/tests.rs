use super::*;
use crate::error::Kind;

#[test]
fn every_kind_of_error_is_explained() {
    for kind in Kind::ALL.iter().map(|kind| kind.as_str()).filter(|kind| !kind.starts_with("sim_")) {
        let found = find(kind).unwrap_or_else(|| panic!("{kind} is not explained"));
        assert_eq!((found.kind, found.origin), (kind, Origin::Error));
        assert!(!found.cause.is_empty() && !found.cure.is_empty(), "{found:?}");
    }
    let words: std::collections::BTreeSet<_> = all().map(|one| one.kind).collect();
    assert_eq!(words.len(), all().count(), "no two rows of the page have the same kind");
}

/// Messages as they are in the sources of Boulder (bdns/problem.go, va/dns.go, va/caa.go, va/va.go, ratelimits/limiter.go,
/// wfe2/wfe.go) and Pebble (va/va.go), of earlier versions of Boulder, and as users of acme.sh, certbot and Caddy have quoted them.
const MESSAGES: [(&str, &str); 36] = [
    ("ca_no_txt", "No TXT record found at _acme-challenge.name.ipv64.net"),
    ("ca_no_txt", "name.ipv64.net:Verify error:No TXT record found at _acme-challenge.name.ipv64.net"),
    ("ca_no_txt", "No TXT records found for DNS challenge"),
    (
        "ca_incorrect_txt",
        "Incorrect TXT record \"S3ARqVayiuGBC4hE1uyjKinSil386OExHz1vF1UFQUk\" found at _acme-challenge.mydomain.com",
    ),
    (
        "ca_incorrect_txt",
        r#""detail": "Incorrect TXT record \"CONZ2woCaD9CJYxSCOqZnKBMTrrBKFPpaQVz4PZ1oFM\" (and 1 more) found at _acme-challenge.domain.ml""#,
    ),
    ("ca_incorrect_txt", "Correct value not found for DNS challenge"),
    (
        "ca_dns_failed",
        "Detail: DNS problem: SERVFAIL looking up TXT for _acme-challenge.my.domain.com - the domain's nameservers\nmay be malfunctioning",
    ),
    ("ca_dns_failed", "DNS problem: server failure at resolver looking up TXT for _acme-challenge.a.example"),
    (
        "ca_dns_failed",
        r#"Error retrieving TXT records for DNS challenge ("DNS lookup for \"_acme-challenge.a.example.\" returned an unsuccessful response: 2")"#,
    ),
    (
        "ca_no_such_name",
        "DNS problem: NXDOMAIN looking up TXT for _acme-challenge.a.example - check that a DNS record exists for this domain",
    ),
    ("ca_dns_timeout", "DNS problem: query timed out looking up TXT for _acme-challenge.a.example"),
    ("ca_dns_timeout", "DNS problem: query timed out (and was canceled) looking up TXT for _acme-challenge.a.example"),
    ("ca_dns_timeout", "DNS problem: networking error looking up TXT for _acme-challenge.a.example"),
    ("ca_dns", "DNS problem: looking up TXT for _acme-challenge.a.example: No Reachable Authority"),
    ("ca_dns", "DNS problem: REFUSED looking up TXT for _acme-challenge.a.example"),
    (
        "ca_dnssec",
        "DNS problem: looking up TXT for _acme-challenge.teka-teka.xyz: DNSSEC: DNSKEY Missing: validation failure <_acme-challenge.teka-teka.xyz. TXT IN>: No DNSKEY record",
    ),
    ("ca_caa", "CAA record for *.test.jiehun.com.cn prevents issuance"),
    (
        "ca_caa",
        "HTTP 0 urn:ietf:params:acme:error:caa - During secondary validation: While processing CAA for a.example: CAA record for example prevents issuance",
    ),
    (
        "ca_caa_lookup",
        "urn:ietf:params:acme:error:dns: While processing CAA for *.sabo28.deno.net: DNS problem: SERVFAIL looking up CAA for net - the domain's nameservers may be malfunctioning",
    ),
    ("ca_caa_lookup", "DNS problem: response was truncated looking up CAA for a.example"),
    ("ca_secondary", "During secondary validation: No TXT record found at _acme-challenge.a.example"),
    (
        "ca_secondary",
        "During secondary validation: DNS problem: query timed out looking up TXT for _acme-challenge.a.example",
    ),
    (
        "ca_failed_authorizations",
        "too many failed authorizations (5) for \"a.example\" in the last 1h0m0s, retry after 2026-11-28 10:00:00 UTC",
    ),
    (
        "ca_failed_authorizations",
        "Error creating new order :: too many failed authorizations recently: see https://letsencrypt.org/docs/failed-validation-limit/",
    ),
    (
        "ca_paused",
        "Your account is temporarily prevented from requesting certificates for a.example and possibly others. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=abc",
    ),
    (
        "ca_same_names",
        "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-28 10:00:00 UTC",
    ),
    (
        "ca_same_names",
        "too many certificates (5) already issued for this exact set of domains in the last 168 hours: example.com login.example.com: see https://letsencrypt.org/docs/duplicate-certificate-limit",
    ),
    (
        "ca_domain_limit",
        "too many certificates (50) already issued for \"ipv64.de\" in the last 168h0m0s, retry after 2026-11-28 10:00:00 UTC",
    ),
    (
        "ca_domain_limit",
        "There were too many requests of a given type :: Error creating new order :: too many certificates already issued for \"uk.to\". Retry after 2024-06-17T07:00:00Z: see https://letsencrypt.org/docs/rate-limits/",
    ),
    (
        "ca_new_orders",
        "too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-28 10:00:00 UTC",
    ),
    (
        "ca_registrations",
        "too many new registrations (10) from this IP address in the last 3h0m0s, retry after 2026-11-28 10:00:00 UTC",
    ),
    ("ca_busy", r#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "Service busy; retry later."}"#),
    ("ca_no_reason", "The retryafter=86400 value is too large (> 600), will not retry anymore."),
    (
        "ca_no_reason",
        r#"get authz objec with invalid status, please try again later. {"identifier":{"type":"dns","value":"project33.ca"},"status":"invalid","challenges":[{"status":"invalid","error":{}}]}"#,
    ),
    (
        "ca_no_reason",
        "Hint: The Certificate Authority failed to verify the DNS TXT records created by the --manual-auth-hook. Ensure that this hook is functioning correctly",
    ),
    ("no_domain", "error[no_domain]: no domain of this account covers `_acme-challenge.a.example`"),
];

#[test]
fn messages_of_cas_are_understood_as_they_are_quoted() {
    for (kind, message) in MESSAGES {
        assert_eq!(find(message).map(|found| found.kind), Some(kind), "{message}");
    }
    let said: std::collections::BTreeSet<_> = MESSAGES.iter().map(|(kind, _)| *kind).collect();
    let unsaid: Vec<_> = all().filter(|one| one.origin == Origin::Ca && !said.contains(one.kind)).collect();
    assert_eq!(unsaid.iter().map(|one| one.kind).collect::<Vec<_>>(), ["ca_rate_limited"], "the row for all others");
}

#[test]
fn what_is_unknown_is_not_guessed() {
    for text in ["", "certificate expired", "dns", "[no_such_kind]", "\u{1b}[2J", "too many cooks"] {
        assert_eq!(find(text), None, "{text}");
    }
    assert_eq!(nearest("not_propagate")[0], "not_propagated");
    assert_eq!(nearest("no domain")[0], "no_domain");
}

#[test]
fn the_domain_in_a_message_is_found() {
    for (text, name) in [
        ("No TXT record found at _acme-challenge.name.ipv64.net", Some("name.ipv64.net")),
        ("CAA record for *.a.example prevents issuance", Some("a.example")),
        ("too many certificates (50) already issued for \"ipv64.de\" in the last 168h0m0s", Some("ipv64.de")),
        (r#"Incorrect TXT record \"x\" found at _acme-challenge.a.example."#, Some("a.example")),
        ("see https://letsencrypt.org/docs/rate-limits/ and /var/log/letsencrypt.log", None),
        ("retry after 2026-11-28 10:00:00 UTC, 0.5 s, v1.2.3", None),
        ("not_propagated", None),
    ] {
        assert_eq!(domain(text).map(|name| name.to_string()).as_deref(), name, "{text}");
    }
    let found = find("no_domain").unwrap();
    assert!(found.cure.contains("an alias (docs/alias.md)"), "{}", found.cure);
    let cure = find("ca_caa").unwrap().cure_for(domain("a.example").as_ref());
    assert!(cure.contains("`ipv64-acme doctor a.example`"), "{cure}");
}
