use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::*;

fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::of_certificates(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn matches_on_label_borders() {
    assert!(pattern("a.example.com").matches(&name("A.example.com")));
    assert!(!pattern("a.example.com").matches(&name("b.a.example.com")));
    assert!(pattern("*.example.com").matches(&name("b.a.example.com")));
    assert!(!pattern("*.example.com").matches(&name("example.com")));
    assert!(!pattern("*.example.com").matches(&name("evil-example.com")));
    assert_eq!(pattern("*.example.com").to_string(), "*.example.com");
}

#[test]
fn every_usual_spelling_is_understood() {
    let table = [
        ("Example.COM.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.Bücher.example.", "*.xn--bcher-kva.example"),
        ("_acme-challenge.www.example.com", "www.example.com"),
        ("_ACME-Challenge.example.com.", "example.com"),
        ("例え。テスト。", "xn--r8jz45g.xn--zckzah"),
        ("＊.example.com", "*.example.com"),
    ];
    for (text, meant) in table {
        assert_eq!(pattern(text).to_string(), meant, "{text}");
    }
    let record: Pattern = "_acme-challenge.www.example.com".parse().unwrap();
    assert_eq!(record.to_string(), "_acme-challenge.www.example.com", "the name of a record is what it is");
}

#[test]
fn what_grants_too_much_or_nothing_is_refused_with_a_way_out() {
    let table = [
        ("*", "write each domain as `example.com`"),
        ("＊", "write each domain as `example.com`"),
        ("*.", "write each domain as `example.com`"),
        ("**.example.com", "`*.example.com` is every name below"),
        ("*.*.example.com", "`*.example.com` is every name below"),
        ("www.*.example.com", "`*.example.com` is every name below"),
        ("w*.example.com", "`*.example.com` is every name below"),
        ("_acme-challenge.*.example.com", "`*.example.com` is every name below"),
        ("*._acme-challenge.example.com", "without `_acme-challenge`"),
        ("_acme-challenge._acme-challenge.example.com", "without `_acme-challenge`"),
        ("_acme-challenge", "without `_acme-challenge`"),
        ("192.0.2.1", "an IP address"),
        ("*.192.0.2.1", "an IP address"),
        ("https://example.com/", "write `example.com`"),
        ("", "it is empty"),
        ("a b.example", "' '"),
        ("\u{1b}[31m.example", "not allowed"),
    ];
    for (text, words) in table {
        let message = Pattern::of_certificates(text).unwrap_err().to_string();
        assert!(message.contains(words) && !message.contains('\u{1b}'), "{text}: {message}");
    }
}

/// What is understood, whatever the text, is read again as itself, has no `*` inside, and never matches the name above.
#[test]
fn whatever_is_understood_means_what_it_prints() {
    const PARTS: [&str; 16] = [
        "*",
        ".",
        "a",
        "b",
        "example",
        "com",
        "_acme-challenge",
        "ü",
        "-",
        "_",
        "A",
        " ",
        "。",
        "192.0.2.1",
        "xn--",
        "\0",
    ];
    let mut chance = StdRng::seed_from_u64(1);
    let mut understood = 0;
    for _ in 0..100_000 {
        let parts = 1 + chance.random_range(0..7);
        let text: String = (0..parts).map(|_| PARTS[chance.random_range(0..PARTS.len())]).collect();
        let Ok(pattern) = Pattern::of_certificates(&text) else { continue };
        understood += 1;
        let shown = pattern.to_string();
        assert_eq!(Pattern::of_certificates(&shown).as_ref(), Ok(&pattern), "{text:?}");
        assert!(shown.split('.').all(|label| label != CHALLENGE_LABEL), "{text:?}");
        let above = shown.strip_prefix("*.").unwrap_or(&shown);
        assert!(!above.contains('*') && above == above.to_ascii_lowercase() && !above.ends_with('.'), "{text:?}");
        let (itself, below) = (name(above), name(above).prepend("x"));
        let is_below = matches!(pattern, Pattern::Below(_));
        assert_eq!(pattern.matches(&itself), !is_below, "{text:?}");
        assert!(below.is_err() || pattern.matches(&below.unwrap()) == is_below, "{text:?}");
        assert!(!pattern.matches(&name(&format!("x{above}"))), "{text:?}");
    }
    assert!(understood > 5_000, "{understood}");
}
