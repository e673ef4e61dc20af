//! The files of the state directory, whatever is in them: journal and usage, in this order, with a line `---` between them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipv64_acme::challenge::{Challenge, TxtValue};
use ipv64_acme::name::DnsName;
use ipv64_acme::secret::Secret;
use ipv64_acme::state::{Account, CallKind, CallsNeeded, Entry, EntryId, LimitError, Rate, State};
use ipv64_acme::time::{BootTime, Clock, Interrupted, Timestamp};
use serde_json::Value;

/// The order of the files in an input.
const FILES: [&str; 2] = ["journal.json", "usage.json"];
/// No answer of a server, and no file, makes a process wait for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// What the largest file may come to: entries of the input, and room for what was added.
const ROOM: u64 = 64 * 1024;

pub(crate) fn run(input: &[u8]) {
    // In memory where there is such a place: the journal is synced with each change.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let contents = split(input);
    for (file, content) in FILES.iter().zip(&contents) {
        fs::write(folder.path().join(file), content).unwrap();
    }
    assert_journal(folder.path());
    assert_usage(folder.path());
    assert_domains(folder.path());
    assert_files(folder.path(), &contents);
}

fn split(input: &[u8]) -> Vec<&[u8]> {
    const BETWEEN: &[u8] = b"\n---\n";
    let (mut pieces, mut rest) = (Vec::new(), input);
    while let Some(at) = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        pieces.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    pieces.push(rest);
    pieces
}

/// A clock that stands, at 2026-11-23 13:00 UTC: the same input has to do the same every time.
struct Standing(Instant);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::parse_provider("2026-11-23 13:00:00").unwrap()
    }

    fn since_boot(&self) -> Option<BootTime> {
        None
    }

    fn instant(&self) -> Instant {
        self.0
    }
}

fn open(folder: &Path) -> State {
    State::open(Some(folder), account(), Arc::new(Standing(Instant::now())))
}

fn account() -> Account {
    Account::of(&Secret::parse(super::KEY).unwrap())
}

fn record() -> Entry {
    let (domain, name) = ("name.ipv64.net", "_acme-challenge.name.ipv64.net");
    let (domain, name) = (DnsName::parse(domain).unwrap(), DnsName::parse(name).unwrap());
    let challenge = Challenge { name: name.clone(), value: TxtValue::parse("-5qEv-d0").unwrap() };
    Entry::new(&account(), "fuzz", &challenge, (&domain, &name))
}

fn assert_warnings(state: &State) {
    state.take_warnings().iter().for_each(super::assert_explained);
}

fn entries(state: &State) -> Vec<Entry> {
    state.journal(|journal, _| journal.entries().to_vec())
}

/// The ids of all open entries, as another process finds them.
fn open_ids(folder: &Path) -> Vec<EntryId> {
    entries(&open(folder)).into_iter().map(|entry| entry.id).collect()
}

/// What is open stays until it is closed, and a new entry is there for every later process.
fn assert_journal(folder: &Path) {
    let state = open(folder);
    let mut new = record();
    let is_other = |entry: &Entry| {
        (&entry.account, &entry.name, &entry.value) != (&new.account, &new.name, &new.value)
            || (&entry.domain, &entry.record) != (&new.domain, &new.record)
    };
    // The new entry takes the place of one of the same record.
    let before: Vec<_> = entries(&state).into_iter().filter(is_other).collect();
    assert_warnings(&state);
    state.journal(|journal, now| journal.intend(&mut new, now));
    let ids = [new.id];
    let kept = |ids: &[EntryId], what: &str| {
        let now = open_ids(folder);
        // Two entries with one id are one.
        let same = |entry: &Entry| now.contains(&entry.id);
        assert!(before.iter().all(same), "{what} has lost an entry");
        assert!(ids.iter().all(|id| now.contains(id)), "{what} has lost the new entry");
    };
    kept(&ids, "intend");
    state.journal(|journal, _| journal.confirm(&ids));
    state.journal(|journal, now| journal.ready(&ids, now));
    kept(&ids, "ready");
    let marks = state.journal(|journal, now| journal.ready_marks(&record().record, now));
    assert!(marks.iter().any(|mark| mark.value == record().value));
    state.journal(|journal, now| journal.remove_asked(&ids, now));
    state.journal(|journal, now| journal.remove_failed(&ids, now));
    kept(&ids, "remove_failed");
    state.journal(|journal, now| {
        let _ = (journal.leftovers(None, now), journal.leftovers(Some(Duration::ZERO), now));
        let _ = journal.take_finishable(&account(), Duration::ZERO, now);
        let _ = journal.take_left_over(&account(), &[], now);
    });
    kept(&ids, "taking");
    state.journal(|journal, _| journal.close(&ids));
    let left = open_ids(folder);
    assert!(ids.iter().all(|id| !left.contains(id)), "a closed entry is gone");
    assert!(before.iter().all(|entry| left.contains(&entry.id) || ids.contains(&entry.id)), "close has lost an entry");
    assert_warnings(&state);
}

