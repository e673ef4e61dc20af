//! The disk fails: the certificate does not. One warning each, with what to do.

use super::*;
use crate::support::environment::is_root;
use crate::support::skip::skipped;

/// What the directory holds besides the lock.
const FILES: [&str; 3] = ["journal.json", "usage.json", "history.json"];

/// Adds and removes a record; both have to succeed. Returns what the addition said on stderr.
fn add_and_remove(env: &TestEnvironment) -> String {
    let (name, value) = (fresh_name(), value());
    let before = env.sim.records_left().len();
    let said = env.succeed_with_warning(&["present", &name, &value]);
    env.succeed_with_warning(&["cleanup", &name, &value]);
    assert_eq!(env.sim.records_left().len(), before);
    said
}

fn assert_one_warning(said: &str, words: &[&str]) {
    assert_eq!(said.matches("warning[state_").count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn a_directory_that_cannot_be_made_costs_a_warning_with_the_way_out() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_STATE_DIR", "/proc/no/such/place");
    assert_one_warning(&add_and_remove(&env), &["/proc/no/such/place", "hint: set IPV64_STATE_DIR"]);
}

#[test]
fn a_user_without_a_home_is_told_where_to_put_the_directory() {
    let env = TestEnvironment::new();
    let finished = env.run_without_home(&["present", NAME, &value()]);
    assert!(finished.status.success(), "{}", finished.said());
    assert_one_warning(&finished.stderr, &["HOME", "hint: set IPV64_STATE_DIR"]);
}

#[test]
fn damaged_and_future_files_are_set_aside_once() {
    std::thread::scope(|scope| {
        for file in FILES {
            for (content, word) in [("{\"version\": 1, \"cont", "damaged"), ("{\"version\": 99}", "version 99")] {
                scope.spawn(move || {
                    let env = TestEnvironment::new();
                    add_and_remove(&env);
                    std::fs::write(env.path("state").join(file), content).unwrap();
                    assert_one_warning(&add_and_remove(&env), &[file, word, "hint: "]);
                    assert_eq!(add_and_remove(&env), "", "{file}: the warning comes once");
                });
            }
        }
    });
}

#[test]
fn a_huge_file_is_set_aside_once() {
    for file in FILES {
        let env = TestEnvironment::new();
        add_and_remove(&env);
        // A hole takes no room on the disk.
        std::fs::File::options().write(true).open(env.path("state").join(file)).unwrap().set_len(100 << 20).unwrap();
        assert_one_warning(&add_and_remove(&env), &[file, "damaged", "hint: "]);
        assert_eq!(add_and_remove(&env), "", "{file}: the warning comes once");
    }
}

#[test]
fn a_history_that_cannot_be_read_is_told_of_once_and_stops_no_command() {
    let env = TestEnvironment::new();
    for content in ["{\"version\": 99}", "{\"version\": 1, \"content\": {\"calls\": 7}}", "\u{0}", ""] {
        for command in ["history", "status"] {
            add_and_remove(&env);
            std::fs::write(env.path("state/history.json"), content).unwrap();
            assert_one_warning(&env.succeed_with_warning(&[command]), &["history.json", "hint: "]);
            env.succeed(&[command]);
        }
    }
}

#[test]
fn a_directory_of_the_version_before_is_taken_over() {
    let env = TestEnvironment::new();
    let value = value();
    env.succeed(&["present", NAME, &value]);
    let state = env.path("state");
    let mut journal = read_state(&env, "journal.json");
    journal.as_object_mut().unwrap().remove("clock");
    std::fs::write(state.join("journal.json"), journal.to_string()).unwrap();
    std::fs::remove_file(state.join("usage.json")).unwrap();
    for file in ["window.json", "domains.json", "learned.json"] {
        std::fs::write(state.join(file), r#"{"version":1,"content":{}}"#).unwrap();
    }
    assert_eq!(env.succeed(&["cleanup", NAME, &value]), format!("{NAME}: removed\n"));
    assert!(env.sim.records_left().is_empty());
    let mut left: Vec<_> = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["history.json", "journal.json", "lock", "usage.json"]);
}

/// A file system of a few pages of its own, unmounted with the value. Needs root.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(env: &TestEnvironment, options: &str) -> Option<Self> {
        let path = env.path("disk");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path);
        let mounted = is_root() && process::run(&mut mount).status.success();
        if !mounted {
            skipped(&format!("a small disk: needs root to mount a tmpfs ({options})"));
        }
        mounted.then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = process::run(Command::new("umount").arg(&self.0));
    }
}

#[test]
fn a_full_disk_costs_a_warning_and_keeps_the_earlier_entries() {
    let mut env = TestEnvironment::new();
    let Some(disk) = SmallDisk::mount(&env, "size=64k,mode=0700") else { return };
    env.set("IPV64_STATE_DIR", disk.0.to_str().unwrap());
    let first = value();
    env.succeed(&["present", NAME, &first]);
    // Everything that is left goes to somebody else.
    let mut filler = std::fs::File::create(disk.0.join("filler")).unwrap();
    while std::io::Write::write(&mut filler, &[0; 4096]).is_ok_and(|written| written > 0) {}
    drop(filler);
    assert_one_warning(&add_and_remove(&env), &["cannot write", "hint: "]);
    let journal = std::fs::read_to_string(disk.0.join("journal.json")).unwrap();
    assert!(journal.contains(&first), "{journal}");
    std::fs::remove_file(disk.0.join("filler")).unwrap();
    env.succeed(&["cleanup", NAME, &first]);
    assert!(env.sim.records_left().is_empty());
}

#[test]
fn a_read_only_directory_costs_a_warning() {
    let mut env = TestEnvironment::new();
    let Some(disk) = SmallDisk::mount(&env, "ro,size=64k,mode=0700") else { return };
    env.set("IPV64_STATE_DIR", disk.0.to_str().unwrap());
    assert_one_warning(&add_and_remove(&env), &["cannot use the state directory", "hint: set IPV64_STATE_DIR"]);
}

#[test]
fn times_of_the_future_hold_up_nobody() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_RATE", "3/2");
    add_and_remove(&env);
    // As after a clock that ran a year ahead was set right.
    let ahead = Duration::from_secs(366 * 86_400).as_millis() as i64;
    for file in FILES {
        set_clock(&env, file, ahead);
    }
    let start = Instant::now();
    add_and_remove(&env);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// Makes a file as if the wall clock had been set since it was written: so many milliseconds back, it then seems.
pub(super) fn set_clock(env: &TestEnvironment, file: &str, by: i64) {
    let mut value = read_state(env, file);
    shift_times(&mut value, by);
    std::fs::write(env.path("state").join(file), value.to_string()).unwrap();
}

/// Moves every number that is a time of this century, by milliseconds.
fn shift_times(value: &mut Value, by: i64) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| shift_times(item, by)),
        Value::Object(fields) => fields.values_mut().for_each(|field| shift_times(field, by)),
        Value::Number(number) => {
            if let Some(time) = number.as_u64().filter(|time| *time > 1_000_000_000_000) {
                *value = time.saturating_add_signed(by).into();
            }
        }
        _ => {}
    }
}
