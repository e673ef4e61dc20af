//! The packet cache of a load balancer: whole answers, given again to the same question until they are too old.
//! Keyed as dnsdist does it: name, type, flags and EDNS of the question.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use hickory_resolver::proto::{
    op::{Edns, Message},
    rr::RecordType,
};

use super::{content, settings::CacheSettings};

type Key = (String, RecordType, Option<(bool, bool, Option<u16>)>);

/// The answers of one address.
#[derive(Debug, Default)]
pub(super) struct PacketCache {
    entries: HashMap<Key, Entry>,
    /// For each name: the TXT values that were kept together, and until when.
    texts: HashMap<String, Vec<(Vec<String>, Instant)>>,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    taken: Instant,
    length: Duration,
}

impl PacketCache {
    /// Answers from the cache, or with a fresh answer that is kept if it may be.
    pub(super) fn answer(&mut self, how: &CacheSettings, query: &Message, fresh: impl FnOnce() -> Message) -> Message {
        let Some(key) = key(query, how) else { return fresh() };
        let now = Instant::now();
        if let Some(entry) = self.entries.get(&key).filter(|entry| now < entry.taken + entry.length) {
            return aged(entry, query, now);
        }
        let message = fresh();
        if if message.answers.is_empty() { how.negative } else { how.positive } {
            let length = lifetime(&message, how.ttl);
            if key.1 == RecordType::TXT {
                let texts = (content::texts(&message), now + length);
                self.texts.entry(key.0.clone()).or_default().push(texts);
            }
            self.entries.insert(key, Entry { message: message.clone(), taken: now, length });
        }
        message
    }

    /// Until when a question for the name may be answered without the value. The name is in lower case.
    pub(super) fn lacking_until(&self, name: &str, value: &str) -> Option<Instant> {
        let kept = self.texts.get(name)?.iter();
        kept.filter(|(values, _)| values.iter().all(|other| other != value)).map(|(_, until)| *until).max()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.texts.clear();
    }
}

fn key(query: &Message, how: &CacheSettings) -> Option<Key> {
    let question = query.queries.first()?;
    let edns = query.edns.as_ref();
    let bits = (
        query.metadata.recursion_desired,
        edns.is_some_and(|edns| edns.flags().dnssec_ok),
        edns.map(Edns::max_payload),
    );
    let name = question.name().to_lowercase().to_ascii();
    Some((name, question.query_type(), Some(bits).filter(|_| !how.coarse)))
}

/// An answer lives no longer than its records (RFC 1035 section 3.2.1), nor than the cache keeps anything.
fn lifetime(message: &Message, longest: Duration) -> Duration {
    let ttls = message.answers.iter().chain(&message.authorities).map(|record| record.ttl);
    ttls.min().map_or(longest, |ttl| longest.min(Duration::from_secs(ttl.into())))
}

fn aged(entry: &Entry, query: &Message, now: Instant) -> Message {
    let mut message = entry.message.clone();
    let age = u32::try_from(now.duration_since(entry.taken).as_secs()).unwrap_or(u32::MAX);
    for record in message.answers.iter_mut().chain(&mut message.authorities).chain(&mut message.additionals) {
        record.ttl = record.ttl.saturating_sub(age);
    }
    // The asker compares the question with its own, which may be spelt differently.
    message.queries.clone_from(&query.queries);
    message
}
