//! Documented and observed answers.

use super::*;

#[test]
fn the_documented_account_is_read() {
    let account = Setup::answering(200, fixture!("account-info.json")).client.account(&once()).unwrap();
    assert_eq!(account.email.as_ref().unwrap().expose(), "somebody@example.org");
    assert_eq!(account.registered.as_deref(), Some("2022-10-03 12:34:56"));
    assert_eq!((account.dyndns_updates, account.api_updates), (Some(5), Some(3)));
    assert_eq!(account.class.name.as_deref(), Some("Standard"));
    assert_eq!(account.class.dyndns_domain_limit, Some(3));
    assert_eq!(account.class.dyndns_update_limit, Some(48));
    assert_eq!((account.class.api_limit, account.api_calls_left()), (Some(64), Some(61)));
    let printed = format!("{account:?}");
    for secret in ["somebody", "UPDATEHASH", "APIKEY"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn observed_fields_of_an_account_are_read_and_new_ones_ignored() {
    let account = Setup::answering(200, fixture!("account-observed-fields.json")).client.account(&once()).unwrap();
    assert_eq!((account.status, account.own_domains, account.dyndns_subdomains), (Some(1), Some(1), Some(2)));
    assert_eq!((account.api_updates, account.class.api_limit), (Some(3), Some(0)));
    assert_eq!((account.class.sms_limit, account.class.dyndns_ttl), (None, Some(60)));
    assert_eq!(account.api_calls_left(), None, "0 means no limit");
}

#[test]
fn the_documented_logs_are_read() {
    let logs = Setup::answering(200, fixture!("logs.json")).client.logs(&once()).unwrap();
    assert_eq!(logs.len(), 2);
    assert_eq!((logs[0].subdomain.as_str(), logs[0].header.as_str()), ("name.ipv64.net", "DynDNS Update"));
    assert_eq!(logs[1].content, "Die 24h Limits wurden zurückgesetzt.");
    assert!(Setup::answering(200, fixture!("logs-empty.json")).client.logs(&once()).unwrap().is_empty());
}

#[test]
fn the_documented_domains_are_read_in_the_order_of_their_names() {
    let domains = Setup::answering(200, fixture!("domains.json")).client.domains(&once()).unwrap();
    assert_eq!(domains.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["example.com", "name.ipv64.net"]);
    let [other, name] = domains.as_slice() else { panic!("{domains:?}") };
    assert_eq!((name.updates, name.wildcard, other.wildcard), (Some(2), Some(true), Some(false)));
    let record = &other.records[0];
    assert_eq!((record.id, record.ttl, &record.record_type), (Some(13), Some(60), &RecordType::TXT));
    assert_eq!((record.content.as_str(), record.name_in(&other.name)), ("v=spf1 -all", "mail.example.com".into()));
    assert_eq!(name.records[1].name_in(&name.name), "name.ipv64.net");
}

#[test]
fn observed_shapes_of_domains_are_understood() {
    let domains = Setup::answering(200, fixture!("domains-observed-fields.json")).client.domains(&once()).unwrap();
    let names: Vec<_> = domains.iter().map(|domain| domain.name.as_str()).collect();
    assert_eq!(names, ["empty.home64.de", "name.ipv64.net", "xn--bcher-kva.example"]);
    let [text, other] = domains[1].records.as_slice() else { panic!("{domains:?}") };
    assert_eq!((text.id, text.ttl, text.content.as_str()), (Some(11), Some(60), "\"path/to\""));
    assert_eq!((other.id, other.ttl, other.prefix.as_str()), (None, None, ""));
    assert_eq!(other.record_type, RecordType::from_name("https"));
    assert_eq!((domains[1].wildcard, domains[1].dualstack), (Some(true), Some(false)));
    assert!(domains[0].records.is_empty());
    let printed = format!("{domains:?}");
    for secret in ["DOMAINHASH", "RECORDKEY"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn an_account_without_domains_is_no_error() {
    assert!(Setup::answering(200, fixture!("domains-empty.json")).client.domains(&once()).unwrap().is_empty());
}

#[test]
fn records_are_added_and_deleted() {
    let setup = Setup::new(vec![
        Step::json(201, fixture!("add-record.json")),
        Step::json(202, fixture!("del-record.json")),
        Step::json(202, fixture!("del-record.json")),
    ]);
    assert_eq!(setup.client.add_record(&challenge(), &once()), Ok(Change::Made));
    assert_eq!(setup.client.delete_record(&challenge(), &once()), Ok(Change::Made));
    assert_eq!(setup.client.delete_record_by_id(11, &once()), Ok(Change::Made));
    let seen = setup.server.seen();
    let parameters = "name.ipv64.net&praefix=_acme-challenge.a&type=TXT&content=-5qEv_d0";
    assert_eq!(seen[0].body, format!("add_record={parameters}"));
    assert_eq!(seen[1].body, format!("del_record={parameters}"));
    assert_eq!(seen[2].body, "del_record=11");
    assert!(seen[0].head.starts_with("POST /api HTTP/1.1\r\n"), "{}", seen[0].head);
    assert!(seen[1].head.starts_with("DELETE /api HTTP/1.1\r\n"), "{}", seen[1].head);
    assert!(seen[0].head.to_lowercase().contains("content-type: application/x-www-form-urlencoded\r\n"));
    assert!(seen.iter().all(|request| request.connection == 0), "one connection for all: {seen:?}");
}

#[test]
fn domains_are_added_and_deleted() {
    let setup =
        Setup::new(vec![Step::json(201, fixture!("add-domain.json")), Step::json(202, fixture!("del-domain.json"))]);
    assert_eq!(setup.client.add_domain(&name("new.ipv64.net"), &once()), Ok(()));
    assert_eq!(setup.client.delete_domain(&name("new.ipv64.net"), &once()), Ok(()));
    let seen = setup.server.seen();
    assert_eq!(
        (seen[0].body.as_str(), seen[1].body.as_str()),
        ("add_domain=new.ipv64.net", "del_domain=new.ipv64.net")
    );
}

#[test]
fn a_duplicate_counts_as_added_and_a_missing_record_as_missing() {
    let add = Setup::answering(400, fixture!("add-record-already-there.json"));
    assert_eq!(add.client.add_record(&challenge(), &once()), Ok(Change::HeldBefore));
    for delete in [
        |client: &Client| client.delete_record(&challenge(), &once()),
        |client: &Client| client.delete_record_by_id(11, &once()),
    ] {
        let setup = Setup::answering(403, fixture!("del-record-missing.json"));
        assert_eq!(delete(&setup.client), Ok(Change::HeldBefore));
    }
}

#[test]
fn the_body_decides_when_it_disagrees_with_a_2xx() {
    let already = Setup::answering(200, fixture!("add-record-already-there.json"));
    assert_eq!(already.client.add_record(&challenge(), &once()), Ok(Change::HeldBefore));
    for (body, kind) in [
        (fixture!("add-record-invalid.json"), "rejected"),
        (fixture!("unauthorized.json"), "unauthorized"),
        (fixture!("rate-limited-cooldown.json"), "rate_limited"),
        (r#"{"info":"error"}"#, "rejected"),
        (r#"{"status":"201 Created"}"#, "rejected"),
        (r#"{"info":"error","status":"500 Internal Server Error"}"#, "unavailable"),
    ] {
        assert_eq!(error_of(200, body).kind(), kind, "{body}");
    }
}
