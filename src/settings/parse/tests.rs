use super::*;

#[test]
fn times_have_units() {
    for (text, milliseconds) in [
        ("90", 90_000),
        ("0.5", 500),
        ("500ms", 500),
        ("90s", 90_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("1 d", 86_400_000),
        ("0", 0),
    ] {
        assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    }
    for text in ["", "x", "5 parsecs", "-1", "1e9", "400d", "nan", "inf", "1.2.3", "1\u{1b}"] {
        let message = duration(text).unwrap_err();
        assert!(!message.contains('\u{1b}'), "{message:?}");
    }
}

#[test]
fn resolvers_are_addresses_or_urls() {
    let plain = |address: &str| Ok(Resolver::Plain(address.parse().unwrap()));
    assert_eq!(resolver("192.0.2.1"), plain("192.0.2.1:53"));
    assert_eq!(resolver("192.0.2.1:5353"), plain("192.0.2.1:5353"));
    assert_eq!(resolver("[2001:db8::1]:5353"), plain("[2001:db8::1]:5353"));
    assert_eq!(resolver("2001:db8::1"), plain("[2001:db8::1]:53"));
    // Some operators tell their users apart by a query.
    let url = "https://192.0.2.1/dns-query?user=1";
    assert_eq!(resolver(url), Ok(Resolver::Https(url.to_owned())));
    assert!(resolver("http://192.0.2.1/dns-query").is_err(), "plain http off loopback");
    assert!(resolver("resolver.example").is_err());
    for text in ["192.0.2.1:0", "[2001:db8::1]:0"] {
        assert!(resolver(text).is_err() && nameserver(text).is_err(), "{text}");
    }
    assert_eq!(doh("off"), Ok(Vec::new()));
}

#[test]
fn a_rate_takes_every_unit_of_time() {
    for (text, shown) in [("3/10", "3/10"), ("3/10s", "3/10"), ("1 / 1m", "1/60"), ("5/500ms", "5/0.5")] {
        assert_eq!(rate(text).map(|rate| rate.to_string()), Ok(shown.to_owned()), "{text}");
    }
    for text in ["3", "3/", "x/10", "3/10 parsecs", "3/0", "0/10"] {
        assert!(rate(text).is_err(), "{text}");
    }
}

#[test]
fn what_has_to_be_the_same_everywhere_is_neither_relative_nor_a_wildcard() {
    assert_eq!(absolute_path("/srv/state"), Ok(PathBuf::from("/srv/state")));
    assert!(absolute_path("state").is_err());
    assert!(domain("name.ipv64.net").is_ok());
    assert!(domain("*.name.ipv64.net").is_err() && domain("＊.name.ipv64.net").is_err());
}

#[test]
fn servers_may_have_names() {
    assert_eq!(nameserver("192.0.2.1:99"), Ok(NamedServer::Address([192, 0, 2, 1].into(), Some(99))));
    assert_eq!(nameserver("ns1.example"), Ok(NamedServer::Name(DnsName::parse("ns1.example").unwrap())));
    assert!(nameserver("ns1 example").is_err());
}

#[test]
fn nobody_waits_for_so_long_that_the_record_counts_as_left_over() {
    assert_eq!((wait("30m"), wait("0")), (Ok(LEFT_OVER_AFTER / 2), Ok(Duration::ZERO)));
    for text in ["2h", "30d", "1801"] {
        let error = wait(text).unwrap_err();
        assert!(error.starts_with(&format!("`{text}` is more than 30m")), "{error}");
        assert_eq!(blind_wait(text), Err(error));
    }
}
