//! The source is as `docs/architecture.md` says: the rooms are those of its table, and no room uses one that stands below it
//! there. Comments may point anywhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rooms of the page, from the bottom up.
fn map() -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("The rooms\n")).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(room, _)| room.to_owned()).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// The room of a file: the first part of its path, without an ending. The two at the top belong to none.
fn room(file: &Path) -> Option<String> {
    let first = file.strip_prefix(root().join("src")).unwrap().iter().next().unwrap();
    let room = Path::new(first).file_stem().unwrap().to_str().unwrap();
    (!matches!(room, "lib" | "main")).then(|| room.to_owned())
}

/// The rooms that a text names in its code, as `crate::ROOM`.
fn used(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).fold(String::new(), |mut code, line| {
            code.push_str(line);
            code.push('\n');
            code
        });
    let mut used = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        let after = &code[at + found.len()..];
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        if !before.is_alphanumeric() && before != '_' && before != '$' {
            // `crate::{a, b}` would hide what it names from this test and from a search.
            assert_ne!(end, 0, "one import per room: {}", after.lines().next().unwrap());
            used.insert(after[..end].to_owned());
        }
    }
    used
}

#[test]
fn the_map_has_every_room_once() {
    let map = map();
    let listed: BTreeSet<_> = map.iter().cloned().collect();
    assert_eq!(listed.len(), map.len(), "a room stands there twice: {map:?}");
    let there: BTreeSet<_> = sources(&root().join("src")).iter().filter_map(|file| room(file)).collect();
    assert_eq!(listed, there);
}

#[test]
fn imports_only_go_up_the_map() {
    let map = map();
    let place = |room: &str| map.iter().position(|other| other == room);
    let mut wrong = Vec::new();
    for file in sources(&root().join("src")) {
        let Some(room) = room(&file) else { continue };
        for other in used(&fs::read_to_string(&file).unwrap()) {
            // Names at the top of the crate that are no rooms have no place.
            if other != room && place(&other).is_none_or(|other| Some(other) >= place(&room)) {
                wrong.push(format!("{}: {room} uses {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_crate_lists_its_rooms_in_the_order_of_the_map() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("//! - ")?.split_once(": "));
    let rooms =
        lines.flat_map(|(names, _)| names.split(", ").map(|name| name.trim_matches(['[', ']', '`']).to_owned()));
    let mut map = map();
    map.reverse();
    assert_eq!(rooms.collect::<Vec<_>>(), map);
}

#[test]
fn imports_are_found_and_comments_are_not() {
    let text = "use crate::name::DnsName;\n//! [`crate::hook`]\nlet x = crate::exit::Exit::Done; // see crate::api\n    /// crate::cli";
    assert_eq!(used(text), BTreeSet::from(["name", "exit", "api"].map(str::to_owned)));
    assert!(used("pub(in crate::api) fn a() {} $crate::sim::x").contains("api"));
}
