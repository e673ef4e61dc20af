//! What a wait is to wait for: the records as the solver knows them, and the same sorted into zones with their TXT queries.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::challenge::TxtValue;
use crate::dns::zone::{Lookup, Zone};
use crate::name::DnsName;

/// One record to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name that holds it, at the end of any CNAME chain.
    pub name: DnsName,
    /// Its value.
    pub value: TxtValue,
    /// The zone of the name.
    pub zone: Zone,
    /// When it was added, if that was for this wait: no server can have had it before. Of the others nobody knows.
    pub added: Option<Instant>,
    /// Until when an equal value that is seen may be one that was removed a moment ago.
    pub doubtful_until: Option<Instant>,
}

/// What to wait for, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The records, in the order in which they were added.
    pub records: Vec<Record>,
    /// From now to giving up.
    pub timeout: Duration,
    /// Positive answers in a row that each address must give for the newest record of a zone.
    pub confirmations: u32,
    /// The longest pause between two polls of one address.
    pub polling_interval: Duration,
    /// Resolvers, and the pace that all queries keep.
    pub lookup: Lookup,
    /// How long to pause instead, where nobody can be asked; nothing if that is an error.
    pub blind_wait: Option<Duration>,
    /// Set by a signal: stop at once.
    pub interrupted: Arc<AtomicBool>,
}

/// A zone with what has to be there.
#[derive(Debug, Clone)]
pub(super) struct ZoneTexts {
    pub(super) zone: Zone,
    /// In the order in which they were added: the newest last.
    pub(super) texts: Vec<Text>,
}

/// The values that have to be at a name: one TXT RRset, which one question shows whole.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) name: DnsName,
    pub(super) values: Vec<TxtValue>,
    pub(super) added: Option<Instant>,
    pub(super) doubtful_until: Option<Instant>,
}

/// Sorts records into zones, and joins the values of one name: they are one TXT RRset, and one question shows them all.
pub(super) fn by_zone(records: &[Record]) -> Vec<ZoneTexts> {
    let mut zones: Vec<ZoneTexts> = Vec::new();
    let (new, found): (Vec<&Record>, Vec<&Record>) = records.iter().partition(|record| record.added.is_some());
    // What was there before this wait was added before what is new, whatever the order of the caller.
    for record in found.into_iter().chain(new) {
        // By name, where it is known: two look-ups may have found different addresses of it.
        let is_same = |known: &ZoneTexts| {
            known.zone.apex == record.zone.apex && (known.zone.apex.is_some() || known.zone == record.zone)
        };
        let place = zones.iter().position(is_same).unwrap_or_else(|| {
            zones.push(ZoneTexts { zone: record.zone.clone(), texts: Vec::new() });
            zones.len() - 1
        });
        add(&mut zones[place].texts, record);
    }
    zones
}

/// Adds a record as the newest of its zone; with it, the others at its name become the newest.
fn add(texts: &mut Vec<Text>, record: &Record) {
    let known = texts.iter().position(|text| text.name == record.name).map(|place| texts.remove(place));
    let (mut values, doubtful) = known.map_or((Vec::new(), None), |text| (text.values, text.doubtful_until));
    if !values.contains(&record.value) {
        values.push(record.value.clone());
    }
    texts.push(Text {
        name: record.name.clone(),
        values,
        added: record.added,
        doubtful_until: doubtful.max(record.doubtful_until),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, value: &str, apex: &str) -> Record {
        let zone = Zone { apex: DnsName::parse(apex).ok(), ..Zone::default() };
        let (name, value) = (DnsName::parse(name).unwrap(), TxtValue::parse(value).unwrap());
        Record { name, value, zone, added: Some(Instant::now()), doubtful_until: None }
    }

    fn shown(records: &[Record]) -> Vec<Vec<(String, usize, bool)>> {
        let text = |text: &Text| (text.name.to_string(), text.values.len(), text.added.is_some());
        by_zone(records).iter().map(|zone| zone.texts.iter().map(text).collect()).collect()
    }

    #[test]
    fn values_of_one_name_are_one_query_and_the_newest_of_its_zone_is_last() {
        let records = [
            record("a.one.example", "v1", "one.example"),
            record("b.two.example", "v2", "two.example"),
            record("c.one.example", "v3", "one.example"),
            record("a.one.example", "v4", "one.example"),
        ];
        let one = vec![("c.one.example".to_owned(), 1, true), ("a.one.example".to_owned(), 2, true)];
        assert_eq!(shown(&records), [one, vec![("b.two.example".to_owned(), 1, true)]]);
    }

    #[test]
    fn what_was_there_before_the_wait_comes_before_what_is_new() {
        let old = |name, value| Record { added: None, ..record(name, value, "one.example") };
        let records =
            [record("a.one.example", "v1", "one.example"), old("b.one.example", "v2"), old("a.one.example", "v3")];
        let expected = vec![("b.one.example".to_owned(), 1, false), ("a.one.example".to_owned(), 2, true)];
        assert_eq!(shown(&records), [expected]);
    }
}
