//! Promises that all verbs keep.

use super::*;

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
