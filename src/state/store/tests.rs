use std::fs;

use super::super::tests::*;
use super::*;
use crate::time::{BootTime, ManualClock};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Counter {
    count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
}

impl Document for Counter {
    const FILE: &'static str = "counter.json";
    const SYNCED: bool = false;

    fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp)) {
        self.time.iter_mut().for_each(change);
    }
}

fn add_one(state: &State) -> u64 {
    state.update(|counter: &mut Counter, _| {
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
    assert_eq!(add_one(&open(temp.path())), 1);
    assert_eq!(add_one(&open(temp.path())), 2);
    assert_eq!(content(temp.path()), r#""content":{"count":2}}"#);
}

#[test]
fn reading_does_not_write() {
    let temp = tempfile::tempdir().unwrap();
    let state = open(temp.path());
    add_one(&state);
    let path = temp.path().join("counter.json");
    let before = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap());
    state.update(|_: &mut Counter, _| ());
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap()), before);
}

#[test]
fn no_change_of_another_thread_or_store_is_lost() {
    let temp = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let state = open(temp.path());
                (0..25).for_each(|_| drop(add_one(&state).to_string()));
                assert!(state.take_warnings().is_empty());
            });
        }
    });
    assert_eq!(add_one(&open(temp.path())), 201);
}

#[test]
fn a_damaged_file_is_set_aside_and_the_work_goes_on() {
    for content in ["", "{", "null", "[]", "\u{0}\u{0}", r#"{"version":1,"content":{"count":-1}}"#, r#"{"count":1}"#] {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("counter.json"), content).unwrap();
        let state = open(temp.path());
        assert_eq!(add_one(&state), 1, "{content:?}");
        let warnings = state.take_warnings();
        let [StateError::SetAside { aside, .. }] = warnings.as_slice() else { panic!("{content:?}: {warnings:?}") };
        assert_eq!(fs::read_to_string(aside).unwrap(), content);
        assert_eq!(add_one(&open(temp.path())), 2);
    }
}

#[test]
fn a_file_of_a_later_version_is_set_aside_whatever_it_holds() {
    let temp = tempfile::tempdir().unwrap();
    let content = r#"{"version":2,"records":["all is different here"]}"#;
    fs::write(temp.path().join("counter.json"), content).unwrap();
    let state = open(temp.path());
    assert_eq!(add_one(&state), 1);
    let warnings = state.take_warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].to_string().contains("counter.json` has format version 2, unknown here"), "{}", warnings[0]);
}

#[test]
fn a_file_that_is_no_text_or_far_too_long_counts_as_damaged() {
    for content in [b"\xff\xfe\x00".to_vec(), vec![b' '; (16 << 20) + 1]] {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("counter.json"), content).unwrap();
        let state = open(temp.path());
        assert_eq!(add_one(&state), 1);
        assert!(matches!(state.take_warnings().as_slice(), [StateError::SetAside { .. }]));
    }
}

#[test]
fn without_a_directory_memory_does_the_work_after_one_warning() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let state = open(file.path());
    assert_eq!((add_one(&state), add_one(&state)), (1, 2));
    assert!(matches!(state.take_warnings().as_slice(), [StateError::Directory { .. }]));
    assert!(state.take_warnings().is_empty());
}

#[test]
fn a_file_that_cannot_be_replaced_goes_on_in_memory_and_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let state = open(temp.path());
    assert_eq!(add_one(&state), 1);
    // A folder in the place of the draft: neither removed nor written to, by root either.
    fs::create_dir(temp.path().join("counter.json.new")).unwrap();
    assert_eq!((add_one(&state), add_one(&state)), (2, 3));
    assert!(matches!(state.take_warnings().as_slice(), [StateError::File("write", ..)]));
    assert_eq!(content(temp.path()), r#""content":{"count":1}}"#);
}

