use super::super::tests::VALUE;
use super::*;

const OTHER: &str = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM";

fn call(action: Action, args: &[&str], kind: &str) -> Result<Call> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let verb = CONVENTION.verbs.iter().find(|verb| verb.action == action).unwrap();
    let request = parse(verb, &args, &|name| (name == "CHALLENGETYPE" && !kind.is_empty()).then(|| kind.to_owned()))?;
    let Request::Solve(call) = request else { panic!("{request:?}") };
    Ok(call)
}

#[test]
fn a_chain_brings_all_names_at_once() {
    let args = ["A.example", "-tok", VALUE, "a.example", "tok", OTHER, "b.example", "tok", OTHER];
    let call = call(Action::Add, &args, "dns-01").unwrap();
    let names: Vec<_> = call.challenges.iter().map(|c| format!("{} {}", c.name, c.value)).collect();
    let expected = [("a", VALUE), ("a", OTHER), ("b", OTHER)];
    assert_eq!(names, expected.map(|(name, value)| format!("_acme-challenge.{name}.example {value}")));
    assert_eq!(call.on_failure, OnFailure::Undo);
}

#[test]
fn a_clean_must_not_cost_the_certificate() {
    let call = call(Action::Remove, &["a.example", "tok", VALUE], "").unwrap();
    assert_eq!(call.on_failure, OnFailure::DeferToNextCall);
}

#[test]
fn another_challenge_type_is_named_with_its_setting() {
    // The value of tls-alpn-01 is hexadecimal: without the variable it looks like one of ours.
    for kind in ["http-01", "tls-alpn-01"] {
        let error = call(Action::Add, &["a.example", "tok", "0123abcd"], kind).unwrap_err();
        assert!(error.to_string().contains(kind), "{error}");
        assert!(error.hint().unwrap().contains("CHALLENGETYPE"));
    }
}

#[test]
fn a_challenge_type_cannot_act_on_the_terminal() {
    let error = call(Action::Add, &["a.example", "tok", VALUE], "http-01\u{1b}[31m").unwrap_err();
    assert!(error.to_string().contains("http-01\\u{1b}[31m"), "{error:?}");
}

#[test]
fn broken_triples_are_refused() {
    for args in [&["a.example", "tok"][..], &["a.example", "tok", VALUE, "b.example"]] {
        let error = call(Action::Add, args, "dns-01").unwrap_err();
        assert!(error.to_string().contains(&format!("not {}", args.len())), "{error}");
        assert!(error.hint().unwrap().contains("HOOK_CHAIN"));
    }
}

#[test]
fn events_of_today_and_of_later_versions_pass() {
    for event in EVENTS {
        assert!(is_event(event, &|_| None), "{event}");
    }
    assert!(is_event("this_hookscript_is_broken__dehydrated_is_probably_fine", &|_| None));
    assert!(is_event("event_of_the_future", &|_| Some("x".to_owned())));
    assert!(!is_event("event_of_the_future", &|name| (name != "WELLKNOWN").then(|| "x".to_owned())));
}
