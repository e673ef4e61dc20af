//! The servers behind one address, as far as they tell their names (NSID, RFC 5001), and what each said last. Pure; what
//! servers without names give away is part of [`super::evidence`].

use std::collections::BTreeMap;

/// After so many answers of others a back end that was not heard of counts as gone from behind its address.
const GONE_AFTER: u32 = 30;

/// All that were heard of.
#[derive(Debug, Clone, Default)]
pub(super) struct BackEnds {
    known: BTreeMap<Vec<u8>, BackEnd>,
    /// Answers so far.
    answers: u32,
}

/// One of them.
#[derive(Debug, Clone, Default)]
struct BackEnd {
    /// The records that it showed when it was last asked for them.
    shows: Vec<usize>,
    /// Its last answer, counted from the start.
    heard: u32,
}

impl BackEnds {
    /// Takes an answer: whether it shows a record, if it tells that.
    pub(super) fn heard(&mut self, name: Vec<u8>, record: usize, shows: Option<bool>) {
        self.answers = self.answers.saturating_add(1);
        let back_end = self.known.entry(name).or_default();
        back_end.heard = self.answers;
        if shows.is_some() {
            back_end.shows.retain(|shown| *shown != record);
        }
        if shows == Some(true) {
            back_end.shows.push(record);
        }
    }

    /// Returns how many there are, or were.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Returns whether one that is still around has not shown a record when it was last asked for it, or was not asked.
    pub(super) fn is_open(&self, record: usize) -> bool {
        let is_around = |back_end: &&BackEnd| self.answers.saturating_sub(back_end.heard) <= GONE_AFTER;
        self.known.values().filter(is_around).any(|back_end| !back_end.shows.contains(&record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_one_has_to_show_each_record() {
        let mut back_ends = BackEnds::default();
        assert!(!back_ends.is_open(0), "nobody is known");
        back_ends.heard(b"a".to_vec(), 0, Some(true));
        back_ends.heard(b"b".to_vec(), 0, Some(false));
        assert!(back_ends.is_open(0));
        back_ends.heard(b"b".to_vec(), 0, None);
        assert!(back_ends.is_open(0), "that told nothing");
        back_ends.heard(b"b".to_vec(), 0, Some(true));
        assert!(!back_ends.is_open(0));
        assert!(back_ends.is_open(1), "nobody was asked for it");
    }

    #[test]
    fn one_that_is_not_heard_of_for_long_has_left() {
        let mut back_ends = BackEnds::default();
        back_ends.heard(b"gone".to_vec(), 0, Some(false));
        for _ in 0..GONE_AFTER {
            back_ends.heard(b"other".to_vec(), 0, Some(true));
            assert!(back_ends.is_open(0));
        }
        back_ends.heard(b"other".to_vec(), 0, Some(true));
        assert!(!back_ends.is_open(0));
    }
}
