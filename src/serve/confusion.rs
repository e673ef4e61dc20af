//! Alias confusion: whoever may write the record at the end of another client's alias, or another client's challenge itself,
//! gets certificates for that client's names. A pure comparison of what all clients are granted; nothing is refused for it,
//! since two clients may belong together.

use super::grant::Grant;
use crate::broker::pattern::Pattern;
use crate::challenge::{CHALLENGE_LABEL, record_name};
use crate::error::{Error, Kind};

/// What to do about it.
const HINT: &str = "let aliases lead to names that are nobody's challenge, such as `web.acme.name.ipv64.net`, different ones for each client";

/// Returns one of these texts as a warning, with what to do.
#[must_use]
pub fn warning(text: &str) -> Error {
    Error::new(Kind::AliasConfusion, text).advise(HINT)
}

/// Returns in words where the aliases of one client undo the protection of another one: a text for each two clients.
#[must_use]
pub fn among<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> Vec<String> {
    let grants: Vec<_> = grants.into_iter().collect();
    let pairs =
        grants.iter().enumerate().flat_map(|(at, one)| grants.iter().skip(at + 1).map(move |other| (one, other)));
    pairs
        .filter_map(|(one, other)| by_name(one, other).or_else(|| by_name(other, one)).or_else(|| by_alias(one, other)))
        .collect()
}

/// Whether an alias of one client may end at a challenge of another one.
fn by_name(one: &Grant, other: &Grant) -> Option<String> {
    let all = one.alias.iter().flat_map(|alias| other.allow.iter().map(move |name| (alias, name)));
    let (alias, name) = all.into_iter().find(|(alias, name)| has_challenge(alias, name))?;
    Some(format!(
        "the alias `{alias}` of the client `{}` includes the challenge of `{name}`, which is allowed to the client `{}`: each of \
         the two may get certificates for names of the other",
        one.client, other.client
    ))
}

/// Whether the aliases of two clients may end at the same record.
fn by_alias(one: &Grant, other: &Grant) -> Option<String> {
    let all = one.alias.iter().flat_map(|alias| other.alias.iter().map(move |its| (alias, its)));
    let (alias, its) = all.into_iter().find(|(alias, its)| alias.overlaps(its))?;
    Some(format!(
        "the alias `{alias}` of the client `{}` and the alias `{its}` of the client `{}` share records: each of the two may get \
         certificates for names of the other",
        one.client, other.client
    ))
}

/// Whether the challenge record of a name that is allowed is among the records of an alias.
fn has_challenge(alias: &Pattern, allowed: &Pattern) -> bool {
    match (alias, allowed) {
        (alias, Pattern::Exact(name)) => record_name(name).is_ok_and(|record| alias.matches(&record)),
        (Pattern::Exact(record), Pattern::Below(_)) => {
            let is_challenge = record.labels().next() == Some(CHALLENGE_LABEL);
            record.parent().is_some_and(|name| is_challenge && allowed.matches(&name))
        }
        // Below every name there is a challenge.
        (Pattern::Below(_), Pattern::Below(_)) => alias.overlaps(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::grant::NotReady;

    fn grant(client: &str, allow: &[&str], alias: &[&str]) -> Grant {
        Grant {
            client: client.to_owned(),
            allow: allow.iter().map(|text| Pattern::of_certificates(text).unwrap()).collect(),
            alias: alias.iter().map(|text| text.parse().unwrap()).collect(),
            from: Vec::new(),
            calls_per_day: None,
            not_ready: NotReady::Pending,
        }
    }

    /// How many warnings there are for one client with an alias beside another client.
    fn count(alias: &str, allow: &str, other_alias: &[&str]) -> usize {
        let all = [grant("web", &["web.example"], &[alias]), grant("mail", &[allow], other_alias)];
        let (told, turned) = (among(&all), among(all.iter().rev()));
        assert_eq!(told.len(), turned.len(), "the order of the files does not matter");
        assert!(told.iter().all(|text| text.contains("`web`") && text.contains("`mail`")), "{told:?}");
        told.len()
    }

    #[test]
    fn an_alias_that_reaches_a_name_of_another_client_is_told() {
        for (alias, allow) in [
            ("_acme-challenge.mail.example", "mail.example"),
            ("*.example", "mail.example"),
            ("*.mail.example", "mail.example"),
            ("_acme-challenge.a.mail.example", "*.mail.example"),
            ("*.a.mail.example", "*.mail.example"),
            ("*.example", "*.mail.example"),
        ] {
            assert_eq!(count(alias, allow, &[]), 1, "{alias} {allow}");
        }
        for (alias, allow) in [
            ("web.acme.name.ipv64.net", "name.ipv64.net"),
            ("mail.example", "mail.example"),
            ("_acme-challenge.mail.example", "*.mail.example"),
            ("mail.example", "*.example"),
            ("*.acme.example", "mail.example"),
            ("*.other.example", "*.mail.example"),
        ] {
            assert_eq!(count(alias, allow, &[]), 0, "{alias} {allow}");
        }
    }

    #[test]
    fn two_clients_whose_aliases_may_end_at_one_record_are_told_once() {
        for (alias, its) in [
            ("shared.acme.example", "shared.acme.example"),
            ("*.acme.example", "shared.acme.example"),
            ("*.acme.example", "*.example"),
        ] {
            assert_eq!(count(alias, "mail.test", &[its]), 1, "{alias} {its}");
        }
        assert_eq!(count("web.acme.example", "mail.test", &["mail.acme.example"]), 0);
        assert_eq!(among(&[grant("web", &["web.example"], &["*.example"])]), Vec::<String>::new());
    }
}
