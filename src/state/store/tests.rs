use std::fs;

use super::*;
use crate::time::{BootTime, ManualClock, SystemClock};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Counter {
    count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
}

impl Document for Counter {
    const FILE: &'static str = "counter.json";
    const DURABILITY: Durability = Durability::Unsynced;

    fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp)) {
        self.time.iter_mut().for_each(change);
    }
}

fn add_one(store: &Store) -> u64 {
    store.update(&SystemClock, |counter: &mut Counter, _| {
        counter.count += 1;
        counter.count
    })
}

/// The file without what comes before its content.
fn content(directory: &Path) -> String {
    let text = fs::read_to_string(directory.join("counter.json")).unwrap();
    assert!(text.starts_with(r#"{"version":1,"clock":{"wall":1"#), "{text}");
    text[text.find(r#""content""#).unwrap()..].to_owned()
}

#[test]
fn a_document_outlives_its_store() {
    let temp = tempfile::tempdir().unwrap();
    assert_eq!(add_one(&Store::open(Some(temp.path()))), 1);
    assert_eq!(add_one(&Store::open(Some(temp.path()))), 2);
    assert_eq!(content(temp.path()), r#""content":{"count":2}}"#);
}

#[test]
fn reading_does_not_write() {
    let temp = tempfile::tempdir().unwrap();
    let store = Store::open(Some(temp.path()));
    add_one(&store);
    let path = temp.path().join("counter.json");
    let before = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap());
    store.update(&SystemClock, |_: &mut Counter, _| ());
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap()), before);
}

#[test]
fn no_change_of_another_thread_or_store_is_lost() {
    let temp = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = Store::open(Some(temp.path()));
                (0..25).for_each(|_| drop(add_one(&store).to_string()));
                assert!(store.take_warnings().is_empty());
            });
        }
    });
    assert_eq!(add_one(&Store::open(Some(temp.path()))), 201);
}

#[test]
fn a_damaged_file_is_set_aside_and_the_work_goes_on() {
    for content in ["", "{", "null", "[]", "\u{0}\u{0}", r#"{"version":1,"content":{"count":-1}}"#, r#"{"count":1}"#] {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("counter.json"), content).unwrap();
        let store = Store::open(Some(temp.path()));
        assert_eq!(add_one(&store), 1, "{content:?}");
        let warnings = store.take_warnings();
        let [StateError::SetAside { aside, .. }] = warnings.as_slice() else { panic!("{content:?}: {warnings:?}") };
        assert_eq!(fs::read_to_string(aside).unwrap(), content);
        assert_eq!(add_one(&Store::open(Some(temp.path()))), 2);
    }
}

#[test]
fn a_file_of_a_later_version_is_set_aside_whatever_it_holds() {
    let temp = tempfile::tempdir().unwrap();
    let content = r#"{"version":2,"records":["all is different here"]}"#;
    fs::write(temp.path().join("counter.json"), content).unwrap();
    let store = Store::open(Some(temp.path()));
    assert_eq!(add_one(&store), 1);
    let warnings = store.take_warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].to_string().contains("counter.json` has format version 2, unknown here"), "{}", warnings[0]);
}

#[test]
fn a_file_that_is_no_text_or_far_too_long_counts_as_damaged() {
    for content in [b"\xff\xfe\x00".to_vec(), vec![b' '; (16 << 20) + 1]] {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("counter.json"), content).unwrap();
        let store = Store::open(Some(temp.path()));
        assert_eq!(add_one(&store), 1);
        assert!(matches!(store.take_warnings().as_slice(), [StateError::SetAside { .. }]));
    }
}

#[test]
fn without_a_directory_memory_does_the_work_after_one_warning() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let store = Store::open(Some(file.path()));
    assert_eq!((add_one(&store), add_one(&store)), (1, 2));
    assert!(matches!(store.take_warnings().as_slice(), [StateError::Directory { .. }]));
    assert!(store.take_warnings().is_empty());
}

#[test]
fn a_file_that_cannot_be_replaced_goes_on_in_memory_and_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let store = Store::open(Some(temp.path()));
    assert_eq!(add_one(&store), 1);
    // A folder in the place of the draft: neither removed nor written to, by root either.
    fs::create_dir(temp.path().join("counter.json.new")).unwrap();
    assert_eq!((add_one(&store), add_one(&store)), (2, 3));
    assert!(matches!(store.take_warnings().as_slice(), [StateError::File { action: "write", .. }]));
    assert_eq!(content(temp.path()), r#""content":{"count":1}}"#);
}

#[test]
fn a_symbolic_link_is_left_alone_and_memory_does_the_work() {
    let temp = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/null", temp.path().join("counter.json")).unwrap();
    let store = Store::open(Some(temp.path()));
    assert_eq!((add_one(&store), add_one(&store)), (1, 2));
    assert!(matches!(store.take_warnings().as_slice(), [StateError::Unsafe { .. }]));
}

#[test]
fn times_move_along_with_a_wall_clock_that_is_set_and_none_is_of_the_future() {
    const START: Timestamp = Timestamp::from_millis(1_795_438_800_000);
    let store = Store::in_memory();
    let clock = ManualClock::at(START);
    let age = |clock: &dyn Clock| {
        store.update(clock, |counter: &mut Counter, now| now.since(*counter.time.get_or_insert(now))).as_secs()
    };
    let hours = |hours: u64| std::time::Duration::from_secs(hours * 3600);
    assert_eq!(age(&*clock), 0);
    clock.advance(hours(1));
    for wall in [START + hours(9000), Timestamp::from_millis(1_000_000_000_000), START] {
        clock.jump_to(wall);
        assert_eq!(age(&*clock), 3600, "{wall}");
    }
    // After the next start of the machine the wall clock is all there is.
    struct NextBoot(std::sync::Arc<ManualClock>);
    impl Clock for NextBoot {
        fn now(&self) -> Timestamp {
            self.0.now()
        }
        fn since_boot(&self) -> Option<BootTime> {
            Some(BootTime::new("next".to_owned(), std::time::Duration::ZERO))
        }
    }
    clock.jump_to(START + hours(5));
    assert_eq!(age(&NextBoot(clock.clone())), 6 * 3600);
    clock.jump_to(Timestamp::from_millis(5));
    assert_eq!(age(&NextBoot(clock.clone())), 0);
}
