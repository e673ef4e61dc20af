use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;

/// Somebody else.
const STRANGER: u32 = 54_321;

/// `top/middle/file`, safe at first.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(tree.path("top/middle")).unwrap();
        fs::write(tree.path("top/middle/file"), "text").unwrap();
        for (path, mode) in [("top", 0o755), ("top/middle", 0o755), ("top/middle/file", 0o644)] {
            tree.mode(path, mode);
        }
        tree
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), Permissions::from_mode(mode)).unwrap();
    }

    /// Gives something away, a link itself and not what it leads to; whether that is possible, as only root can.
    fn give_away(&self, path: &str) -> bool {
        std::os::unix::fs::lchown(self.path(path), Some(STRANGER), None).is_ok()
    }

    /// What is said against `top/middle/file`, or another path.
    fn said(&self, path: &str) -> Option<Exposure> {
        match open(&self.path(path), Readers::Anybody) {
            Ok(_) => None,
            Err(Unusable::Exposed(exposure)) => Some(exposure),
            Err(Unusable::Unreadable(error)) => panic!("{path}: {error}"),
        }
    }
}

#[test]
fn modes_of_the_file_and_the_folders_above_decide() {
    for (path, mode, refused) in [
        ("top/middle/file", 0o600, false),
        ("top/middle/file", 0o444, false),
        ("top/middle/file", 0o664, true),
        ("top/middle/file", 0o646, true),
        ("top/middle", 0o700, false),
        ("top/middle", 0o775, true),
        ("top/middle", 0o757, true),
        ("top/middle", 0o1777, false),
        ("top", 0o777, true),
        ("top", 0o1777, false),
        // With private groups many folders are so; what others put there is theirs, and refused for that.
        ("top", 0o775, false),
    ] {
        let tree = Tree::new();
        tree.mode(path, mode);
        let said = tree.said("top/middle/file");
        assert_eq!(said.is_some(), refused, "{path} {mode:o}: {said:?}");
        if let Some(Exposure { problem, remedy }) = said {
            let path = tree.path(path).display().to_string();
            assert!(problem.contains(&format!("`{path}`")) && problem.contains(&format!("mode {mode:o}")), "{problem}");
            assert_eq!(remedy, format!("run `chmod go-w {path}`"));
        }
    }
}

#[test]
fn a_stranger_may_own_neither_the_file_nor_a_folder_nor_a_link_on_the_way() {
    for path in ["top", "top/middle", "top/middle/file"] {
        let tree = Tree::new();
        symlink("top/middle/../middle", tree.path("link")).unwrap();
        symlink(tree.path("link/file"), tree.path("second")).unwrap();
        assert_eq!([tree.said("top/middle/file"), tree.said("link/file"), tree.said("second")], [None, None, None]);
        if !tree.give_away(path) {
            return;
        }
        for way in ["top/middle/file", "link/file", "second", "top/../second"] {
            let Exposure { problem, remedy } = tree.said(way).unwrap();
            assert!(problem.contains("user 54321") && problem.contains(" mode "), "{problem}");
            assert!(remedy.contains("`chown 0 /") && remedy.contains("run this program as user 54321"), "{remedy}");
        }
    }
    for link in ["link", "second"] {
        let tree = Tree::new();
        symlink("top/middle", tree.path("link")).unwrap();
        symlink(tree.path("link/file"), tree.path("second")).unwrap();
        tree.give_away(link);
        let Exposure { problem, remedy } = tree.said("second").unwrap();
        assert!(
            problem.ends_with("can make it lead elsewhere") && remedy.contains("`chown -h 0 /"),
            "{problem}: {remedy}"
        );
        assert_eq!(tree.said("top/middle/file"), None);
    }
}

#[test]
fn what_belongs_to_root_is_used_by_everybody() {
    assert!(open(Path::new("/etc/passwd"), Readers::Anybody).is_ok());
}

#[test]
fn a_secret_may_not_be_read_by_others_either() {
    let tree = Tree::new();
    for (mode, remedy) in [(0o600, None), (0o400, None), (0o640, Some("chmod 600")), (0o664, Some("chmod 600"))] {
        tree.mode("top/middle/file", mode);
        let said = match open(&tree.path("top/middle/file"), Readers::Owner) {
            Err(Unusable::Exposed(exposure)) => Some(exposure.remedy),
            _ => None,
        };
        assert_eq!(said.is_some(), remedy.is_some(), "{mode:o}");
        assert!(said.unwrap_or_default().contains(remedy.unwrap_or_default()), "{mode:o}");
    }
}

#[test]
fn what_is_not_there_is_no_danger_and_what_is_no_file_is_not_opened() {
    let tree = Tree::new();
    tree.mode("top", 0o777);
    let unreadable = |path: &Path| match open(path, Readers::Anybody) {
        Err(Unusable::Unreadable(error)) => error,
        other => panic!("{}: {other:?}", path.display()),
    };
    assert_eq!(unreadable(&tree.path("top/middle/missing")).kind(), io::ErrorKind::NotFound);
    assert_eq!(unreadable(&tree.path("top/middle/file/below")).kind(), io::ErrorKind::NotADirectory);
    assert!(exposure_of_place(&tree.path("top/missing/file")).is_some(), "what will be there is in danger");
    tree.mode("top", 0o755);
    for path in [tree.path("top"), PathBuf::from("/dev/zero")] {
        assert!(unreadable(&path).to_string().contains("not a regular file"));
    }
    symlink("circle", tree.path("circle")).unwrap();
    assert_eq!(Errno::from_io_error(&unreadable(&tree.path("circle"))), Some(Errno::LOOP));
}
