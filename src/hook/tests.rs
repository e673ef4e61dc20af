//! Promises that all verbs keep.

use super::*;

/// A value as clients pass it, which looks like a flag.
pub(super) const VALUE: &str = "-vHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmto";

#[test]
fn no_two_verbs_share_a_word() {
    let words: std::collections::BTreeSet<_> = verbs().map(|verb| verb.word).collect();
    assert_eq!((words.len(), verbs().count()), (13, 13));
    // Commands with arguments of their own.
    assert!(["auth", "present", "cleanup", "batch"].iter().all(|word| !words.contains(word)));
}

#[test]
fn no_arguments_make_any_verb_panic() {
    let odd = ["", "-", "--", "--help", ".", "..", "*.", "a\u{0}b", "\u{1b}[31m", "dns-01", "ä.example", "a.example"];
    let texts = |indexes: &[usize]| indexes.iter().map(|index| odd[*index].to_owned()).collect::<Vec<_>>();
    for verb in verbs() {
        for count in 0..6 {
            for start in 0..odd.len() {
                let indexes: Vec<_> = (0..count).map(|step| (start + step * 5) % odd.len()).collect();
                if let Err(error) = verb.parse(&texts(&indexes), &|_| None) {
                    let said = format!("{error} {:?}", error.hint());
                    assert!(!said.contains('\u{1b}') && !said.contains('\u{0}'), "{said:?}");
                }
            }
        }
    }
}

#[test]
fn wrong_counts_are_met_with_the_form_and_a_setting() {
    for verb in verbs() {
        let too_many = vec!["a.example".to_owned(); 7];
        for args in [&too_many[..0], &too_many] {
            let error = verb.parse(args, &|_| None).unwrap_err();
            assert!(error.to_string().contains(&format!("`{}`", verb.word)), "{error}");
            assert!(error.to_string().contains(&format!("not {}", args.len())), "{error}");
            assert!(!error.hint().unwrap().is_empty());
        }
    }
}

#[test]
fn a_key_authorization_names_the_setting_for_dns_01() {
    let table: [(&str, &[&str], &str); 6] = [
        ("deploy_challenge", &["a.example", "t", "t.thumb"], "CHALLENGETYPE"),
        ("begin", &["dns-01", "a.example", "t", "t.thumb"], "uacme"),
        ("challenge-dns-start", &["a.example", "/f", "t.thumb", ""], "acmetool"),
        ("setup", &["a.example", "t.thumb"], "MDCAChallenges"),
        ("create", &["a.example", "_acme-challenge.a.example", "t.thumb"], "{Token}"),
        ("set", &["a.example", "_acme-challenge.a.example", "t.thumb"], "TrueNAS"),
    ];
    for (verb, args, word) in table {
        let verb = verbs().find(|other| other.word == verb).unwrap();
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let error = verb.parse(&args, &|_| None).unwrap_err();
        assert!(error.hint().unwrap().contains(word), "{error} {:?}", error.hint());
    }
}

#[test]
fn a_client_is_told_apart_and_says_how_it_is_set_up() {
    let names: std::collections::BTreeSet<_> = Convention::ALL.iter().map(|client| client.name).collect();
    assert_eq!(names.len(), Convention::ALL.len());
    for client in &Convention::ALL {
        let is_found = !client.programs.is_empty() || !client.paths.is_empty();
        assert_eq!(is_found, !client.lines.is_empty(), "{}", client.name);
        assert!(!client.setting.is_empty() || is_found, "{}", client.name);
    }
}

#[test]
fn only_what_a_ca_looks_for_is_added_and_anything_can_be_removed() {
    let odd = ["abc".to_owned(), VALUE[1..].to_owned(), format!("{VALUE}x"), "0123abcd".repeat(8)];
    for text in &odd {
        let error = value(Action::Add, text, "").unwrap_err().to_string();
        assert!(error.contains("was taken as the value") && error.contains("43 characters of A-Z a-z"), "{error}");
        assert_eq!(value(Action::Remove, text, "").unwrap().as_str(), text);
    }
    assert!(value(Action::Add, VALUE, "").is_ok());
    assert!(value(Action::Add, &VALUE.replace('_', "+"), "").unwrap_err().to_string().contains("'+'"));
}

#[test]
fn a_name_in_the_place_of_the_value_is_seen_whatever_it_looks_like() {
    for (name, text) in [(VALUE, "a.example"), ("abc", "a.example"), (VALUE, "localhost")] {
        let error = check_order(name, text).unwrap_err();
        assert!(error.to_string().contains("the name comes before the value"), "{error}");
    }
    for (name, text) in [("a.example", VALUE), ("localhost", VALUE), ("a.example", "t.thumb")] {
        check_order(name, text).unwrap();
    }
}
