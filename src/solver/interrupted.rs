//! What a call that was told to stop leaves behind, and who removes it.

use super::{Failure, Solved, Solver};
use crate::challenge::Challenge;
use crate::error::{Error, Explain, Kind, Result};
use crate::order::{Action, Call, OnFailure};

/// The process was told to stop (SIGINT, SIGTERM) before the call was done.
#[derive(Debug)]
pub struct Interrupted {
    /// The records of the call that are, or may be, at IPv64.
    pub open: Vec<Challenge>,
    /// Whether the journal on the disk has them.
    pub is_remembered: bool,
    /// Whether the client is sure to ask for their removal.
    pub is_asked_for: bool,
    /// What was under way.
    pub during: Option<Error>,
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.open.as_slice() {
            [] => f.write_str("interrupted; nothing of this call is at IPv64"),
            [only] => write!(f, "interrupted: `{}` is, or may be, at IPv64", only.name),
            [first, rest @ ..] => {
                write!(f, "interrupted: `{}` and {} more are, or may be, at IPv64", first.name, rest.len())
            }
        }
    }
}

impl std::error::Error for Interrupted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.during.as_ref().map(AsRef::as_ref)
    }
}

impl Explain for Interrupted {
    fn kind(&self) -> Kind {
        Kind::Interrupted
    }

    fn hint(&self) -> Option<String> {
        let first = self.open.first()?;
        let who = if self.is_asked_for { "the clean-up of the ACME client" } else { "a later call" };
        Some(if self.is_remembered {
            format!("the journal has it: {who} removes it, or `ipv64-acme sweep --older-than 0 --yes`")
        } else {
            format!("no journal has it: remove it with `ipv64-acme cleanup {} {}`", first.name, first.value)
        })
    }
}

impl Solver<'_> {
    /// Tells what a call leaves open that ends now, apart from what is known to be done.
    #[must_use]
    pub fn interruption(&self, call: &Call, done: &[Solved]) -> Interrupted {
        let account = self.state.account();
        let has_entry = |one: &&Challenge| {
            self.state.journal(|journal, _| !journal.find(account, &one.name, Some(&one.value)).is_empty())
        };
        let is_kept = self.state.directory().is_some();
        // What another process has added, and no journal tells of, is still there.
        let is_unknown =
            call.action == Action::Remove && !(is_kept && call.challenges.iter().any(|one| has_entry(&one)));
        let is_done = |challenge: &Challenge| done.iter().any(|solved| solved.challenge == *challenge);
        let is_open = |one: &&Challenge| if is_unknown { !is_done(one) } else { has_entry(one) };
        Interrupted {
            open: call.challenges.iter().filter(is_open).cloned().collect(),
            is_remembered: is_kept && !is_unknown,
            is_asked_for: call.action == Action::Add && call.on_failure == OnFailure::Leave,
            during: None,
        }
    }

    /// Ends a call that was told to stop.
    ///
    /// # Errors
    /// [`crate::time::Interrupted`], for [`Solver::run`] to say what is open.
    pub(super) fn check_interrupted(&self) -> Result<(), crate::time::Interrupted> {
        if self.is_interrupted() { Err(crate::time::Interrupted) } else { Ok(()) }
    }

    /// Puts what is open in place of what happened to be under way.
    pub(super) fn explain_interruption(&self, call: &Call, failure: Failure) -> Failure {
        if !self.is_interrupted() {
            return failure;
        }
        let Failure { done, failed } = failure;
        let during = failed.into_iter().next().map(|first| first.error);
        let error = Error::from(Interrupted { during, ..self.interruption(call, &done) });
        Failure { done, ..error.into() }
    }
}
