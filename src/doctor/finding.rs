//! One finding: how bad, about what, and what to do. The words for the way out stand next to those for the fault.

use std::fmt;

use serde::Serialize;

use crate::error::Error;
use crate::exit::Exit;
use crate::name::DnsName;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing has to be done.
    Note,
    /// It works, or may work, but not as it should.
    Warning,
    /// No certificate that way.
    Error,
}

impl Level {
    /// Returns the word for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// A stable word for programs, in snake case.
    pub kind: &'static str,
    /// What it is about: `API key`, a domain, a server.
    pub subject: String,
    /// What was found.
    pub text: String,
    /// What to do.
    pub advice: Option<String>,
    /// How the program ends if this is the worst finding.
    #[serde(skip)]
    pub exit: Exit,
}

impl Finding {
    fn new(level: Level, kind: &'static str, subject: impl fmt::Display, text: impl Into<String>) -> Self {
        let exit = if level == Level::Error { Exit::Failed } else { Exit::Done };
        Self { level, kind, subject: subject.to_string(), text: text.into(), advice: None, exit }
    }

    /// Something is as it should be.
    pub fn ok(kind: &'static str, subject: impl fmt::Display, text: impl Into<String>) -> Self {
        Self::new(Level::Ok, kind, subject, text)
    }

    /// Something is worth knowing.
    pub fn note(kind: &'static str, subject: impl fmt::Display, text: impl Into<String>) -> Self {
        Self::new(Level::Note, kind, subject, text)
    }

    /// Something should be looked at.
    pub fn warning(kind: &'static str, subject: impl fmt::Display, text: impl Into<String>) -> Self {
        Self::new(Level::Warning, kind, subject, text)
    }

    /// Something is in the way.
    pub fn error(kind: &'static str, subject: impl fmt::Display, text: impl Into<String>) -> Self {
        Self::new(Level::Error, kind, subject, text)
    }

    /// An error of another room, in its own words.
    pub fn of(subject: impl fmt::Display, error: impl Into<Error>) -> Self {
        let error = error.into();
        let text = [&[error.to_string()], error.details()].concat().join("; ");
        let advice = error.hint().map(str::to_owned);
        Self { advice, ..Self::error(error.kind().as_str(), subject, text) }.ending(error.kind().exit())
    }

    /// Adds what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Chooses how the program ends.
    #[must_use]
    pub fn ending(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

/// Returns how the program ends: well without errors, else as the error says that is most to the point. A refused key
/// explains more than what follows from it.
#[must_use]
pub fn exit(findings: &[Finding]) -> Exit {
    use Exit::{Key, NoAnswer, NoDomain, NotPropagated, RateLimit, Usage};
    let errors = findings.iter().filter(|finding| finding.level == Level::Error);
    let exits: Vec<_> = errors.map(|finding| finding.exit).collect();
    let telling =
        [Key, Usage, NoDomain, NotPropagated, NoAnswer, RateLimit].into_iter().find(|exit| exits.contains(exit));
    telling.or_else(|| exits.last().copied()).unwrap_or(Exit::Done)
}

/// Says how many findings are bad, and what to do first; the worst comes first among the findings.
#[must_use]
pub fn conclusion(findings: &[Finding], domains: &[DnsName]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let counted = |level, word| match count(level) {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let counts = format!("{}, {}", counted(Level::Error, "error"), counted(Level::Warning, "warning"));
    let bad = findings.iter().find(|finding| finding.level >= Level::Warning);
    match (bad, domains.first()) {
        (Some(Finding { level, subject, text, advice, .. }), _) => {
            let what = advice.as_ref().unwrap_or(text).lines().next().unwrap_or_default();
            let first = if *level == Level::Error { "First" } else { "A certificate can still be issued. First" };
            format!("{counts}. {first}: {subject}: {what}")
        }
        (None, Some(domain)) => format!("{counts}. Nothing is in the way: `ipv64-acme test {domain}` tries it"),
        (None, None) => {
            format!("{counts}. Nothing is wrong here: `ipv64-acme doctor DOMAIN` checks a domain as well")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conclusion_says_what_to_do_first() {
        let error = Finding::error("e", "API key", "none").advise("run `ipv64-acme init`\nor not");
        let warning = Finding::warning("w", "clock", "three hours behind");
        let domains = [DnsName::parse("a.example").unwrap()];
        let all = [error, warning.clone()];
        assert_eq!(conclusion(&all, &domains), "1 error, 1 warning. First: API key: run `ipv64-acme init`");
        let only = "0 errors, 1 warning. A certificate can still be issued. First: clock: three hours behind";
        assert_eq!(conclusion(&[warning], &[]), only);
        assert!(conclusion(&[], &domains).ends_with("`ipv64-acme test a.example` tries it"));
        assert!(conclusion(&[], &[]).contains("0 errors, 0 warnings. Nothing is wrong here"));
    }

    #[test]
    fn only_errors_fail_and_a_refused_key_comes_first() {
        let warning = Finding::warning("w", "x", "y");
        let silent = Finding::error("s", "x", "y").ending(Exit::NoAnswer);
        let key = Finding::error("k", "x", "y").ending(Exit::Key);
        assert_eq!(exit(std::slice::from_ref(&warning)), Exit::Done);
        assert_eq!(exit(&[warning.clone(), Finding::error("e", "x", "y")]), Exit::Failed);
        assert_eq!(exit(&[silent, key, warning]), Exit::Key);
    }
}
