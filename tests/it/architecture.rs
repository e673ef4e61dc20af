//! The source is as `docs/architecture.md` says: the rooms are those of its table, no room uses one that stands above it
//! there, and inside a room no two files need each other. Comments may point anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rooms of the page, from the top down.
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

/// The code of a text, without comments and without the tests at its end.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The names that follow a prefix such as `crate::` in a code, of a list `{a, b::c}` the first part of each.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, found) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        if before.is_alphanumeric() || matches!(before, '_' | '$' | ':') {
            continue;
        }
        let after = &code[at + found.len()..];
        let list = after.strip_prefix('{').map_or_else(Vec::new, |list| {
            let mut depth = 0;
            let end = list.find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth < 0
            });
            list[..end.unwrap()].split(',').map(str::trim).collect()
        });
        for item in if list.is_empty() { vec![after] } else { list } {
            let end = item.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(item.len());
            names.insert(item[..end].to_owned());
        }
    }
    names
}

/// The rooms that a text names in its code, as `crate::ROOM`.
fn used(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
    // `crate::{a, b}` would hide what it names from a search.
    assert!(!code.contains("crate::{"), "one import per room");
    names_after(&code.replace('$', ""), "crate::")
}

/// The files of a room that each of its files needs. A name that the file at the top re-exports counts as the file that has
/// it; what the file at the top itself defines is the vocabulary of the room.
fn needs(room: &str) -> BTreeMap<String, BTreeSet<String>> {
    let folder = root().join("src").join(room);
    let top = [folder.join("mod.rs"), root().join(format!("src/{room}.rs"))].into_iter().find(|path| path.is_file());
    let top = code(&fs::read_to_string(top.unwrap()).unwrap());
    let mut exported = BTreeMap::new();
    for line in top.split(';') {
        let Some((_, path)) = line.split_once("pub use ").or_else(|| line.split_once("pub(crate) use ")) else {
            continue;
        };
        let Some((file, names)) = path.split_once("::") else { continue };
        let names = names.trim_matches(['{', '}']).split(',').map(|name| name.rsplit("::").next().unwrap().trim());
        exported.extend(names.map(|name| (name.to_owned(), file.to_owned())));
    }
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources(&folder).into_iter().filter(|path| !path.to_str().unwrap().contains("tests")) {
        let below = path.strip_prefix(&folder).unwrap();
        let file = Path::new(below.iter().next().unwrap()).file_stem().unwrap().to_str().unwrap().to_owned();
        if file == "mod" {
            continue;
        }
        let code = code(&fs::read_to_string(&path).unwrap());
        let mut named = names_after(&code, &format!("crate::{}::", room.replace('/', "::")));
        named.extend(names_after(&code, &"super::".repeat(below.iter().count())));
        let named = named.into_iter().map(|name| exported.get(&name).cloned().unwrap_or(name));
        needs.entry(file.clone()).or_default().extend(named.filter(|name| *name != file));
    }
    let files: BTreeSet<_> = needs.keys().cloned().collect();
    needs.values_mut().for_each(|needed| needed.retain(|name| files.contains(name)));
    needs
}

/// The circles of a room: `room: a, b` for files that need each other, directly or by way of others.
fn circles(room: &str, needs: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let reached = |file: &str| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![file.to_owned()]);
        while let Some(next) = open.pop() {
            open.extend(needs[&next].iter().filter(|name| reached.insert((*name).clone())).cloned());
        }
        reached
    };
    let reached: BTreeMap<_, _> = needs.keys().map(|file| (file.as_str(), reached(file))).collect();
    let circle = |file: &&str| {
        let members: Vec<&str> =
            reached[file].iter().filter(|other| reached[other.as_str()].contains(*file)).map(String::as_str).collect();
        (!members.is_empty()).then(|| format!("{room}: {}", members.join(", ")))
    };
    reached.keys().filter_map(circle).collect()
}

/// The folders in that of a room, which hold their rules too: `serve/engine`.
fn folders_of(room: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join("src").join(room)).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries.filter(|path| path.is_dir() && path.with_extension("rs").is_file());
    folders.map(|path| format!("{room}/{}", path.file_name().unwrap().to_str().unwrap())).collect()
}

#[test]
fn inside_a_room_no_two_files_need_each_other() {
    let rooms: Vec<_> = map().into_iter().filter(|room| root().join("src").join(room).is_dir()).collect();
    assert!(rooms.len() > 10, "{rooms:?}");
    let folders: Vec<_> = rooms.iter().flat_map(|room| folders_of(room)).collect();
    assert!(folders.iter().any(|folder| folder == "serve/engine"), "{folders:?}");
    let found: BTreeSet<_> = rooms.iter().chain(&folders).flat_map(|room| circles(room, &needs(room))).collect();
    assert!(found.is_empty(), "files that need each other: {found:#?}");
}

#[test]
fn circles_are_found_also_by_way_of_others() {
    let needs = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")];
    let needs = needs.map(|(file, needed)| (file.to_owned(), BTreeSet::from([needed.to_owned()])));
    assert_eq!(circles("room", &BTreeMap::from(needs)), BTreeSet::from(["room: a, b, c".to_owned()]));
    assert_eq!(
        names_after("use super::{a::B, c}; x::super::d(); super::e::f()", "super::"),
        BTreeSet::from(["a", "c", "e"].map(str::to_owned))
    );
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
fn imports_only_go_down_the_map() {
    let map = map();
    let place = |room: &str| map.iter().position(|other| other == room);
    let mut wrong = Vec::new();
    for file in sources(&root().join("src")) {
        let Some(room) = room(&file) else { continue };
        for other in used(&fs::read_to_string(&file).unwrap()) {
            // Names at the top of the crate that are no rooms have no place.
            if other != room && place(&other).is_none_or(|other| Some(other) <= place(&room)) {
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
    assert_eq!(rooms.collect::<Vec<_>>(), map());
}

#[test]
fn imports_are_found_and_comments_are_not() {
    let text = "use crate::name::DnsName;\n//! [`crate::hook`]\nlet x = crate::exit::Exit::Done; // see crate::api\n    /// crate::cli";
    assert_eq!(used(text), BTreeSet::from(["name", "exit", "api"].map(str::to_owned)));
    assert!(used("pub(in crate::api) fn a() {} $crate::sim::x").contains("api"));
}
