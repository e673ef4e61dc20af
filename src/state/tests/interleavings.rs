//! A model of the journal against any order of calls: whatever several writers do, and wherever one of them dies, an entry is
//! open for as long as its record may be at IPv64. Seeded, so that a failure can be repeated.

use std::collections::BTreeMap;

use super::bench::*;
use crate::state::*;

/// xorshift64*: the same steps for the same seed, on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }
}

/// Few records, so that writers meet at them.
fn numbered(number: usize) -> Entry {
    record(&format!("_acme-challenge.n{}.example.org", number / 2), &format!("v{}", number % 2))
}

/// What a writer holds between two of its steps.
type Writer = Vec<EntryId>;

/// Records that are, or may be, at IPv64: by their number, with the entry, and whether a call before the last one had asked
/// for them too.
type Model = BTreeMap<usize, (EntryId, bool)>;

fn step(writer: &mut Writer, state: &State, model: &mut Model, dice: &mut Dice) {
    match dice.below(8) {
        // The writer dies, and another one begins: what was open stays open.
        0 => writer.clear(),
        1 | 2 => {
            let numbers: Vec<_> = (0..=dice.below(3)).map(|_| dice.below(10)).collect();
            let removed = being_removed(state);
            *writer = state.intend(&numbers.iter().map(|number| numbered(*number)).collect::<Vec<_>>());
            for (number, id) in numbers.into_iter().zip(writer) {
                let before = model.get(&number).map(|(id, _)| id.clone());
                let is_right = |before: &EntryId| (before == id) != removed.contains(before);
                assert!(
                    before.as_ref().is_none_or(is_right),
                    "one record is one entry, but for one that is being removed"
                );
                model.insert(number, (id.clone(), before.is_some()));
            }
        }
        3 => state.confirm(writer),
        4 => state.ready(writer),
        5 => state.remove_asked(writer),
        6 => state.remove_failed(writer),
        _ if dice.below(2) == 0 => {
            state.close(writer);
            model.retain(|_, (id, _)| !writer.contains(id));
            writer.clear();
        }
        _ => {
            let stay = state.withdraw(writer);
            assert!(stay.iter().all(|id| writer.contains(id)));
            model.retain(|_, (id, was_open)| *was_open || !writer.contains(id));
            writer.clear();
        }
    }
}

fn being_removed(state: &State) -> Vec<EntryId> {
    let entries = state.entries().into_iter();
    entries.filter(|entry| matches!(entry.progress, Progress::RemoveAsked { .. })).map(|entry| entry.id).collect()
}

/// The open entries by the number of their record.
fn open_entries(state: &State) -> BTreeMap<usize, EntryId> {
    let number = |entry: &Entry| {
        let labels: Vec<_> = entry.record.labels().collect();
        let digit = |text: &str| text[1..].parse::<usize>().unwrap();
        2 * digit(labels[1]) + digit(entry.value.as_str())
    };
    state.entries().into_iter().map(|entry| (number(&entry), entry.id)).collect()
}

#[test]
fn an_entry_is_open_for_as_long_as_its_record_may_be_there() {
    for seed in 1..=30 {
        let mut dice = Dice(seed);
        let (state, _) = in_memory();
        let (mut model, mut writers) = (Model::new(), [(); 4].map(|()| Writer::new()));
        for number in 0..80 {
            let writer = &mut writers[dice.below(4)];
            step(writer, &state, &mut model, &mut dice);
            let expected: BTreeMap<_, _> = model.iter().map(|(number, (id, _))| (*number, id.clone())).collect();
            assert_eq!(open_entries(&state), expected, "seed {seed}, step {number}");
        }
    }
}

#[test]
fn a_journal_that_was_cut_off_anywhere_is_set_aside_and_the_next_entry_is_kept() {
    let temp = tempfile::tempdir().unwrap();
    let _ = open(temp.path()).intend(&[numbered(0), numbered(1)]);
    let whole = std::fs::read(temp.path().join("journal.json")).unwrap();
    for cut in (0..whole.len()).step_by(whole.len() / 20) {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("journal.json"), &whole[..cut]).unwrap();
        let state = open(temp.path());
        let ids = state.intend(&[numbered(2)]);
        let warnings = state.take_warnings();
        let [StateError::SetAside { aside, .. }] = warnings.as_slice() else { panic!("cut at {cut}: {warnings:?}") };
        assert_eq!(std::fs::read(aside).unwrap(), whole[..cut], "cut at {cut}");
        let open: Vec<_> = open(temp.path()).entries();
        assert_eq!(open.into_iter().map(|entry| entry.id).collect::<Vec<_>>(), ids, "cut at {cut}");
    }
}