#[test]
fn a_symbolic_link_is_left_alone_and_memory_does_the_work() {
    let temp = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/null", temp.path().join("counter.json")).unwrap();
    let state = open(temp.path());
    assert_eq!((add_one(&state), add_one(&state)), (1, 2));
    assert!(matches!(state.take_warnings().as_slice(), [StateError::Unsafe { .. }]));
}

#[test]
fn times_move_along_with_a_wall_clock_that_is_set_and_none_is_of_the_future() {
    let (state, clock) = in_memory();
    let age = |state: &State| {
        state.update(|counter: &mut Counter, now| now.since(*counter.time.get_or_insert(now))).as_secs()
    };
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    assert_eq!(age(&state), 0);
    clock.advance(hours(1));
    for wall in [NOW + hours(9000), Timestamp::from_millis(1_000_000_000_000), NOW] {
        clock.jump_to(wall);
        assert_eq!(age(&state), 3600, "{wall}");
    }
    // After the next start of the machine the wall clock is all there is.
    struct NextBoot(Arc<ManualClock>);
    impl Clock for NextBoot {
        fn now(&self) -> Timestamp {
            self.0.now()
        }
        fn since_boot(&self) -> Option<BootTime> {
            Some(BootTime { id: "next".to_owned(), ms: 0 })
        }
    }
    let state = state.with_clock(Arc::new(NextBoot(clock.clone())));
    clock.jump_to(NOW + hours(5));
    assert_eq!(age(&state), 6 * 3600);
    clock.jump_to(Timestamp::from_millis(5));
    assert_eq!(age(&state), 0);
}

#[test]
fn what_memory_has_kept_returns_to_a_disk_that_works_again() {
    let temp = tempfile::tempdir().unwrap();
    for stands_in in ["counter.json.new", "lock"] {
        let (blocked, clock) = (temp.path().join(stands_in), ManualClock::at(NOW));
        let state = open_at(temp.path(), clock.clone());
        let first = add_one(&state);
        fs::remove_file(&blocked).ok();
        fs::create_dir(&blocked).unwrap();
        assert_eq!(
            (add_one(&state), add_one(&state), state.is_on_disk()),
            (first + 1, first + 2, false),
            "{stands_in}"
        );
        clock.advance(DISK_PAUSE);
        assert_eq!((add_one(&state), state.is_on_disk()), (first + 3, false), "{stands_in}: it has not changed");
        assert_eq!(state.take_warnings().len(), 1, "{stands_in}: told once");
        fs::remove_dir(&blocked).unwrap();
        assert_eq!((add_one(&state), state.is_on_disk()), (first + 4, false), "{stands_in}: too soon");
        clock.advance(DISK_PAUSE);
        assert_eq!((add_one(&state), state.is_on_disk()), (first + 5, true), "{stands_in}");
        assert_eq!(content(temp.path()), format!(r#""content":{{"count":{}}}}}"#, first + 5));
        assert!(state.take_warnings().is_empty());
    }
}

/// What stands there cannot be understood, and may be worth more than what memory has.
#[test]
fn what_memory_has_kept_does_not_overwrite_a_file_that_makes_no_sense() {
    let temp = tempfile::tempdir().unwrap();
    let (blocked, clock) = (temp.path().join("counter.json.new"), ManualClock::at(NOW));
    let state = open_at(temp.path(), clock.clone());
    fs::create_dir(&blocked).unwrap();
    assert_eq!((add_one(&state), state.is_on_disk()), (1, false));
    fs::write(temp.path().join("counter.json"), "damaged").unwrap();
    fs::remove_dir(&blocked).unwrap();
    assert_eq!(state.take_warnings().len(), 1);
    clock.advance(DISK_PAUSE);
    assert_eq!((add_one(&state), state.is_on_disk()), (2, true));
    let told = state.take_warnings();
    let [StateError::SetAside { aside, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(fs::read_to_string(aside).unwrap(), "damaged");
}
