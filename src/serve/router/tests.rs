use std::os::unix::fs::PermissionsExt as _;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::to_bytes;
use axum::http::Request;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use super::*;
use crate::serve::audit;
use crate::serve::token::TokenHash;

const VALUE: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const NAME: &str = "_acme-challenge.web.example";
const SUBDOMAIN: &str = "8e5700ea-a4bf-41c7-8a77-e990661dcc6a";

/// Answers what it was told to, and remembers what it was asked.
struct StandIn {
    answer: Mutex<Option<Answer>>,
    asked: Mutex<Vec<(Action, Ask, Duration)>>,
}

impl StandIn {
    fn hear(&self, action: Action, ask: Ask, within: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        self.asked.lock().unwrap().push((action, ask, within));
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async { answer.unwrap_or_else(|| panic!("nothing of this may come here")) })
    }
}

impl Work for StandIn {
    fn present(&self, ask: Ask, _: Goal, within: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        self.hear(Action::Add, ask, within)
    }

    fn cleanup(&self, ask: Ask, within: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        self.hear(Action::Remove, ask, within)
    }
}

/// A broker with the clients `web` (`strict` in all but the answer that is not ready) and nobody behind it.
struct Broker {
    engine: Arc<StandIn>,
    router: Router,
    folder: tempfile::TempDir,
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Everything that a client could compare, without the date.
    fn all(&self) -> String {
        format!("{} {:?} {}", self.status, self.headers, self.body)
    }
}

impl Broker {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hash = |text: &str| TokenHash::of(text.as_bytes());
        let account = format!(
            "[[acme_dns]]\nusername = 'user'\nkey = '{}'\nsubdomain = '{SUBDOMAIN}'\nrecord = 'web.example'\n",
            hash("key")
        );
        let both = "allow = ['web.example', '*.lab.example']\nfrom = ['192.0.2.0/24']\n";
        let files = [
            ("web", format!("tokens = ['{}']\n{both}uid = 1000\n{account}", hash("token"))),
            ("strict", format!("tokens = ['{}']\n{both}not_ready = 'fail'\n", hash("strict"))),
        ];
        for (name, text) in files {
            let file = folder.path().join(format!("{name}.toml"));
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        }
        let (clients, errors) = Clients::load(folder.path());
        assert!(errors.is_empty(), "{errors:?}");
        let engine = Arc::new(StandIn { answer: Mutex::default(), asked: Mutex::default() });
        let audit = Audit::open(folder.path(), Arc::new(|error| panic!("{error:#}"))).unwrap();
        let app = AppState::new(engine.clone(), audit);
        app.put_in_force(clients);
        Self { engine, router: router(app), folder }
    }

    fn answering(self, answer: Answer) -> Self {
        *self.engine.answer.lock().unwrap() = Some(answer);
        self
    }

    fn send(&self, peer: Peer, request: Request<Body>) -> Got {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut head, body) = request.into_parts();
        head.extensions.insert(peer);
        runtime.block_on(async {
            let service = TowerToHyperService::new(self.router.clone());
            let response = service.call(Request::from_parts(head, body)).await.unwrap();
            let (head, body) = response.into_parts();
            let body = String::from_utf8(to_bytes(body, 9999).await.unwrap().to_vec()).unwrap();
            Got { status: head.status.as_u16(), headers: head.headers, body }
        })
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
        let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
        self.send(machine(), request.body(body.to_owned().into()).unwrap())
    }

    fn present(&self, path: &str, authorization: &str, name: &str) -> Got {
        let body = json!({ "fqdn": name, "value": VALUE }).to_string();
        self.post(path, &[("authorization", authorization), ("content-type", "application/json")], &body)
    }

    fn update(&self, user: &str, key: &str, body: &str) -> Got {
        self.post("/update", &[("x-api-user", user), ("x-api-key", key)], body)
    }

    fn outcomes(&self) -> Vec<(Option<String>, String)> {
        let (lines, damaged) = audit::read(self.folder.path(), 99, |_| true).unwrap();
        assert_eq!(damaged, 0);
        lines.into_iter().map(|line| (line.client, line.outcome)).collect()
    }

    fn asked(&self) -> usize {
        self.engine.asked.lock().unwrap().len()
    }
}

