//! An outage of the API is cheap: five requests for the call that meets it, one each half minute for all that follow, none for
//! what never left this machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use ipv64_acme::sim::{Action, ApiFault, CallKind};

use super::*;

const FOR_EVER: u32 = 1000;

/// Calls one of certbot's hooks for one name of an order.
pub(super) fn certbot(env: &TestEnvironment, verb: &str, (names, at): (&[String], usize), value: &str) -> Finished {
    let remaining = (names.len() - at - 1).to_string();
    let variables = [
        ("CERTBOT_DOMAIN", names[at].as_str()),
        ("CERTBOT_VALIDATION", value),
        ("CERTBOT_REMAINING_CHALLENGES", &remaining),
        ("CERTBOT_ALL_DOMAINS", &names.join(",")),
    ];
    run_with(env, &[verb], &variables)
}

/// All calls of certbot for an order of so many names, of which every addition fails; returns the exit codes.
pub(super) fn order(env: &TestEnvironment, count: usize) -> Vec<Option<i32>> {
    let names: Vec<_> = (0..count).map(|number| format!("n{number}.name.ipv64.net")).collect();
    let values: Vec<_> = names.iter().map(|_| value()).collect();
    let calls = ["auth", "cleanup"].into_iter().flat_map(|verb| (0..count).map(move |at| (verb, at)));
    calls.map(|(verb, at)| certbot(env, verb, (&names, at), &values[at]).status.code()).collect()
}

fn env_with(action: &Action, call: Option<CallKind>) -> TestEnvironment {
    let mut env = with_foreign_record();
    env.set("IPV64_PROPAGATION_TIMEOUT", "20");
    env.set("IPV64_HTTP_TIMEOUT", "1");
    env.sim.fault(ApiFault { call, ..ApiFault::next(action.clone()) }.times(FOR_EVER));
    env
}

#[test]
fn an_order_during_an_outage_costs_the_tries_of_one_call() {
    let filter = Action::html(403, "<html>filtered</html>");
    let proxy = Action::html(407, "<html>proxy authentication required</html>");
    let portal = Action::html(200, "<html>log in to this network</html>");
    let rows = [
        (2, 6, Action::html(502, ""), None),
        (2, 6, Action::html(502, ""), Some(CallKind::AddRecord)),
        (10, 15, Action::html(502, ""), None),
        (2, 6, filter.clone(), None),
        (10, 15, filter, None),
        (2, 6, proxy.clone(), None),
        (10, 15, proxy, None),
        (2, 6, portal.clone(), None),
        (10, 15, portal, None),
        (2, 6, Action::json(200, "null"), None),
    ];
    std::thread::scope(|scope| {
        for (names, most, action, call) in &rows {
            scope.spawn(move || {
                let env = env_with(action, *call);
                let codes = order(&env, *names);
                let calls = env.calls();
                assert!(calls.len() <= *most, "{action:?}: {calls:?}");
                assert_eq!(codes[..*names], vec![Some(6); *names], "{action:?}");
                assert_eq!(codes.last(), Some(&Some(0)), "nothing was sent for the last name");
            });
        }
    });
}

/// A proxy that wants a password of everybody; counts who came.
fn proxy_with_password() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, asked) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            // The blank line ends the head.
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            count.fetch_add(1, Ordering::Relaxed);
            stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").ok();
        }
    });
    (address, asked)
}

#[test]
fn a_proxy_that_wants_a_password_is_asked_no_more_often() {
    let ask = |names: usize, most: usize| {
        let (address, asked) = proxy_with_password();
        let mut env = TestEnvironment::new();
        env.set("IPV64_PROPAGATION_TIMEOUT", "20");
        // The name is left to the proxy.
        env.set("IPV64_API_URL", "https://ipv64.test/api");
        env.set("HTTPS_PROXY", &format!("http://{address}"));
        let codes = order(&env, names);
        let asked = asked.load(Ordering::Relaxed);
        assert!((1..=most).contains(&asked), "{names} names: {asked}");
        assert_eq!(codes, [vec![Some(6); names], vec![Some(0); names]].concat());
    };
    std::thread::scope(|scope| {
        scope.spawn(|| ask(2, 6));
        scope.spawn(|| ask(10, 15));
    });
}

#[test]
fn a_lost_reply_to_an_addition_is_looked_up_at_the_name_servers_before_the_api_is_asked_again() {
    let env = with_foreign_record();
    env.sim.fault(ApiFault::on(CallKind::AddRecord, Action::Close).after_commit().times(FOR_EVER));
    let value = value();
    env.succeed(&["present", NAME, &value]);
    env.succeed(&["cleanup", NAME, &value]);
    assert_eq!(env.calls(), [CallKind::GetDomains, CallKind::AddRecord, CallKind::DelRecord]);
    assert_only_the_foreign_record_stands(&env, "at the end");
}

#[test]
fn name_servers_that_are_late_do_not_make_a_lost_reply_dear() {
    let env = TestEnvironment::with(Config::with_delays(&[Duration::from_secs(8), Duration::from_secs(8)]));
    env.sim.fault(ApiFault::on(CallKind::AddRecord, Action::Close).after_commit().times(FOR_EVER));
    let value = value();
    env.succeed(&["present", NAME, &value]);
    env.succeed(&["cleanup", NAME, &value]);
    let calls = env.calls();
    assert!(calls.len() <= 5, "{calls:?}");
}

