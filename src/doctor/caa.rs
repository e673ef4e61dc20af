//! Whether a CA may issue for a name: the CAA records of the nearest name above that has any (RFC 8659 section 3).

use std::collections::BTreeSet;
use std::time::Instant;

use super::Finding;
use crate::dns::message::{Data, Kind, Question, Rcode, Reply};
use crate::dns::recursive::Recursive;
use crate::exit::Exit;
use crate::http::visible;
use crate::name::DnsName;

/// The name by which CAA records allow Let's Encrypt (its documentation).
const LETS_ENCRYPT: &str = "letsencrypt.org";
/// How a rule names our way of validation (RFC 8657 section 4).
const METHOD: &str = "dns-01";

/// One rule: its tag and value.
type Rule = (String, String);

/// Looks whether Let's Encrypt may issue for a domain, `*.` included.
#[must_use]
pub fn look(domain: &DnsName, resolvers: &[&Recursive], deadline: Instant) -> Finding {
    for name in domain.without_wildcard().ancestors() {
        match rules(&name, resolvers, deadline) {
            Ok(rules) if rules.is_empty() => {}
            Ok(rules) => return judge(domain, &name, &rules),
            Err(lines) => {
                return Finding::warning(
                    "caa_unknown",
                    domain.as_str(),
                    format!("nobody tells the CAA records of `{name}`: {lines}"),
                )
                .advise("a CA that gets no answer does not issue; check the name servers of that name");
            }
        }
    }
    Finding::ok("caa", domain.as_str(), "no CAA records: any CA may issue")
}

fn rules(name: &DnsName, resolvers: &[&Recursive], deadline: Instant) -> Result<Vec<Rule>, String> {
    let answered = |reply: &Reply| matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain);
    let mut lines = BTreeSet::new();
    for set in resolvers {
        match set.ask(&Question::recursive(name, Kind::Caa), deadline, answered) {
            Ok(reply) => {
                let rule = |data: &Data| match data {
                    Data::Caa { tag, value } => Some((tag.clone(), value.clone())),
                    _ => None,
                };
                return Ok(reply.answers.iter().filter_map(|record| rule(&record.data)).collect());
            }
            Err(no_use) => lines.extend(no_use.iter().map(ToString::to_string)),
        }
    }
    Err(lines.into_iter().collect::<Vec<_>>().join(", "))
}

fn judge(domain: &DnsName, at: &DnsName, rules: &[Rule]) -> Finding {
    let wildcard = domain.as_str().starts_with("*.");
    let of = |wanted: &str| rules.iter().filter(|(tag, _)| tag == wanted).map(|(_, value)| value.as_str()).collect();
    let special: Vec<&str> = of("issuewild");
    let values: Vec<&str> = if wildcard && !special.is_empty() { special } else { of("issue") };
    if values.is_empty() {
        return Finding::ok("caa", domain.as_str(), format!("the CAA records of `{at}` do not limit who may issue"));
    }
    if values.iter().any(|value| allows(value)) {
        return Finding::ok("caa", domain.as_str(), format!("the CAA records of `{at}` allow Let's Encrypt"));
    }
    let shown: Vec<_> = values.iter().map(|value| format!("\"{}\"", visible(value))).collect();
    let text = format!("the CAA records of `{at}` do not allow Let's Encrypt with dns-01, but {}", shown.join(", "));
    let tag = if wildcard { "issuewild" } else { "issue" };
    Finding::warning("caa_forbids", domain.as_str(), text)
        .ending(Exit::Done)
        .advise(format!("unless you use one of those, add the CAA record `0 {tag} \"{LETS_ENCRYPT}\"` at `{at}`"))
}

/// Whether the value of an `issue` rule names Let's Encrypt and does not exclude our way of validation.
fn allows(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let named = parts.next().is_some_and(|ca| ca.eq_ignore_ascii_case(LETS_ENCRYPT));
    named
        && parts
            .filter_map(|part| part.split_once('='))
            .filter(|(key, _)| key.trim().eq_ignore_ascii_case("validationmethods"))
            .all(|(_, methods)| methods.split(',').any(|method| method.trim() == METHOD))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn rules_are_read_as_a_ca_reads_them() {
        type Row = (&'static str, &'static [(&'static str, &'static str)], Level);
        let table: [Row; 10] = [
            ("a.example", &[("issue", "letsencrypt.org")], Level::Ok),
            ("a.example", &[("issue", " LetsEncrypt.org ; accounturi=x")], Level::Ok),
            ("a.example", &[("issue", "ca.example"), ("issue", "letsencrypt.org")], Level::Ok),
            ("a.example", &[("issue", "letsencrypt.org; validationmethods=http-01")], Level::Warning),
            ("a.example", &[("issue", "letsencrypt.org; validationmethods=http-01,dns-01")], Level::Ok),
            ("a.example", &[("issue", ";")], Level::Warning),
            ("a.example", &[("iodef", "mailto:a@example")], Level::Ok),
            ("a.example", &[("issuewild", ";")], Level::Ok),
            ("*.a.example", &[("issue", "letsencrypt.org"), ("issuewild", ";")], Level::Warning),
            ("*.a.example", &[("issue", "letsencrypt.org")], Level::Ok),
        ];
        let at = DnsName::parse("example").unwrap();
        for (domain, rules, level) in table {
            let rules: Vec<_> = rules.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned())).collect();
            let finding = judge(&DnsName::parse(domain).unwrap(), &at, &rules);
            assert_eq!(finding.level, level, "{domain} {rules:?}: {}", finding.text);
        }
    }
}