fn machine() -> Peer {
    Peer::Address("192.0.2.7".parse().unwrap())
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn done(changed: bool) -> Answer {
    Answer::Done { record: NAME.parse().unwrap(), domain: Some("web.example".parse().unwrap()), changed }
}

fn update(txt: &str) -> String {
    json!({ "subdomain": SUBDOMAIN, "txt": txt }).to_string()
}

#[test]
fn each_dialect_does_its_work_and_has_its_answer() {
    let broker = Broker::new().answering(done(true));
    let got = broker.present("/httpreq/present", &basic("web", "token"), "_acme-challenge.Web.example.");
    assert_eq!(got.status, 200);
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.json(), json!({ "fqdn": "_acme-challenge.Web.example.", "value": VALUE }));
    let form = format!("fqdn={NAME}.&value={VALUE}");
    let (authorization, form_type) = (basic("web", "token"), "application/x-www-form-urlencoded; charset=utf-8");
    let got = broker.post("/cleanup", &[("authorization", &authorization), ("content-type", form_type)], &form);
    assert_eq!((got.status, got.json()), (200, json!({ "fqdn": format!("{NAME}."), "value": VALUE })));
    // As acme.sh sends it.
    let headers = [("x-api-user", "user"), ("x-api-key", "key"), ("content-type", form_type)];
    let got = broker.post("/update", &headers, &format!(r#"{{"subdomain":"{SUBDOMAIN}", "txt": "{VALUE}"}}"#));
    assert_eq!((got.status, got.json()), (200, json!({ "txt": VALUE })));
    let body = json!({ "name": NAME, "value": VALUE, "client": "certbot" }).to_string();
    let headers = [("authorization", "Bearer token"), ("content-type", "Application/JSON; charset=utf-8")];
    let got = broker.post("/v1/present", &headers, &body);
    let expected = json!({ "record": NAME, "domain": "web.example", "changed": true });
    assert_eq!((got.status, got.json()), (200, expected));
    let asked = broker.engine.asked.lock().unwrap();
    let asked: Vec<_> = asked
        .iter()
        .map(|(action, ask, within)| {
            assert_eq!((ask.challenge.name.as_str(), ask.challenge.value.as_str()), (NAME, VALUE));
            assert_eq!((ask.grant.client.as_str(), ask.peer), ("web", machine()));
            let secret: &[u8] = if ask.program == "acme-dns" { b"key" } else { b"token" };
            assert_eq!(ask.shown, Some(TokenHash::of(secret)));
            (*action, ask.program.as_str(), within.as_secs())
        })
        .collect();
    let expected = [
        (Action::Add, "httpreq", 25),
        (Action::Remove, "httpreq", 4),
        (Action::Add, "acme-dns", 25),
        (Action::Add, "certbot", 25),
    ];
    assert_eq!(asked, expected);
    assert_eq!(broker.outcomes(), vec![(Some("web".to_owned()), "done".to_owned()); 4]);
}

#[test]
fn what_is_not_ready_is_answered_as_the_client_wants_it() {
    let broker = Broker::new().answering(Answer::Pending);
    let expected = json!({ "fqdn": NAME, "value": VALUE, "state": "pending" });
    let got = broker.present("/present", &basic("web", "token"), NAME);
    assert_eq!((got.status, got.json()), (200, expected.clone()));
    let got = broker.present("/present", &basic("strict", "strict"), NAME);
    assert_eq!((got.status, &got.headers["retry-after"]), (503, &HeaderValue::from_static("5")));
    assert!(!got.body.contains(VALUE), "{}", got.body);
    // A removal that goes on is no failure.
    let got = broker.present("/cleanup", &basic("strict", "strict"), NAME);
    assert_eq!((got.status, got.json()), (200, expected));
    let expected = json!({ "txt": VALUE, "state": "pending" });
    assert_eq!(broker.update("user", "key", &update(VALUE)).json(), expected);
    let body = json!({ "name": NAME, "value": VALUE, "client": "x" }).to_string();
    let headers = [("authorization", "Bearer token"), ("content-type", "application/json")];
    let got = broker.post("/v1/present", &headers, &body);
    assert_eq!((got.status, &got.json()["error"]["kind"]), (503, &json!("broker_busy")));
}

#[test]
fn who_is_unknown_learns_nothing_and_costs_nothing() {
    let broker = Broker::new();
    let wrong = [
        basic("web", "wrong"),
        basic("nobody", "token"),
        basic("nobody", "wrong"),
        basic("strict", "token"),
        "Bearer wrong".to_owned(),
        "Bearer".to_owned(),
        String::new(),
    ];
    let first = broker.present("/present", &wrong[0], NAME);
    assert_eq!(first.status, 401);
    assert_eq!(first.headers["www-authenticate"], "Basic realm=\"ipv64-acme\", charset=\"UTF-8\"");
    for authorization in &wrong {
        for name in [NAME, "_acme-challenge.other.example", "no name"] {
            assert_eq!(broker.present("/present", authorization, name).all(), first.all(), "{authorization}");
        }
    }
    let first = broker.update("user", "wrong", &update(VALUE));
    assert_eq!((first.status, first.body.as_str()), (401, r#"{"error":"forbidden"}"#));
    let other = json!({ "subdomain": "other", "txt": VALUE }).to_string();
    let rows = [
        ("other", "key", update(VALUE)),
        ("", "", update(VALUE)),
        ("user", "key", other),
        ("user", "key", String::new()),
    ];
    for (user, key, body) in rows {
        assert_eq!(broker.update(user, key, &body).all(), first.all(), "{user} {key} {body}");
    }
    assert_eq!(broker.asked(), 0);
    assert!(broker.outcomes().contains(&(None, "unknown_client".to_owned())), "{:?}", broker.outcomes());
}

#[test]
fn what_is_not_granted_is_one_answer_and_the_log_knows_why() {
    let broker = Broker::new().answering(Answer::Refused(Refusal::Record));
    let by_record = broker.present("/present", &basic("web", "token"), NAME);
    assert_eq!((by_record.status, broker.asked()), (403, 1));
    for name in ["_acme-challenge.other.example", "web.example", "_acme-challenge.lab.example"] {
        assert_eq!(broker.present("/present", &basic("web", "token"), name).all(), by_record.all(), "{name}");
    }
    let elsewhere = Peer::Address("198.51.100.1".parse().unwrap());
    let request = |body: &str| {
        let headers = Request::post("/present").header("authorization", basic("web", "token"));
        headers.body(body.to_owned().into()).unwrap()
    };
    for body in [&json!({ "fqdn": NAME, "value": VALUE }).to_string(), "no document"] {
        assert_eq!(broker.send(elsewhere, request(body)).all(), by_record.all(), "{body}");
    }
    assert_eq!(broker.asked(), 1);
    let outcomes: Vec<_> = broker.outcomes().into_iter().map(|(client, outcome)| (client.unwrap(), outcome)).collect();
    let expected = ["record", "name", "name", "name", "address", "address"];
    assert_eq!(outcomes, expected.map(|rule| ("web".to_owned(), format!("{rule}_not_allowed"))));
}

#[test]
fn what_is_malformed_never_reaches_the_engine() {
    let broker = Broker::new();
    let authorization = basic("web", "token");
    let send = |kind: &str, body: &str| {
        broker.post("/present", &[("authorization", &authorization), ("content-type", kind)], body).status
    };
    assert_eq!(send("application/json", "{"), 400);
    assert_eq!(send("application/json", &json!({ "fqdn": NAME, "value": "short" }).to_string()), 400);
    assert_eq!(send("text/plain", "{}"), 415);
    assert_eq!(send("application/json", &"[".repeat(super::super::LARGEST_BODY)), 400);
    let got = broker.update("user", "key", &update("short"));
    assert_eq!((got.status, got.body.as_str()), (400, r#"{"error":"bad_txt"}"#));
    assert_eq!(broker.asked(), 0);
    assert_eq!(broker.outcomes(), vec![(Some("web".to_owned()), "malformed".to_owned()); 5]);
}

#[test]
fn a_body_that_was_not_read_to_its_end_is_answered_and_logged_as_every_other_mistake() {
    let broker = Broker::new();
    let send = |path: &str, why: Malformed, authorization: &str| {
        let request = Request::post(path).header("authorization", authorization).extension(why);
        broker.send(machine(), request.body(Body::empty()).unwrap())
    };
    for (why, status) in [(Malformed::Unreadable, 413), (Malformed::Late, 408)] {
        let got = send("/present", why, &basic("web", "token"));
        assert_eq!((got.status, got.json()["error"].is_string()), (status, true), "{}", got.body);
        let got = send("/v1/present", why, "Bearer token");
        assert_eq!((got.status, &got.json()["error"]["kind"]), (status, &json!("invalid_call")));
        assert_eq!(send("/update", why, "").status, status);
        assert_eq!(send("/present", why, "Bearer wrong").status, 401, "who is unknown learns nothing");
    }
    assert_eq!(broker.asked(), 0);
    let malformed = (Some("web".to_owned()), "malformed".to_owned());
    assert_eq!(broker.outcomes().iter().filter(|line| **line == malformed).count(), 4, "{:?}", broker.outcomes());
}

#[test]
fn the_log_names_the_record_whatever_becomes_of_the_request() {
    struct Finds(Answer);
    impl Work for Finds {
        fn present(&self, ask: Ask, _: Goal, _: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
            ask.found(&"_acme-challenge.other.example".parse().unwrap());
            Box::pin(async { self.0.clone() })
        }
        fn cleanup(&self, _: Ask, _: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
            Box::pin(async { self.0.clone() })
        }
    }
    let away = Answer::Failed { kind: Kind::Unreachable, retry_after: Duration::ZERO };
    for answer in [Answer::Refused(Refusal::Record), Answer::Pending, away] {
        let mut broker = Broker::new();
        let (clients, _) = Clients::load(broker.folder.path());
        let audit = Audit::open(broker.folder.path(), Arc::new(|_| ())).unwrap();
        let app = AppState::new(Arc::new(Finds(answer.clone())), audit);
        app.put_in_force(clients);
        broker.router = router(app);
        broker.present("/present", &basic("web", "token"), NAME);
        let (lines, _) = audit::read(broker.folder.path(), 99, |_| true).unwrap();
        assert_eq!(lines[0].record.as_deref(), Some("_acme-challenge.other.example"), "{answer:?}");
    }
}

#[test]
fn failures_tell_when_to_come_again() {
    let retry_after = Duration::from_secs(30);
    let failed = |kind| Broker::new().answering(Answer::Failed { kind, retry_after });
    for (kind, status) in [(Kind::Unreachable, 503), (Kind::QuotaUsedUp, 429), (Kind::NoDomain, 503)] {
        let broker = failed(kind);
        let got = broker.present("/present", &basic("web", "token"), NAME);
        assert_eq!((got.status, &got.headers["retry-after"]), (status, &HeaderValue::from_static("30")), "{kind:?}");
        assert_eq!(broker.outcomes()[0].1, kind.as_str());
        let body = json!({ "name": NAME, "value": VALUE, "client": "x" }).to_string();
        let headers = [("authorization", "Bearer token"), ("content-type", "application/json")];
        let got = broker.post("/v1/cleanup", &headers, &body);
        assert_eq!((got.status, &got.json()["error"]["kind"]), (status, &json!(kind.as_str())));
    }
    let broker = Broker::new().answering(Answer::Refused(Refusal::CallsUsedUp));
    assert_eq!(broker.present("/present", &basic("web", "token"), NAME).status, 429);
    assert_eq!(broker.outcomes()[0].1, "calls_used_up");
}

#[test]
fn other_paths_and_methods_are_constant() {
    let broker = Broker::new();
    let get = |path: &str| broker.send(machine(), Request::get(path).body(Body::empty()).unwrap());
    let nothing = get("/nothing");
    assert_eq!(nothing.status, 404);
    assert_eq!(broker.present("/v2/anything", &basic("web", "token"), NAME).all(), nothing.all());
    let got = get("/present");
    assert_eq!((got.status, &got.headers["allow"]), (405, &HeaderValue::from_static("POST")));
    assert_eq!(get("/v1/present").all(), got.all());
    let got = get("/health");
    assert_eq!((got.status, got.body.as_str()), (200, ""));
    let head = |path: &str| broker.send(machine(), Request::head(path).body(Body::empty()).unwrap());
    assert_eq!((head("/health").status, head("/present").status), (200, 405));
    let got = broker.post("/health", &[], "");
    assert_eq!((got.status, &got.headers["allow"]), (405, &HeaderValue::from_static("GET, HEAD")));
    let got = broker.post("/register", &[], "{}");
    assert!(got.status == 403 && got.body.contains("--acme-dns"), "{}", got.body);
    assert_eq!(broker.outcomes(), [(None, "registration_refused".to_owned())]);
}

#[test]
fn a_client_is_told_what_it_may() {
    let broker = Broker::new();
    let ask = |peer, authorization: Option<&str>| {
        let request = Request::get("/v1/client");
        let request = authorization.iter().fold(request, |request, text| request.header("authorization", *text));
        broker.send(peer, request.body(Body::empty()).unwrap())
    };
    let allow = ["web.example", "*.lab.example"];
    let expected = json!({ "client": "web", "allow": allow, "alias": [], "calls_per_day": null });
    for got in [ask(machine(), Some("Bearer token")), ask(Peer::User(1000), None)] {
        assert_eq!((got.status, got.json()), (200, expected.clone()));
    }
    assert_eq!(ask(machine(), None).status, 401);
    assert_eq!(ask(Peer::Address("198.51.100.1".parse().unwrap()), Some("Bearer token")).status, 403);
    let client = |name: Option<&str>, outcome: &str| (name.map(str::to_owned), outcome.to_owned());
    let expected = [
        client(Some("web"), "done"),
        client(Some("web"), "done"),
        client(None, "unknown_client"),
        client(Some("web"), "address_not_allowed"),
    ];
    assert_eq!(broker.outcomes(), expected);
}

#[test]
fn a_client_that_goes_away_leaves_its_line() {
    struct Never;
    impl Work for Never {
        fn present(&self, _: Ask, _: Goal, _: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
            Box::pin(std::future::pending())
        }
        fn cleanup(&self, _: Ask, _: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
            Box::pin(std::future::pending())
        }
    }
    let broker = Broker::new();
    let (clients, _) = Clients::load(broker.folder.path());
    let audit = Audit::open(broker.folder.path(), Arc::new(|_| ())).unwrap();
    let app = AppState::new(Arc::new(Never), audit);
    app.put_in_force(clients);
    let service = TowerToHyperService::new(router(app));
    let request = Request::post("/present").header("authorization", basic("web", "token")).extension(machine());
    let body = json!({ "fqdn": NAME, "value": VALUE }).to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let answer = runtime.block_on(async {
        let answer = service.call(request.body(Body::from(body)).unwrap());
        tokio::time::timeout(Duration::from_millis(50), answer).await
    });
    assert!(answer.is_err());
    assert_eq!(broker.outcomes(), [(Some("web".to_owned()), "abandoned".to_owned())]);
}
