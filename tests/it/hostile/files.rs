//! A state directory in which somebody else has been: links, pipes and folders in place of files, and folders that others can
//! change. Nothing is read or written through them, and nothing hangs.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::PathBuf;

use super::*;
use crate::support::skip::skipped;

/// Every name that is opened in the directory.
const FILES: [&str; 9] = [
    "lock",
    "journal.json",
    "journal.json.new",
    "history.json",
    "history.json.new",
    "usage.json",
    "usage.json.new",
    // Deleted when met.
    "window.json",
    "learned.json.new",
];

const PRECIOUS: &str = "precious";

/// Makes what stands in place of a file.
type Trap = fn(&TestEnvironment, &Path);

const TRAPS: [(&str, Trap); 6] = [
    ("a link to a file", |env, path| symlink(env.path("precious"), path).unwrap()),
    ("a link to nothing", |env, path| symlink(env.path("nothing"), path).unwrap()),
    ("a second name of a file", |env, path| fs::hard_link(env.path("precious"), path).unwrap()),
    ("a folder", |_, path| fs::create_dir(path).unwrap()),
    ("a pipe", |env, path| {
        assert!(process::run(env.command("mkfifo").arg(path)).status.success());
    }),
    ("a socket", |_, path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
];

/// Makes the state directory as the program would.
fn state_directory(env: &TestEnvironment) -> PathBuf {
    let path = env.path("state");
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[test]
fn nothing_is_written_through_what_stands_in_place_of_a_file() {
    std::thread::scope(|scope| {
        for (trap, set) in TRAPS {
            scope.spawn(move || {
                let env = hasty();
                for file in FILES {
                    check_trap(&env, file, set, &format!("{trap} as {file}"));
                }
            });
        }
    });
}

fn check_trap(env: &TestEnvironment, file: &str, set: Trap, context: &str) {
    let directory = state_directory(env);
    let precious = env.path("precious");
    fs::write(&precious, PRECIOUS).unwrap();
    fs::set_permissions(&precious, fs::Permissions::from_mode(0o644)).unwrap();
    set(env, &directory.join(file));
    let finished = env.run(&["present", NAME, VALUE]);
    assert_eq!(finished.status.code(), Some(0), "{context}: {}", finished.said());
    assert_can_be_removed(env, VALUE, context);
    assert_eq!(fs::read_to_string(&precious).unwrap(), PRECIOUS, "{context}");
    assert_eq!(fs::metadata(&precious).unwrap().mode() & 0o777, 0o644, "{context}");
    assert!(!env.path("nothing").exists(), "{context}");
}

/// A directory is left untouched, and the hook goes on in memory, with one warning.
fn assert_not_used(env: &TestEnvironment, directory: &Path, words: &str) {
    let finished = env.run(&["--state-dir", directory.to_str().unwrap(), "present", NAME, VALUE]);
    assert_eq!(finished.status.code(), Some(0), "{words}: {}", finished.said());
    assert_eq!(finished.stderr.matches("warning[state_").count(), 1, "{words}: {}", finished.said());
    assert!(finished.stderr.contains(words) && finished.stderr.contains("hint: "), "{words}: {}", finished.said());
    let left = fs::read_dir(directory).unwrap().count();
    assert_eq!(left, 0, "{words}");
    assert_can_be_removed(env, VALUE, words);
}

#[test]
fn a_directory_that_others_can_change_is_not_used() {
    let env = hasty();
    let directory = env.path("parent/state");
    fs::create_dir_all(&directory).unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o777, 0o770, 0o702] {
        set(&directory, mode);
        assert_not_used(&env, &directory, "others may write to it");
    }
    set(&directory, 0o700);
    set(&env.path("parent"), 0o777);
    assert_not_used(&env, &directory, "others can put another in its place");
    set(&env.path("parent"), 0o755);
    let link = env.path("link");
    symlink(env.path("nothing"), &link).unwrap();
    let finished = env.run(&["--state-dir", link.to_str().unwrap(), "present", NAME, VALUE]);
    assert!(finished.status.success() && finished.stderr.contains("cannot use"), "{}", finished.said());
    assert!(!env.path("nothing").exists());
    assert_can_be_removed(&env, VALUE, "a link to nothing");
}

#[test]
fn a_directory_of_another_user_is_not_used() {
    let env = hasty();
    let directory = env.path("parent/state");
    fs::create_dir_all(&directory).unwrap();
    let us = fs::metadata(&directory).unwrap().uid();
    if chown(&directory, Some(us + 1), None).is_err() {
        return skipped("a state directory of another user: only root can give one away");
    }
    assert_not_used(&env, &directory, "belongs to user");
    chown(&directory, Some(us), None).unwrap();
    chown(env.path("parent"), Some(us + 1), None).unwrap();
    assert_not_used(&env, &directory, "others can put another in its place");
}

#[test]
fn no_umask_opens_or_closes_the_files() {
    for umask in ["000", "022", "077"] {
        let env = hasty();
        let finished = shell(&env, &format!("umask {umask}; ipv64-acme present {NAME} {VALUE}"));
        assert!(finished.status.success() && finished.stderr.is_empty(), "{umask}: {}", finished.said());
        let state = env.path("state");
        assert_eq!(fs::metadata(&state).unwrap().mode() & 0o777, 0o700, "{umask}");
        for (path, _) in contents(&state) {
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "{umask}: {}", path.display());
        }
    }
}