/// A call that ends before anything is sent says nothing about the record that an earlier one may have brought there.
#[test]
fn a_record_whose_reply_was_lost_is_removed_although_the_next_call_never_left() {
    let mut env = TestEnvironment::with(Config::with_delays(&[Duration::from_secs(60)]));
    env.set("IPV64_PROPAGATION_TIMEOUT", "1");
    env.sim.fault(ApiFault::on(CallKind::AddRecord, Action::Close).after_commit().times(FOR_EVER));
    let (value, names) = (value(), [NAME.to_owned()]);
    let code = |verb| certbot(&env, verb, (&names, 0), &value).status.code();
    assert_eq!(code("auth"), Some(6));
    env.calls();
    change_state(&env, "usage.json", |content| {
        let account = content["accounts"].as_object_mut().unwrap().values_mut().next().unwrap();
        account.as_object_mut().unwrap().remove("domains").unwrap();
    });
    assert_eq!(code("auth"), Some(6));
    assert_eq!(env.calls(), [], "an outage is known, and the list of domains has to be asked for");
    age_outage(&env, Duration::from_secs(31));
    assert_eq!(code("cleanup"), Some(0));
    assert_eq!(env.calls(), [CallKind::DelRecord]);
    assert!(env.sim.records_left().is_empty());
}

/// An environment in which a call has just given up.
fn in_outage() -> TestEnvironment {
    let mut env = env_with(&Action::html(502, ""), None);
    env.set("IPV64_PROPAGATION_TIMEOUT", "1");
    assert_eq!(env.run(&["present", NAME, &value()]).status.code(), Some(6));
    env.calls();
    env
}

/// Lets the last try be so long ago.
fn age_outage(env: &TestEnvironment, by: Duration) {
    change_state(env, "usage.json", |content| {
        let account = content["accounts"].as_object_mut().unwrap().values_mut().next().unwrap();
        let tried = account["outage"]["tried_at"].as_u64().unwrap();
        account["outage"]["tried_at"] = (tried - by.as_millis() as u64).into();
    });
}

#[test]
fn after_a_call_that_gave_up_one_try_is_made_each_half_minute_until_one_succeeds() {
    let env = in_outage();
    let value = value();
    let refused = env.fail(&["present", NAME, &value], 6);
    assert!(
        refused.contains("IPv64 has not answered since") && refused.contains("the next try is due at"),
        "{refused}"
    );
    assert_eq!(env.calls(), []);
    age_outage(&env, Duration::from_secs(31));
    env.fail(&["present", NAME, &value], 6);
    assert_eq!(env.calls().len(), 1, "one try, not five");
    env.fail(&["present", NAME, &value], 6);
    assert_eq!(env.calls(), []);
    env.sim.clear_faults();
    age_outage(&env, Duration::from_secs(31));
    env.succeed(&["present", NAME, &value]);
    env.succeed(&["cleanup", NAME, &value]);
    assert_only_the_foreign_record_stands(&env, "after the outage");
}

#[test]
fn people_are_told_since_when_and_their_commands_ask_all_the_same() {
    let env = in_outage();
    let status = env.run(&["status"]);
    assert!(status.stdout.contains("no answer since"), "{}", status.said());
    assert_eq!(env.calls(), [CallKind::GetAccountInfo]);
    let doctor = env.run(&["doctor"]);
    assert!(doctor.stdout.contains("no answer since"), "{}", doctor.said());
    assert_eq!(env.calls(), [CallKind::GetAccountInfo]);
    env.fail(&["domain", "list"], 6);
    assert_eq!(env.calls().len(), 1);
    env.sim.clear_faults();
    assert!(!env.succeed(&["status"]).contains("no answer since"));
    env.succeed(&["present", NAME, &value()]);
}

#[test]
fn what_the_quota_refused_costs_no_removal() {
    let daily = Action::daily().with_header("Retry-After", "7200");
    let env = env_with(&daily, Some(CallKind::AddRecord));
    let codes = order(&env, 4);
    assert_eq!(codes, [[Some(4); 4], [Some(0); 4]].concat());
    assert_eq!(env.calls(), [CallKind::GetDomains, CallKind::AddRecord]);
}

#[test]
fn a_burst_that_lasts_is_not_called_the_end_of_the_day() {
    let mut env = env_with(&Action::daily(), None);
    env.set("IPV64_PROPAGATION_TIMEOUT", "60");
    let present = || env.fail(&["present", NAME, &value()], 4);
    assert!(!present().contains("today"));
    let calls = env.calls().len();
    assert!(calls <= 3, "{calls}");
    let again = present();
    assert!(again.contains("the next try is due at") && again.contains("perhaps"), "{again}");
    assert_eq!(env.calls(), []);
    assert!(!env.run(&["status"]).stdout.contains("used up"));
    assert!(!env.calls().is_empty(), "people ask");
    env.sim.clear_faults();
    env.succeed(&["status"]);
    env.succeed(&["present", NAME, &value()]);
}
