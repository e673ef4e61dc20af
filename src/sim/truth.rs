//! What the simulation knows and a client can only find out: when a value was on every honest server, and who asked
//! for it before.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    Sim,
    hierarchy::Role,
    log::{Question, Transport},
    server::{Server, slowest},
    shared::Shared,
    store::StoredRecord,
    threads::hold,
};

impl Sim {
    /// Since when every backend of every honest server address of the provider has shown a TXT value without a break.
    ///
    /// Honest is an address that answers, with authority, and follows the store: not stale, silent, lame or lying.
    /// Nothing if there is no such record, or if it is not seen everywhere yet. An address with a packet cache counts
    /// from the moment when the last answer that it keeps without the value has run out.
    #[must_use]
    pub fn visible_everywhere_since(&self, name: &str, value: &str) -> Option<Instant> {
        visible_everywhere_since(&self.shared, name, value)
    }

    /// The records that are there although nobody configured them.
    #[must_use]
    pub fn records_left(&self) -> Vec<StoredRecord> {
        let is_left = |record: &&StoredRecord| record.life.is_open() && record.life.added.is_some();
        self.shared.world.store.hold().records.iter().filter(is_left).cloned().collect()
    }

    /// Every record that ever was, with its times.
    #[must_use]
    pub fn records(&self) -> Vec<StoredRecord> {
        self.shared.world.store.hold().records.clone()
    }

    /// The questions for a TXT value that a server or resolver got before every server showed it. Those for a value
    /// that never got there are all premature.
    #[must_use]
    pub fn premature_questions(&self, server: &str, name: &str, value: &str) -> Vec<Question> {
        let since = self.visible_everywhere_since(name, value);
        let name = plain(name);
        let is_early = |question: &Question| {
            let about = question.server == server && question.kind == "TXT" && plain(&question.name) == name;
            about && since.is_none_or(|since| question.at < since)
        };
        self.questions().into_iter().filter(is_early).collect()
    }

    /// The most questions that an address got from outside within any second.
    #[must_use]
    pub fn busiest_second(&self, address: SocketAddr) -> usize {
        self.busiest(address, Duration::from_secs(1))
    }

    /// The most questions that an address got from outside within any time of this length.
    #[must_use]
    pub fn busiest(&self, address: SocketAddr, length: Duration) -> usize {
        let from_outside =
            |question: &&Question| question.address == address && question.transport != Transport::Internal;
        let questions = self.questions();
        let times: Vec<_> = questions.iter().filter(from_outside).map(|question| question.at).collect();
        most_within(&times, length)
    }
}

/// The most of some moments that lie within less than a length of time.
fn most_within(times: &[Instant], length: Duration) -> usize {
    let within = |first: &Instant| times.iter().filter(|at| *at >= first && at.duration_since(*first) < length).count();
    times.iter().map(within).max().unwrap_or_default()
}

/// See [`Sim::visible_everywhere_since`].
pub(super) fn visible_everywhere_since(shared: &Shared, name: &str, value: &str) -> Option<Instant> {
    let name = plain(name);
    let quoted = format!("\"{value}\"");
    let added = {
        let holdings = shared.world.store.hold();
        let stands = |record: &&StoredRecord| record.life.is_open() && record.kind == "TXT";
        let is_it = |record: &&StoredRecord| record.content == value || record.content == quoted;
        let mut records = holdings.records.iter().filter(stands).filter(is_it);
        records.find(|record| record.name() == name)?.life.added.unwrap_or(shared.world.started)
    };
    let provider = shared.name_servers.iter().filter(|server| server.role == Role::Provider);
    let honest = provider.filter(|server| server.settings().is_honest());
    let latest = honest.map(|server| visible_since(server, (&name, value), added)).max();
    latest.filter(|since| *since <= Instant::now())
}

/// Walks back through the settings of a server as long as they showed the record.
fn visible_since(server: &Server, record: (&str, &str), added: Instant) -> Instant {
    let mut since = None;
    for (begun, settings) in server.timeline().iter().rev() {
        let shown = added + slowest(settings);
        if since.is_some_and(|since| !settings.is_honest() || shown > since) {
            break;
        }
        since = Some(shown.max(*begun));
        if shown > *begun {
            break;
        }
    }
    let since = since.unwrap_or(added);
    let cached = hold(&server.cache).lacking_until(&format!("{}.", record.0), record.1);
    cached.map_or(since, |until| until.max(since))
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_second_begins_anywhere() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let times = [at(0), at(900), at(1000), at(1500), at(1899), at(1900), at(5000)];
        assert_eq!(most_within(&times, Duration::from_secs(1)), 4);
        assert_eq!(most_within(&times, Duration::from_secs(3)), 6);
        assert_eq!(most_within(&[], Duration::from_secs(1)), 0);
    }
}
