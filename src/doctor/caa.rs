//! Whether a CA may issue for a name: the CAA records of the nearest name above that has any (RFC 8659 section 3).
//! The records are asked of resolvers, as a CA does; nothing here knows the account that will ask for the certificate.

use std::collections::BTreeSet;
use std::time::Instant;

use super::finding::Finding;
use crate::dns::message::{CAA, Question, RecordType, Reply};
use crate::dns::recursive::Recursive;
use crate::excerpt::visible;
use crate::name::DnsName;

/// The name by which CAA records allow Let's Encrypt (its documentation).
const LETS_ENCRYPT: &str = "letsencrypt.org";
/// How a rule names our way of validation (RFC 8657 section 4).
const METHOD: &str = "dns-01";
/// The tags that CAs know (RFC 8659 section 4, RFC 8657, and the registry that RFC 8659 section 7 made): others that are
/// critical forbid everything.
const KNOWN_TAGS: [&str; 7] = ["issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"];

/// Checks whether Let's Encrypt may issue for a domain, `*.` included.
#[must_use]
pub fn check(domain: &DnsName, resolvers: &[&Recursive], deadline: Instant) -> Finding {
    for name in domain.without_wildcard().ancestors() {
        match rules(&name, resolvers, deadline) {
            Ok(rules) if rules.is_empty() => {}
            Ok(rules) => return judge(domain, &name, &rules),
            Err(lines) => {
                let text = format!("no resolver answered the CAA query for `{name}`: {lines}");
                return Finding::warning("caa_unknown", domain, text).advise("a CA that gets no answer either does not issue: check the resolvers, then the name servers of that name");
            }
        }
    }
    Finding::ok("caa", domain, "no CAA records: any CA may issue")
}

fn rules(name: &DnsName, resolvers: &[&Recursive], deadline: Instant) -> Result<Vec<CAA>, String> {
    let mut lines: BTreeSet<String> = BTreeSet::new();
    for set in resolvers {
        match set.ask(&Question::recursive(name, RecordType::CAA), deadline, Reply::is_answer) {
            Ok(reply) => return Ok(reply.caa().cloned().collect()),
            Err(no_use) => lines.extend(no_use),
        }
    }
    if lines.is_empty() {
        lines.insert("no answer in time".to_owned());
    }
    Err(lines.into_iter().collect::<Vec<_>>().join(", "))
}

fn judge(domain: &DnsName, at: &DnsName, rules: &[CAA]) -> Finding {
    if let Some(rule) = rules
        .iter()
        .find(|rule| rule.issuer_critical && !KNOWN_TAGS.iter().any(|tag| rule.tag.eq_ignore_ascii_case(tag)))
    {
        let tag = visible(&rule.tag);
        let text = format!("the CAA record `{tag}` of `{at}` is critical, and CAs do not know it: none may issue");
        return Finding::warning("caa_forbids", domain, text).advise("remove that record");
    }
    let wildcard = domain.as_str().starts_with("*.");
    let of = |wanted: &str| -> Vec<_> {
        let rules = rules.iter().filter(|rule| rule.tag.eq_ignore_ascii_case(wanted));
        rules.map(|rule| String::from_utf8_lossy(&rule.value)).collect()
    };
    let special = of("issuewild");
    let (tag, values) = if wildcard && !special.is_empty() { ("issuewild", special) } else { ("issue", of("issue")) };
    if values.is_empty() {
        return Finding::ok("caa", domain, format!("the CAA records of `{at}` do not limit who may issue"));
    }
    let permits: Vec<_> = values.iter().map(|value| permit(value)).collect();
    if permits.contains(&Permit::Anybody) {
        return Finding::ok("caa", domain, format!("the CAA records of `{at}` allow Let's Encrypt"));
    }
    let accounts: Vec<_> = permits
        .into_iter()
        .filter_map(|permit| if let Permit::Account(url) = permit { Some(url) } else { None })
        .collect();
    if !accounts.is_empty() {
        let accounts = accounts.join(", ");
        let text = format!("the CAA records of `{at}` allow Let's Encrypt for the ACME account {accounts} only");
        return Finding::note("caa_account", domain, text)
            .advise("compare it with the account of your ACME client (certbot: `certbot show_account`)");
    }
    let shown: Vec<_> = values.iter().map(|value| format!("\"{}\"", visible(value))).collect();
    let text = format!("the CAA records of `{at}` do not allow Let's Encrypt with dns-01, but {}", shown.join(", "));
    Finding::warning("caa_forbids", domain, text)
        .advise(format!("unless you use one of those, add the CAA record `0 {tag} \"{LETS_ENCRYPT}\"` at `{at}`"))
}

