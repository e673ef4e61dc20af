use super::*;

const VALUE: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
/// `printf %s KEYAUTH | openssl dgst -sha256 -binary | basenc --base64url`
const KEY_AUTHORIZATION: &str =
    "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
const DIGEST: &str = "ZTRx1Ckl1-tM05o5zaizTTA0yUy5AGereMgSNWC6Ll8";
const JSON: Option<&str> = Some("application/json");

#[test]
fn each_client_gets_back_what_it_sent() {
    let default = format!(r#"{{"fqdn":"_acme-challenge.A.example.","value":"{VALUE}"}}"#);
    let rows = [
        ("lego, default", JSON, default.clone(), "_acme-challenge.A.example.", VALUE, 25),
        (
            "lego, RAW",
            JSON,
            format!(r#"{{"domain":"A.example","token":"evaG","keyAuth":"{KEY_AUTHORIZATION}"}}"#),
            "_acme-challenge.a.example.",
            DIGEST,
            25,
        ),
        ("curl", Some(FORM), default.clone(), "_acme-challenge.A.example.", VALUE, 25),
        ("no content type", None, default, "_acme-challenge.A.example.", VALUE, 25),
        (
            "acme.sh",
            JSON,
            format!(r#"{{"fqdn": "_acme-challenge.a.example.", "value": "{VALUE}"}}"#),
            "_acme-challenge.a.example.",
            VALUE,
            25,
        ),
        (
            "Caddy",
            JSON,
            format!("{{\"FQDN\":\"_acme-challenge.a.example\",\"Value\":\"{VALUE}\"}}\n"),
            "_acme-challenge.a.example",
            VALUE,
            25,
        ),
        (
            "certbot-lego-httpreq",
            Some("application/x-www-form-urlencoded"),
            format!("fqdn=_acme-challenge.a.example.&value={VALUE}"),
            "_acme-challenge.a.example.",
            VALUE,
            4,
        ),
        (
            "more fields",
            Some("application/json"),
            format!(r#"{{"ttl":[1,{{}}],"value":"{VALUE}","fqdn":"_acme-challenge.a.example"}}"#),
            "_acme-challenge.a.example",
            VALUE,
            25,
        ),
    ];
    for (client, content_type, body, fqdn, value, seconds) in rows {
        let asked = read(content_type, body.as_bytes()).unwrap_or_else(|error| panic!("{client}: {error:?}"));
        assert_eq!(asked.challenge.name.as_str(), "_acme-challenge.a.example", "{client}");
        assert_eq!(asked.within, Duration::from_secs(seconds), "{client}");
        assert_eq!(done(&asked, false), json!({ "fqdn": fqdn, "value": value }), "{client}");
        assert_eq!(done(&asked, true), json!({ "fqdn": fqdn, "value": value, "state": "pending" }), "{client}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let (fqdn, value) = (r#""fqdn":"_acme-challenge.a.example""#, format!(r#""value":"{VALUE}""#));
    let raw = format!(r#""domain":"a.example","token":"t","keyAuth":"{KEY_AUTHORIZATION}""#);
    let bodies = [
        format!(r#"{{{fqdn},"FQDN":"_acme-challenge.b.example",{value}}}"#),
        format!("{{{fqdn},{fqdn},{value}}}"),
        format!("{{{fqdn},{value},{raw}}}"),
        format!("{{{fqdn},{value}}} {{}}"),
        format!("{{{fqdn}}}"),
        format!(r#"{{{fqdn},"value":["{VALUE}"]}}"#),
        format!("[{{{fqdn},{value}}}]"),
        String::new(),
        "null".to_owned(),
        "[".repeat(10_000),
        format!(r#"{{"more":{}"#, "[".repeat(10_000)),
    ];
    for body in bodies {
        assert_eq!(read(JSON, body.as_bytes()), Err(Malformed::Document), "{body}");
    }
    let form = format!("fqdn=_acme-challenge.a.example&value={VALUE}");
    for more in ["&Fqdn=_acme-challenge.b.example", "&fqdn=x", "&domain=a.example"] {
        assert_eq!(read(Some(FORM), format!("{form}{more}").as_bytes()), Err(Malformed::Document), "{more}");
    }
    assert_eq!(read(Some(FORM), b"\xff=\xfe"), Err(Malformed::Document));
    assert_eq!(read(Some("text/plain"), form.as_bytes()), Err(Malformed::ContentType));
}

#[test]
fn a_name_or_a_value_that_is_none_is_refused() {
    let read = |fqdn: &str, value: &str| read(JSON, json!({ "fqdn": fqdn, "value": value }).to_string().as_bytes());
    assert_eq!(read("_acme-challenge.a..example", VALUE), Err(Malformed::Name));
    assert_eq!(read("_acme-challenge.a.example", KEY_AUTHORIZATION), Err(Malformed::Value));
    assert_eq!(read("_acme-challenge.a.example", "short"), Err(Malformed::Value));
    assert!(read("_acme-challenge.a.example", VALUE).is_ok());
    let raw = json!({ "domain": "a.example", "token": "t", "keyAuth": "no key authorization" });
    assert_eq!(super::read(JSON, raw.to_string().as_bytes()), Err(Malformed::Value));
}
