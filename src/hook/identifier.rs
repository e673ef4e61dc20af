//! Any client that passes a bare domain and the finished value (getssl, acmed, scripts): `--identifier DOMAIN VALUE`.

use super::{Convention, Hints, invalid};
use crate::error::Result;
use crate::order::{Action, CaAsked, Call, OnFailure};

const HINT: &str = "the form is `present|cleanup --identifier DOMAIN VALUE`";
const WRONG_TYPE: &str = "choose dns-01 as the challenge type of your ACME client";
const HINTS: Hints = Hints { form: HINT, other_type: WRONG_TYPE };

/// Any other client.
pub const CONVENTION: Convention = Convention {
    name: "any other",
    page: "scripts",
    setting: "ipv64-acme present --identifier DOMAIN VALUE, and cleanup in place of present",
    ..Convention::UNKNOWN
};

/// Reads one call. `*.` is dropped from the domain: acmed passes it as it is configured.
///
/// # Errors
/// [`crate::error::Kind::InvalidCall`] for anything but a domain and a value.
pub fn parse(action: Action, args: &[String]) -> Result<Call> {
    let [domain, value] = args else {
        return Err(invalid(format!("--identifier takes 2 arguments, not {}", args.len()), HINT));
    };
    let challenge = super::for_domain(action, (domain, value), &HINTS)?;
    let on_failure = match action {
        Action::Add => OnFailure::Undo,
        // acmed drops the certificate if its clean-up hook fails.
        Action::Remove => OnFailure::DeferToNextCall,
    };
    Ok(Call { on_failure, ca_asked: CaAsked::AfterEach, ..Call::new("identifier", action, vec![challenge]) })
}

#[cfg(test)]
mod tests {
    use super::super::tests::VALUE;
    use super::*;

    #[test]
    fn strips_the_wildcard_and_adds_the_label() {
        let args = ["*.Example.org".to_owned(), VALUE.to_owned()];
        let call = parse(Action::Remove, &args).unwrap();
        assert_eq!(call.challenges[0].name.as_str(), "_acme-challenge.example.org");
        assert_eq!(call.action, Action::Remove);
    }

    #[test]
    fn counts_its_arguments() {
        assert!(parse(Action::Add, &["a.example".to_owned()]).unwrap_err().to_string().contains("not 1"));
    }
}