/// Whom the value of a rule lets have a certificate from Let's Encrypt with dns-01.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Permit {
    Anybody,
    /// The ACME account with this URL (RFC 8657 section 3).
    Account(String),
    Nobody,
}

fn permit(value: &str) -> Permit {
    let (ca, parameters) = value.split_once(';').unwrap_or((value, ""));
    let parameters: Vec<_> = parameters.split(';').filter_map(|part| part.split_once('=')).collect();
    let of = |wanted: &'static str| {
        let is_it = move |(key, _): &&(&str, &str)| key.trim().eq_ignore_ascii_case(wanted);
        parameters.iter().filter(is_it).map(|(_, value)| value.trim())
    };
    let named = ca.trim().eq_ignore_ascii_case(LETS_ENCRYPT);
    let by_our_way = of("validationmethods").all(|methods| methods.split(',').any(|method| method.trim() == METHOD));
    match of("accounturi").next() {
        _ if !named || !by_our_way => Permit::Nobody,
        Some(url) => Permit::Account(visible(url)),
        None => Permit::Anybody,
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn rules_are_read_as_a_ca_reads_them() {
        type Row = (&'static str, &'static [(&'static str, &'static str)], Level);
        let table: [Row; 13] = [
            ("a.example", &[("issue", "letsencrypt.org")], Level::Ok),
            ("a.example", &[("issue", " LetsEncrypt.org ; x=y")], Level::Ok),
            ("a.example", &[("issue", "letsencrypt.org; accounturi=https://ca.example/1")], Level::Note),
            ("a.example", &[("issue", "letsencrypt.org; accounturi=x"), ("issue", "letsencrypt.org")], Level::Ok),
            ("a.example", &[("issue", "letsencrypt.org; accounturi=x; validationmethods=http-01")], Level::Warning),
            ("a.example", &[("issue", "ca.example"), ("issue", "letsencrypt.org")], Level::Ok),
            ("a.example", &[("issue", "letsencrypt.org; validationmethods=http-01")], Level::Warning),
            ("a.example", &[("issue", "letsencrypt.org; validationmethods=http-01,dns-01")], Level::Ok),
            ("a.example", &[("issue", ";")], Level::Warning),
            ("a.example", &[("iodef", "mailto:a@example")], Level::Ok),
            ("a.example", &[("issuewild", ";")], Level::Ok),
            ("*.a.example", &[("issue", "letsencrypt.org"), ("issuewild", ";")], Level::Warning),
            ("*.a.example", &[("issue", "letsencrypt.org")], Level::Ok),
        ];
        for (domain, rules, level) in table {
            let rule = |(tag, value): &(&str, &str)| rule(tag, value);
            let finding = judge(&name(domain), &name("example"), &rules.iter().map(rule).collect::<Vec<_>>());
            assert_eq!(finding.level, level, "{domain} {rules:?}: {}", finding.text);
        }
    }

    #[test]
    fn an_unknown_rule_forbids_only_if_it_is_critical() {
        for (critical, level) in [(true, Level::Warning), (false, Level::Ok)] {
            let mut unknown = rule("tbs", "x");
            unknown.issuer_critical = critical;
            let finding = judge(&name("a.example"), &name("example"), &[rule("issue", "letsencrypt.org"), unknown]);
            assert_eq!(finding.level, level, "{}", finding.text);
        }
    }

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    fn rule(tag: &str, value: &str) -> CAA {
        let mut rule = CAA::new_issue(false, None, Vec::new());
        (rule.tag, rule.value) = (tag.to_owned(), value.as_bytes().to_vec());
        rule
    }
}
