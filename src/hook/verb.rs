//! The verbs that belong to one ACME client each; no two clients share one, so that the verb alone decides.
//! `auth`, `present` and `cleanup` are not here: they are commands with arguments of their own.

use super::{HookError, Request, Variables, acmetool, dehydrated, mod_md, simple_acme, truenas, uacme};
use crate::order::Action;

/// A verb of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// dehydrated: add.
    DeployChallenge,
    /// dehydrated: remove.
    CleanChallenge,
    /// uacme: add, or decline the challenge type.
    Begin,
    /// uacme: remove after a success.
    Done,
    /// uacme: remove after a failure.
    Failed,
    /// acmetool: add.
    ChallengeDnsStart,
    /// acmetool: remove.
    ChallengeDnsStop,
    /// Apache mod_md: add.
    Setup,
    /// Apache mod_md: remove.
    Teardown,
    /// simple-acme and win-acme: add.
    Create,
    /// simple-acme and win-acme: remove.
    Delete,
    /// TrueNAS: add.
    Set,
    /// TrueNAS: remove.
    Unset,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 13] = [
        Self::DeployChallenge,
        Self::CleanChallenge,
        Self::Begin,
        Self::Done,
        Self::Failed,
        Self::ChallengeDnsStart,
        Self::ChallengeDnsStop,
        Self::Setup,
        Self::Teardown,
        Self::Create,
        Self::Delete,
        Self::Set,
        Self::Unset,
    ];

    /// Returns the word as the client writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::DeployChallenge => "deploy_challenge",
            Self::CleanChallenge => "clean_challenge",
            Self::Begin => "begin",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::ChallengeDnsStart => "challenge-dns-start",
            Self::ChallengeDnsStop => "challenge-dns-stop",
            Self::Setup => "setup",
            Self::Teardown => "teardown",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Set => "set",
            Self::Unset => "unset",
        }
    }

    /// Returns the verb for a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }

    /// Returns who calls it, and with which arguments.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::DeployChallenge => "dehydrated adds records: DOMAIN TOKEN VALUE, any number of times",
            Self::CleanChallenge => "dehydrated removes records: DOMAIN TOKEN VALUE, any number of times",
            Self::Begin => "uacme adds a record: TYPE IDENTIFIER TOKEN VALUE",
            Self::Done | Self::Failed => "uacme removes a record: TYPE IDENTIFIER TOKEN VALUE",
            Self::ChallengeDnsStart => "acmetool adds a record: HOST FILE VALUE",
            Self::ChallengeDnsStop => "acmetool removes a record: HOST FILE VALUE",
            Self::Setup => "Apache's mod_md adds a record: DOMAIN VALUE",
            Self::Teardown => "Apache's mod_md removes a record: DOMAIN [VALUE]",
            Self::Create => "simple-acme adds a record: IDENTIFIER RECORD VALUE",
            Self::Delete => "simple-acme removes a record: IDENTIFIER RECORD VALUE",
            Self::Set => "TrueNAS adds a record: DOMAIN RECORD VALUE",
            Self::Unset => "TrueNAS removes a record: DOMAIN RECORD VALUE",
        }
    }

    /// Reads the arguments of one call.
    ///
    /// # Errors
    /// [`HookError`] for arguments that the client does not send.
    pub fn parse(self, args: &[String], variables: &Variables<'_>) -> Result<Request, HookError> {
        match self {
            Self::DeployChallenge => dehydrated::parse(Action::Add, args, variables).map(Request::Solve),
            Self::CleanChallenge => dehydrated::parse(Action::Remove, args, variables).map(Request::Solve),
            Self::Begin => uacme::parse(Action::Add, args),
            Self::Done | Self::Failed => uacme::parse(Action::Remove, args),
            Self::ChallengeDnsStart => acmetool::parse(Action::Add, args).map(Request::Solve),
            Self::ChallengeDnsStop => acmetool::parse(Action::Remove, args).map(Request::Solve),
            Self::Setup => mod_md::setup(args).map(Request::Solve),
            Self::Teardown => mod_md::teardown(args),
            Self::Create => simple_acme::parse(Action::Add, args).map(Request::Solve),
            Self::Delete => simple_acme::parse(Action::Remove, args).map(Request::Solve),
            Self::Set => truenas::parse(Action::Add, args).map(Request::Solve),
            Self::Unset => truenas::parse(Action::Remove, args).map(Request::Solve),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Explain as _;
    use super::*;

    #[test]
    fn no_two_verbs_share_a_word() {
        for verb in Verb::ALL {
            assert_eq!(Verb::from_word(verb.word()), Some(verb));
        }
        assert_eq!(Verb::from_word("present"), None);
    }

    #[test]
    fn no_arguments_make_any_verb_panic() {
        let odd =
            ["", "-", "--", "--help", ".", "..", "*.", "a\u{0}b", "\u{1b}[31m", "dns-01", "ä.example", "a.example"];
        let texts = |indexes: &[usize]| indexes.iter().map(|index| odd[*index].to_owned()).collect::<Vec<_>>();
        for verb in Verb::ALL {
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
        for verb in Verb::ALL {
            let too_many = vec!["a.example".to_owned(); 7];
            for args in [&too_many[..0], &too_many] {
                let error = verb.parse(args, &|_| None).unwrap_err();
                assert!(error.to_string().contains(&format!("`{}`", verb.word())), "{error}");
                assert!(error.to_string().contains(&format!("not {}", args.len())), "{error}");
                assert!(!error.hint().unwrap().is_empty());
            }
        }
    }

    #[test]
    fn a_key_authorization_names_the_setting_for_dns_01() {
        let table: [(Verb, &[&str], &str); 6] = [
            (Verb::DeployChallenge, &["a.example", "t", "t.thumb"], "CHALLENGETYPE"),
            (Verb::Begin, &["dns-01", "a.example", "t", "t.thumb"], "uacme"),
            (Verb::ChallengeDnsStart, &["a.example", "/f", "t.thumb", ""], "acmetool"),
            (Verb::Setup, &["a.example", "t.thumb"], "MDCAChallenges"),
            (Verb::Create, &["a.example", "_acme-challenge.a.example", "t.thumb"], "{Token}"),
            (Verb::Set, &["a.example", "_acme-challenge.a.example", "t.thumb"], "TrueNAS"),
        ];
        for (verb, args, word) in table {
            let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
            let error = verb.parse(&args, &|_| None).unwrap_err();
            assert!(error.hint().unwrap().contains(word), "{error} {:?}", error.hint());
        }
    }
}
