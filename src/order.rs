//! What a caller asks for: which records to add or remove, whether to wait, and what to do on failure. The conventions of the
//! ACME clients produce it ([`crate::hook`]), [`crate::solver`] carries it out.

use crate::challenge::Challenge;
use crate::name::DnsName;

/// What to do with the records of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Add them, then wait as the call says.
    Add,
    /// Remove them.
    Remove,
}

/// When an add is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// When its own records are served everywhere.
    Now,
    /// When the records are stored: a later call of the same order waits.
    Later(Order),
    /// When the records of the whole order are served everywhere.
    Order(Order),
}

/// All challenges that a client works through in several calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The record name of each challenge of the order; a name is here once for each of its values.
    pub names: Vec<DnsName>,
    /// How many of its calls are still to come.
    pub remaining: usize,
}

impl Wait {
    /// Returns the order that the call is a part of, if it is one of several calls.
    #[must_use]
    pub const fn order(&self) -> Option<&Order> {
        match self {
            Self::Now => None,
            Self::Later(order) | Self::Order(order) => Some(order),
        }
    }
}

/// What to do with a record whose add or remove failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Remove it at once: the client will not ask for it.
    Undo,
    /// Leave it: the client is sure to call the remove.
    Leave,
    /// Let a remove succeed that failed for a passing reason, and leave it to the next call: the client would throw away
    /// a certificate that the CA has granted.
    DeferToNextCall,
}

/// Who asks the CA, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaAsked {
    /// After all adds of an order.
    AfterAll,
    /// After each add: another value at the same name may still sit in the CA's cache.
    AfterEach,
}

/// One call of an ACME client, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The client's convention, for messages and the journal.
    pub client: &'static str,
    /// What to do.
    pub action: Action,
    /// With which records.
    pub challenges: Vec<Challenge>,
    /// When an add is done.
    pub wait: Wait,
    /// What to do if it fails.
    pub on_failure: OnFailure,
    /// When the client asks the CA.
    pub ca_asked: CaAsked,
}

impl Call {
    /// Makes a call of a client that will not ask for the removal of a record that it could not add, and that asks the CA
    /// after all adds.
    #[must_use]
    pub fn new(client: &'static str, action: Action, challenges: Vec<Challenge>) -> Self {
        let (wait, on_failure, ca_asked) = (Wait::Now, OnFailure::Undo, CaAsked::AfterAll);
        Self { client, action, challenges, wait, on_failure, ca_asked }
    }
}