/// Nobody waits for ever because of a file, and the numbers of a day can be anything.
fn assert_usage(folder: &Path) {
    let (state, rate) = (open(folder), Rate::default());
    let most = CallsNeeded { additions: usize::MAX, kept: usize::MAX, ..CallsNeeded::default() };
    state.usage(|usage, now| {
        let _ = (
            usage.daily.needs_reading(most, now),
            usage.daily.quota(),
            usage.has_to_spare(rate, now),
            usage.daily.admit(most, now),
        );
    });
    let now = Instant::now();
    for kind in [CallKind::Removal, CallKind::Addition, CallKind::Read] {
        match state.take_turn(kind, rate, now, &|_, _| Err(Interrupted)) {
            Ok(sent_at) => state.usage(|usage, now| usage.window.finish(sent_at, now)),
            Err(error) => {
                super::assert_explained(&error);
                if let LimitError::TooLate { soonest, .. } = error {
                    assert!(soonest <= LONGEST_PAUSE, "waits {soonest:?}");
                }
            }
        }
    }
    state.refused(Some(Duration::MAX), rate);
    state.usage(|usage, now| {
        usage.daily.learn(u64::MAX, u64::MAX, now);
        usage.daily.refuse(now);
    });
    if let Err(error) = state.usage(|usage, now| usage.daily.admit(CallsNeeded { additions: 1, kept: 1, ..most }, now))
    {
        super::assert_explained(&error);
    }
    assert_warnings(&state);
}

fn assert_domains(folder: &Path) {
    let state = open(folder);
    let names = [DnsName::parse("name.ipv64.net").unwrap()];
    state.usage(|usage, now| {
        let _ = (usage.domains.names(now), usage.domains.claim(now));
        usage.domains.remember(&names, &[], now);
    });
    let kept = open(folder).usage(|usage, now| usage.domains.names(now));
    assert_eq!(kept.as_deref(), Some(names.as_slice()));
    assert_warnings(&state);
}

/// Every file is whole and no longer than it has to be; what made no sense stands beside it, as it was.
fn assert_files(folder: &Path, contents: &[&[u8]]) {
    for (file, content) in FILES.iter().zip(contents.iter().map(Some).chain(std::iter::repeat(None))) {
        let bytes = fs::read(folder.join(file)).unwrap();
        let json: Value = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(json["version"], 1, "{file}");
        let given = content.map_or(0, |content| content.len()) as u64;
        assert!(bytes.len() as u64 <= given * 8 + ROOM, "{file} grew from {given} to {} bytes", bytes.len());
    }
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let Some((file, _)) = name.split_once(".json.") else { continue };
        let at = FILES.iter().position(|known| known.strip_suffix(".json") == Some(file)).unwrap();
        assert_eq!(
            Some(&fs::read(entry.path()).unwrap()[..]),
            contents.get(at).copied(),
            "{name} is set aside as it was"
        );
    }
}
