use std::os::unix::fs::MetadataExt;

use rustix::process::geteuid;

use super::*;
use crate::error::Explain;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn is_made_with_its_parents_for_this_user_alone() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a/b");
    StateDir::open(&path).unwrap();
    assert_eq!((mode(&path), mode(&path.join(LOCK))), (0o700, 0o600));
    StateDir::open(&path).unwrap();
    let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [LOCK]);
}

#[test]
fn files_of_earlier_versions_go_and_others_stay() {
    let temp = tempfile::tempdir().unwrap();
    for name in ["window.json", "domains.json", "learned.json", "learned.json.new", "journal.json", "other"] {
        fs::write(temp.path().join(name), "").unwrap();
    }
    StateDir::open(temp.path()).unwrap();
    let mut left: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["journal.json", "lock", "other"]);
}

#[test]
fn a_file_that_others_have_made_or_may_write_to_is_neither_read_nor_replaced() {
    let temp = tempfile::tempdir().unwrap();
    let directory = StateDir::open(temp.path()).unwrap();
    let path = temp.path().join("f.json");
    let refused = || {
        let error = directory.read("f.json").unwrap_err();
        assert!(error.to_string().contains(" mode "), "{error}");
        assert_eq!(error.kind(), "state_unsafe");
        assert!(directory.replace("f.json", "x", false).is_err());
    };
    fs::write(&path, "theirs").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    refused();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(directory.read("f.json").unwrap().as_deref(), Some("theirs"));
    // Only root can give a file away.
    if std::os::unix::fs::chown(&path, Some(geteuid().as_raw() + 54_321), None).is_ok() {
        refused();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
}

#[test]
fn one_that_others_may_read_is_used_and_one_that_they_may_write_is_not() {
    let temp = tempfile::tempdir().unwrap();
    fs::set_permissions(temp.path(), Permissions::from_mode(0o755)).unwrap();
    assert!(StateDir::open(temp.path()).is_ok(), "systemd makes StateDirectory= with mode 0755");
    for mode in [0o770, 0o707, 0o777] {
        fs::set_permissions(temp.path(), Permissions::from_mode(mode)).unwrap();
        let error = StateDir::open(temp.path()).unwrap_err();
        assert!(error.to_string().ends_with(&format!("has mode {mode:03o}: others may write to it")), "{error}");
        assert_eq!(
            error.hint().unwrap(),
            format!("this run continues without it; run `chmod go-w {}`", temp.path().display())
        );
    }
}

#[test]
fn one_that_others_can_replace_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let (parent, elsewhere) = (temp.path().join("parent"), temp.path().join("elsewhere"));
    StateDir::open(&parent.join("state")).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    let link = elsewhere.join("link");
    std::os::unix::fs::symlink(parent.join("state"), &link).unwrap();
    for (folder, mode, accepted) in
        [(&parent, 0o775, true), (&parent, 0o1777, true), (&parent, 0o777, false), (&elsewhere, 0o757, false)]
    {
        fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
        let opened = StateDir::open(&link);
        assert_eq!(opened.is_ok(), accepted, "{mode:o}: {opened:?}");
        if let Err(error) = opened {
            let text = error.to_string();
            assert!(text.contains(&format!("lies in `{}`", folder.display())), "{text}");
            assert!(text.ends_with("where others can put another in its place"), "{text}");
            assert_eq!(error.kind(), "state_unsafe");
        }
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn one_that_cannot_be_made_is_an_error_with_a_way_out() {
    // Root ignores modes, so a directory without write permission would prove nothing.
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in [file.path().to_owned(), file.path().join("below/a/file")] {
        let error = StateDir::open(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot use the state directory `{}`", path.display()));
        assert_eq!(error.kind(), "state_unusable");
        assert!(error.hint().unwrap().starts_with("set IPV64_STATE_DIR"), "{error:?}");
        assert_eq!(error.details().len(), 1);
    }
}

#[test]
fn a_symbolic_link_in_place_of_a_file_is_neither_read_nor_written() {
    let temp = tempfile::tempdir().unwrap();
    let target = temp.path().join("target");
    fs::write(&target, "precious").unwrap();
    let path = temp.path().join("state");
    let directory = StateDir::open(&path).unwrap();
    std::os::unix::fs::symlink(&target, path.join("f.json")).unwrap();
    std::os::unix::fs::symlink(&target, path.join("g.json.new")).unwrap();
    assert!(matches!(directory.read("f.json"), Err(StateError::Unsafe { .. })));
    assert!(matches!(directory.replace("f.json", "x", false), Err(StateError::Unsafe { .. })));
    directory.replace("g.json", "x", true).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    fs::remove_file(path.join(LOCK)).unwrap();
    std::os::unix::fs::symlink(&target, path.join(LOCK)).unwrap();
    assert!(matches!(StateDir::open(&path), Err(StateError::Unsafe { .. })));
}

#[test]
fn a_directory_behind_a_symbolic_link_is_used() {
    // systemd's DynamicUser= makes /var/lib/NAME a link to private/NAME.
    let temp = tempfile::tempdir().unwrap();
    let link = temp.path().join("link");
    std::os::unix::fs::symlink(temp.path().join("real"), &link).unwrap();
    StateDir::open(&temp.path().join("real")).unwrap();
    assert!(StateDir::open(&link).is_ok());
}

#[test]
fn the_draft_of_a_killed_process_is_in_nobodys_way() {
    let temp = tempfile::tempdir().unwrap();
    let directory = StateDir::open(temp.path()).unwrap();
    fs::write(temp.path().join("f.json.new"), "half of").unwrap();
    directory.replace("f.json", "whole", true).unwrap();
    assert_eq!(directory.read("f.json").unwrap().unwrap(), "whole");
    assert!(!temp.path().join("f.json.new").exists());
    assert_eq!(mode(&temp.path().join("f.json")), 0o600);
}

#[test]
fn only_one_holds_the_lock_even_in_one_process() {
    let temp = tempfile::tempdir().unwrap();
    let directory = StateDir::open(temp.path()).unwrap();
    let lock = directory.lock().unwrap();
    let other = directory.clone();
    let waiter = std::thread::spawn(move || other.lock().map(|_| Instant::now()));
    std::thread::sleep(Duration::from_millis(50));
    let freed = Instant::now();
    drop(lock);
    assert!(waiter.join().unwrap().unwrap() >= freed);
}

#[test]
fn a_file_system_without_locks_is_told_from_a_lock_that_cannot_be_had() {
    for (error, expected) in [(Errno::NOLCK, true), (Errno::NOSYS, true), (Errno::OPNOTSUPP, true), (Errno::IO, false)]
    {
        assert_eq!(means_no_locks(&error.into()), expected, "{error}");
    }
}

#[test]
fn control_characters_of_a_path_do_not_reach_the_terminal() {
    let error = StateDir::open(Path::new("/dev/null/\u{1b}[31m")).unwrap_err();
    assert!(error.to_string().contains("\\u{1b}[31m"), "{error}");
}
