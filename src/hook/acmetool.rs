//! acmetool's hooks folder: `challenge-dns-start|challenge-dns-stop HOST FILE VALUE`, and an exit code of its own for
//! events that are not meant for a hook.

use super::{Convention, Hints, Request, Variables, Verb};
use crate::error::Result;
use crate::exit::Exit;
use crate::order::{Action, Call};

const HINT: &str = "acmetool calls the programs in its hooks folder (/etc/acme/hooks, or `--hooks`) with HOST FILE VALUE; \
                    put a link to ipv64-acme there";
const WRONG_TYPE: &str = "acmetool sends the digest with challenge-dns-start; another program seems to call this verb";
const HINTS: Hints = Hints { form: HINT, other_type: WRONG_TYPE };

/// acmetool.
pub const CONVENTION: Convention = Convention {
    name: "acmetool",
    page: "acmetool",
    setting: "a link to the program in its hooks folder",
    verbs: &[
        Verb::new("challenge-dns-start", Action::Add, "acmetool adds a record: HOST FILE VALUE", parse),
        Verb::new("challenge-dns-stop", Action::Remove, "acmetool removes a record: HOST FILE VALUE", parse),
    ],
    ignored_event: |word, _| is_event(word).then_some(Exit::NotOurs),
    programs: &["acmetool"],
    lines: &["ln -s {exe} /etc/acme/hooks/ipv64-acme"],
    ..Convention::UNKNOWN
};

/// Reads one call. Version 0.2.2 passes a further argument (observed): empty, or the word `wildcard`.
fn parse(verb: &Verb, args: &[String], _: &Variables<'_>) -> Result<Request> {
    let (host, value) = match args {
        [host, _file, value] => (host, value),
        [host, _file, value, further] if matches!(further.as_str(), "" | "wildcard") => (host, value),
        _ => return Err(super::wrong_count(verb.word, "3 arguments", args, HINT)),
    };
    let challenge = super::for_domain(verb.action, (host, value), &HINTS)?;
    // No challenge-dns-stop follows a start that failed.
    Ok(Request::Solve(Call::new("acmetool", verb.action, vec![challenge])))
}

/// Whether a word is an event of acmetool that is not ours.
fn is_event(word: &str) -> bool {
    word == "live-updated" || word.starts_with("challenge-")
}

#[cfg(test)]
mod tests {
    use super::super::tests::VALUE;
    use super::*;

    #[test]
    fn the_further_argument_does_not_matter() {
        for further in [None, Some(""), Some("wildcard")] {
            let args: Vec<_> = ["A.example", "/var/lib/acme/desired/a", VALUE].into_iter().chain(further).collect();
            let args: Vec<_> = args.into_iter().map(str::to_owned).collect();
            let Ok(Request::Solve(call)) = parse(&CONVENTION.verbs[0], &args, &|_| None) else { panic!("{args:?}") };
            assert_eq!(call.challenges[0].name.as_str(), "_acme-challenge.a.example");
            assert_eq!(call.challenges[0].value.as_str(), VALUE);
        }
    }

    #[test]
    fn any_other_further_argument_is_refused() {
        let args = ["a.example", "/f", VALUE, "extra"].map(str::to_owned);
        assert!(parse(&CONVENTION.verbs[0], &args, &|_| None).unwrap_err().to_string().contains("not 4"));
    }

    #[test]
    fn events_of_other_challenge_types_are_not_ours() {
        for word in ["live-updated", "challenge-http-start", "challenge-tls-sni-stop", "challenge-future"] {
            assert!(is_event(word), "{word}");
        }
        assert!(!is_event("presnt"));
    }
}
