//! Faults of the API that can be ordered while it runs: for the next call, for the nth, for one kind of call.
//! How they look on the wire is in [`super::delivery`].

use std::{collections::VecDeque, sync::Mutex, time::Duration};

use serde::{Deserialize, Serialize};

use super::{log::CallKind, settings::seconds, threads::hold};

/// One order: which call is hit, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiFault {
    /// The kind of call that it hits; nothing means any.
    #[serde(default)]
    pub call: Option<CallKind>,
    /// So many matching calls pass unhurt first.
    #[serde(default)]
    pub skip: u32,
    /// So many matching calls are hit.
    #[serde(default = "once")]
    pub times: u32,
    /// Whether the call takes effect.
    #[serde(default)]
    pub effect: Effect,
    /// What the client gets.
    pub action: Action,
}

fn once() -> u32 {
    1
}

impl ApiFault {
    /// Hits the next call of any kind, which takes no effect.
    #[must_use]
    pub fn next(action: Action) -> Self {
        Self { call: None, skip: 0, times: 1, effect: Effect::Nothing, action }
    }

    /// Hits the next call of one kind, which takes no effect.
    #[must_use]
    pub fn on(call: CallKind, action: Action) -> Self {
        Self { call: Some(call), ..Self::next(action) }
    }

    /// The call takes effect before the fault.
    #[must_use]
    pub fn after_commit(self) -> Self {
        Self { effect: Effect::Committed, ..self }
    }

    /// The call takes effect at the end of its delay.
    #[must_use]
    pub fn late(self) -> Self {
        Self { effect: Effect::Late, ..self }
    }

    /// How long to wait before the call is carried out.
    pub(super) fn wait_before(&self) -> Duration {
        match (self.effect, &self.action) {
            (Effect::Late, Action::Delay(length)) => *length,
            _ => Duration::ZERO,
        }
    }

    /// Lets so many matching calls pass first.
    #[must_use]
    pub fn skipping(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Hits so many calls instead of one.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }
}

/// Whether a call that is hit takes effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is not carried out.
    #[default]
    Nothing,
    /// It is carried out, and only the answer is hit.
    Committed,
    /// It is carried out at the end of [`Action::Delay`], when the client may have given up; with other actions as
    /// [`Effect::Committed`].
    Late,
}

/// What the client gets instead of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// This answer.
    Answer {
        /// The HTTP status.
        status: u16,
        /// `Content-Type`.
        #[serde(default = "html")]
        content_type: String,
        /// Further headers.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body; `{key}` in it is replaced by the key that the client sent.
        #[serde(default)]
        body: String,
    },
    /// A TCP reset.
    Reset,
    /// An orderly close without a single octet.
    Close,
    /// The right head, half of the body, then an orderly close.
    Truncate,
    /// The right answer, each octet of the body this many seconds after the one before.
    Slow(#[serde(with = "seconds")] Duration),
    /// A head without a length and then blanks, for ever.
    Endless,
    /// The right answer after this many seconds; of a call without effect an empty 504.
    Delay(#[serde(with = "seconds")] Duration),
}

fn html() -> String {
    "text/html; charset=UTF-8".into()
}

impl Action {
    /// An answer of the API's own kind.
    #[must_use]
    pub fn json(status: u16, body: &str) -> Self {
        Self::Answer { status, content_type: "application/json".into(), headers: Vec::new(), body: body.into() }
    }

    /// A page for people.
    #[must_use]
    pub fn html(status: u16, body: &str) -> Self {
        Self::Answer { status, content_type: html(), headers: Vec::new(), body: body.into() }
    }

    /// The burst limit's 429 ("observed").
    #[must_use]
    pub fn burst() -> Self {
        Self::json(429, r#"{"info":"Update Cooldown - 10sec","status":"429 Too Many Requests"}"#)
    }

    /// The other 429 that was seen ("observed"; that it is the daily limit's is a guess).
    #[must_use]
    pub fn daily() -> Self {
        Self::json(429, r#"{"info":"Updateintervall overcommited","status":"429 Too Many Requests"}"#)
    }

    /// A redirect of a kind that keeps method and body.
    #[must_use]
    pub fn redirect(url: &str) -> Self {
        Self::html(307, "").with_header("Location", url)
    }

    /// The same with the client's key in place of `{key}`.
    pub(super) fn with_key(mut self, key: &str) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            *body = body.replace("{key}", key);
        }
        self
    }

    /// The same with one more header; other actions stay as they are.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.into(), value.into()));
        }
        self
    }
}

/// The orders that are open.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<VecDeque<ApiFault>>);

impl Faults {
    pub(super) fn push(&self, fault: ApiFault) {
        hold(&self.0).push_back(fault);
    }

    pub(super) fn clear(&self) {
        hold(&self.0).clear();
    }

    /// The orders that are open.
    pub(super) fn open(&self) -> Vec<ApiFault> {
        hold(&self.0).iter().cloned().collect()
    }

    /// The fault that hits a call. Only the first matching order counts it, so that a queue of orders is a script.
    pub(super) fn take(&self, call: CallKind) -> Option<ApiFault> {
        let mut orders = hold(&self.0);
        let position = orders.iter().position(|order| order.call.is_none_or(|wanted| wanted == call))?;
        let order = orders.get_mut(position)?;
        if order.skip > 0 {
            order.skip -= 1;
            return None;
        }
        order.times = order.times.saturating_sub(1);
        let fault = order.clone();
        if fault.times == 0 {
            orders.remove(position);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_of_orders_is_a_script() {
        let faults = Faults::default();
        faults.push(ApiFault::on(CallKind::AddRecord, Action::Reset).skipping(1).times(2));
        faults.push(ApiFault::next(Action::Close));
        let hit = |call| faults.take(call).map(|fault| fault.action);
        assert_eq!(hit(CallKind::AddRecord), None);
        assert_eq!(hit(CallKind::AddRecord), Some(Action::Reset));
        assert_eq!(hit(CallKind::DelRecord), Some(Action::Close));
        assert_eq!(hit(CallKind::AddRecord), Some(Action::Reset));
        assert_eq!(hit(CallKind::AddRecord), None);
    }
}
