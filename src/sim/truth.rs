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
    store::StoredRecord,
    threads::hold,
};

impl Sim {
    /// Since when every backend of every honest server address of the provider has shown a TXT value without a break.
    ///
    /// Honest is an address that answers, with authority, and follows the store: not stale, silent, lame or lying.
    /// Nothing if no such record stands, or if it is not seen everywhere yet. An address with a packet cache counts
    /// from the moment when its last kept "nothing here" has run out.
    #[must_use]
    pub fn visible_everywhere_since(&self, name: &str, value: &str) -> Option<Instant> {
        let name = plain(name);
        let stands = |record: &&StoredRecord| record.life.is_open() && record.kind == "TXT";
        let added = {
            let holdings = self.shared.world.store.hold();
            let quoted = format!("\"{value}\"");
            let is_it = |record: &&StoredRecord| record.content == value || record.content == quoted;
            let mut records = holdings.records.iter().filter(stands).filter(is_it);
            records.find(|record| record.name() == name)?.life.added.unwrap_or(self.shared.world.started)
        };
        let provider = self.shared.world.servers().iter().filter(|server| server.role == Role::Provider);
        let honest = provider.filter(|server| server.settings().is_honest());
        let since: Vec<_> = honest.map(|server| visible_since(server, &name, added)).collect();
        since.into_iter().max().filter(|since| *since <= Instant::now())
    }

    /// The records that stand although nobody configured them.
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
        let from_outside =
            |question: &&Question| question.address == address && question.transport != Transport::Internal;
        let questions = self.questions();
        let times: Vec<_> = questions.iter().filter(from_outside).map(|question| question.at).collect();
        let within = |first: &Instant| {
            times.iter().filter(|at| *at >= first && at.duration_since(*first) < Duration::from_secs(1)).count()
        };
        times.iter().map(within).max().unwrap_or_default()
    }
}

/// Walks back through the settings of a server as long as they showed the record.
fn visible_since(server: &Server, name: &str, added: Instant) -> Instant {
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
    let cached = hold(&server.cache).empty_until(&format!("{name}."));
    cached.map_or(since, |until| until.max(since))
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
