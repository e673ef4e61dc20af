use super::super::{Exit, tests::VALUE};
use super::*;

fn call(action: Action, variables: &[(&str, &str)]) -> Result<Call> {
    let find = |name: &str| {
        let value = variables.iter().find(|(variable, _)| *variable == name)?.1;
        (!value.is_empty()).then(|| value.to_owned())
    };
    parse(action, &find)
}

#[test]
fn reads_domain_and_value() {
    let variables = [("CERTBOT_DOMAIN", "Example.org"), ("CERTBOT_VALIDATION", VALUE)];
    let call = call(Action::Add, &variables).unwrap();
    assert_eq!(call.challenges[0].name.as_str(), "_acme-challenge.example.org");
    assert_eq!(call.challenges[0].value.as_str(), VALUE);
    assert_eq!(call.wait, Wait::Now);
    assert_eq!(call.on_failure, OnFailure::Leave);
}

#[test]
fn all_but_the_last_only_add() {
    let with = |remaining| {
        let variables = [
            ("CERTBOT_DOMAIN", "example.org"),
            ("CERTBOT_VALIDATION", VALUE),
            ("CERTBOT_ALL_DOMAINS", "example.org,example.org,www.example.org"),
            ("CERTBOT_REMAINING_CHALLENGES", remaining),
        ];
        call(Action::Add, &variables).unwrap().wait
    };
    let Wait::Later(order) = with("2") else { panic!("has to wait later") };
    assert_eq!((order.names.len(), order.remaining), (3, 2), "apex and wildcard count twice");
    assert!(matches!(with("0"), Wait::Order(_)));
    assert_eq!(with(""), Wait::Now, "certbot before 1.4");
}

#[test]
fn a_leaked_auth_output_does_not_make_it_a_cleanup() {
    let variables = [("CERTBOT_DOMAIN", "a.example"), ("CERTBOT_VALIDATION", VALUE), ("CERTBOT_AUTH_OUTPUT", "ready")];
    assert_eq!(call(Action::Add, &variables).unwrap().action, Action::Add);
}

#[test]
fn newer_names_of_the_variables_will_do() {
    let variables = [("CERTBOT_IDENTIFIER", "a.example"), ("CERTBOT_VALIDATION", VALUE)];
    assert!(call(Action::Remove, &variables).is_ok());
}

#[test]
fn says_what_is_wrong_and_which_option_to_set() {
    type Case = (&'static [(&'static str, &'static str)], &'static str, &'static str);
    let table: [Case; 5] = [
        (&[], "CERTBOT_DOMAIN", "--manual-auth-hook"),
        (&[("CERTBOT_DOMAIN", "a.example")], "CERTBOT_VALIDATION", "--manual-auth-hook"),
        (
            &[("CERTBOT_DOMAIN", "a.example"), ("CERTBOT_VALIDATION", "token.thumb"), ("CERTBOT_TOKEN", "token")],
            "key authorization",
            "--preferred-challenges dns",
        ),
        (&[("CERTBOT_DOMAIN", "192.0.2.1"), ("CERTBOT_VALIDATION", VALUE)], "IP address", "http-01"),
        (&[("CERTBOT_DOMAIN", "a..example"), ("CERTBOT_VALIDATION", VALUE)], "a..example", "certbot"),
    ];
    for (variables, problem, hint) in table {
        let error = call(Action::Add, variables).unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
        assert_eq!(error.kind().exit(), Exit::Usage);
    }
}
