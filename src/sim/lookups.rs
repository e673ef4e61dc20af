//! Host names whose addresses cannot be looked up for a time: a disturbance in the network of the client.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use hickory_resolver::proto::{
    op::{Message, Query},
    rr::{Name, RecordType},
};
use serde::{Deserialize, Serialize};

use super::{names::host, settings::seconds, threads::hold};

/// One host name without an address. It meets all who ask over sockets, at name servers and resolvers, and hides the
/// glue of the name from them; the resolver `ca` and the simulation's own resolvers are spared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupFault {
    /// The host name, such as `ns2.ipv64.net`.
    pub name: String,
    /// What a question for its addresses gets.
    pub answer: LookupAnswer,
    /// How long it holds from the start, or from when it was ordered; zero means for ever.
    #[serde(default, with = "seconds")]
    pub lasts: Duration,
}

/// What a question for an address gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LookupAnswer {
    /// The response code SERVFAIL.
    ServFail,
    /// The response code NXDOMAIN.
    NxDomain,
    /// Nothing at all.
    Dropped,
}

/// The faults that were ordered, each with its beginning.
#[derive(Debug, Default)]
pub(super) struct Lookups(Mutex<Vec<(Instant, LookupFault)>>);

impl Lookups {
    /// Begins a fault now.
    pub(super) fn order(&self, fault: LookupFault) {
        hold(&self.0).push((Instant::now(), fault));
    }

    /// Ends all faults.
    pub(super) fn clear(&self) {
        hold(&self.0).clear();
    }

    /// What a question gets instead of its answer, if a fault hits it.
    pub(super) fn answer(&self, question: &Query) -> Option<LookupAnswer> {
        let is_for_address = matches!(question.query_type(), RecordType::A | RecordType::AAAA);
        if is_for_address { self.of(question.name()) } else { None }
    }

    /// Takes the glue of names that a fault hits out of a message.
    pub(super) fn hide_glue(&self, message: &mut Message) {
        message.additionals.retain(|record| self.of(&record.name).is_none());
    }

    fn of(&self, name: &Name) -> Option<LookupAnswer> {
        let name = name.to_lowercase();
        let holds = |begun: Instant, fault: &LookupFault| fault.lasts.is_zero() || begun.elapsed() < fault.lasts;
        let faults = hold(&self.0);
        let mut open = faults.iter().filter(|(begun, fault)| holds(*begun, fault));
        open.find(|(_, fault)| host(&fault.name).is_some_and(|faulty| faulty == name)).map(|(_, fault)| fault.answer)
    }
}
