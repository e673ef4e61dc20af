//! acmetool's hooks folder: `challenge-dns-start|challenge-dns-stop HOST FILE VALUE`, and an exit code of its own for
//! events that are not meant for a hook.

use super::HookError;
use crate::order::{Action, CaAsked, Call, OnFailure, Wait};

const HINT: &str = "acmetool calls the programs in its hooks folder (/etc/acme/hooks, or `--hooks`) with HOST FILE VALUE; \
                    put a link to ipv64-acme there";
const WRONG_TYPE: &str = "acmetool sends the digest with challenge-dns-start; another program seems to call this verb";

/// Reads one call. Version 0.2.2 passes a further argument (observed): empty, or the word `wildcard`.
///
/// # Errors
/// [`HookError`] for arguments that acmetool does not send.
pub fn parse(action: Action, args: &[String]) -> Result<Call, HookError> {
    let (host, value) = match args {
        [host, _file, value] => (host, value),
        [host, _file, value, further] if matches!(further.as_str(), "" | "wildcard") => (host, value),
        _ => {
            let verb = if action == Action::Add { "challenge-dns-start" } else { "challenge-dns-stop" };
            return Err(super::wrong_count(verb, "3 arguments", args, HINT));
        }
    };
    let value = super::value(value, WRONG_TYPE)?;
    Ok(Call {
        client: "acmetool",
        action,
        challenges: vec![super::for_domain(host, value, HINT)?],
        wait: Wait::Now,
        // No challenge-dns-stop follows a start that failed.
        on_failure: OnFailure::Undo,
        ca_asked: CaAsked::AfterAll,
    })
}

/// Returns whether a word is an event of acmetool that is not ours.
pub(super) fn is_event(word: &str) -> bool {
    word == "live-updated" || word.starts_with("challenge-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_further_argument_does_not_matter() {
        for further in [None, Some(""), Some("wildcard")] {
            let args: Vec<_> = ["A.example", "/var/lib/acme/desired/a", "-v"].into_iter().chain(further).collect();
            let args: Vec<_> = args.into_iter().map(str::to_owned).collect();
            let call = parse(Action::Add, &args).unwrap();
            assert_eq!(call.challenges[0].name.as_str(), "_acme-challenge.a.example");
            assert_eq!(call.challenges[0].value.as_str(), "-v");
        }
    }

    #[test]
    fn any_other_further_argument_is_refused() {
        let args = ["a.example", "/f", "v", "extra"].map(str::to_owned);
        assert!(parse(Action::Add, &args).unwrap_err().to_string().contains("not 4"));
    }

    #[test]
    fn events_of_other_challenge_types_are_not_ours() {
        for word in ["live-updated", "challenge-http-start", "challenge-tls-sni-stop", "challenge-future"] {
            assert!(is_event(word), "{word}");
        }
        assert!(!is_event("presnt"));
    }
}
