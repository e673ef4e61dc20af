//! Answers of the API: two bytes choose status and call, the rest is the body. It is also read as the answer of a broker.

use std::time::Duration;

use ipv64_acme::api::{
    Access, ApiError, AuthMethod, Call, Change, RecordSpec, RecordType, Understood, check_content, understand,
};
use ipv64_acme::broker::{error::BrokerError, protocol::ClientAnswer, protocol::RecordAnswer};
use ipv64_acme::error::Explain as _;
use ipv64_acme::http::{Endpoint, HttpResponse};
use ipv64_acme::name::DnsName;
use ipv64_acme::secret::{MASK, Secret};
use serde_json::Value;

const STATUSES: [u16; 14] = [200, 201, 202, 204, 302, 307, 400, 401, 403, 404, 429, 500, 502, 503];

pub(crate) fn run(input: &[u8]) {
    let (status, rest) = super::choose(input);
    let (which, body) = super::choose(rest);
    let answer = HttpResponse {
        status: STATUSES[status % STATUSES.len()],
        retry_after: [None, Some(Duration::from_secs(1)), Some(Duration::from_secs(7200))][status / STATUSES.len() % 3],
        location: (which >= 128).then(|| String::from_utf8_lossy(body).into_owned()),
        content_type: None,
        date: None,
        body: body.to_vec(),
    };
    let access = Access {
        endpoint: Endpoint::parse("https://ipv64.net/api").unwrap(),
        key: Secret::parse(super::KEY).unwrap(),
        auth: AuthMethod::ALL[which / 8 % AuthMethod::ALL.len()],
    };
    let domain = DnsName::parse("name.ipv64.net").unwrap();
    let record = DnsName::parse("_acme-challenge.name.ipv64.net").unwrap();
    let spec = RecordSpec::within(&domain, &record, RecordType::TXT, "-5qEv-d0").unwrap();
    let calls = [
        Call::Account,
        Call::Logs,
        Call::Domains,
        Call::AddDomain(&domain),
        Call::DeleteDomain(&domain),
        Call::AddRecord(&spec),
        Call::DeleteRecord(&spec),
        Call::DeleteRecordById(7),
    ];
    let call = &calls[which % calls.len()];
    assert_broker(&answer, &access.key);
    match understand(call, &answer, &access) {
        Ok(understood) => assert_earned(call, &answer, &understood),
        Err(error) => assert_refused(call, &answer, &error),
    }
}

fn assert_broker(answer: &HttpResponse, token: &Secret) {
    let record = BrokerError::read::<RecordAnswer>(answer, token).map(|_| ());
    for read in [record, BrokerError::read::<ClientAnswer>(answer, token).map(|_| ())] {
        match read {
            Ok(()) => assert!((200..300).contains(&answer.status), "{}", answer.status),
            Err(error) => {
                super::assert_explained(&error);
                super::assert_hides_key(&error);
            }
        }
    }
}

/// Success is never read out of an answer that does not say so.
fn assert_earned(call: &Call<'_>, answer: &HttpResponse, understood: &Understood) {
    // A field that nobody reads may hold what is no text.
    let Ok(json) = serde_json::from_str::<Value>(&String::from_utf8_lossy(&answer.body)) else { return };
    let of = |name: &str| json.get(name).and_then(Value::as_str);
    match understood {
        Understood::Changed(Change::HeldBefore) => {
            let adds = matches!(call, Call::AddRecord(_)) && of("add_record") == Some("dns record already there");
            let deletes =
                matches!(call, Call::DeleteRecord(_) | Call::DeleteRecordById(_)) && json.get("del_record").is_some();
            assert!(adds || deletes, "{json}");
            assert!(answer.status < 300 || matches!(answer.status, 400 | 403), "{}", answer.status);
        }
        other => {
            assert!((200..300).contains(&answer.status), "{}", answer.status);
            // The fields that a call reads may stand without an envelope around them only if `info` is there too.
            assert_eq!(of("info"), Some("success"), "{json}");
            assert_readable(other);
        }
    }
}

/// What was read can be worked with, and its secrets stay hidden.
fn assert_readable(understood: &Understood) {
    let hidden = |text: String| assert_eq!(text, format!("{MASK}{MASK}"));
    match understood {
        Understood::Account(account) => {
            let _ = account.api_calls_left();
            let secrets = [&account.email, &account.update_hash, &account.api_key];
            secrets.into_iter().flatten().for_each(|secret| hidden(format!("{secret}{secret:?}")));
        }
        Understood::Domains(domains) => {
            for domain in domains {
                assert_eq!(DnsName::parse(domain.name.as_str()).as_ref(), Ok(&domain.name));
                for record in &domain.records {
                    record.key.iter().for_each(|secret| hidden(format!("{secret}{secret:?}")));
                    if let Err(error) = check_content(&record.record_type, &record.content) {
                        assert!(!error.to_string().chars().any(char::is_control), "{error}");
                    }
                    let Ok(name) = DnsName::parse(&record.name_in(&domain.name)) else { continue };
                    let spec = RecordSpec::within(&domain.name, &name, record.record_type.clone(), &record.content);
                    assert!(spec.is_some(), "{name} is not within {}", domain.name);
                }
            }
        }
        _ => {}
    }
}

fn assert_refused(call: &Call<'_>, answer: &HttpResponse, error: &ApiError) {
    super::assert_explained(error);
    super::assert_hides_key(error);
    // An error that passes by itself is none that somebody has to mend.
    assert!(!(error.is_transient() && matches!(error.kind().exit() as u8, 2 | 3)), "{error}");
    if matches!(error, ApiError::Rejected { .. } | ApiError::Unauthorized { .. } | ApiError::Forbidden { .. }) {
        assert!(!error.may_have_been_stored(), "{call:?} {} {error}", answer.status);
    }
}
