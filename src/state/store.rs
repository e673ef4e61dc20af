//! Documents: values with a format version, one per file, read and changed under the lock.
//! Where the disk fails, memory takes over; what the documents say is the business of the rooms above.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;

use super::directory::{Durability, Locked, StateDir};
use super::error::StateError;

/// What one file holds.
pub(super) trait Document: Default + serde::Serialize + DeserializeOwned {
    /// The name of the file.
    const FILE: &'static str;
    /// Raised when an older program could no longer read the file rightly; new optional fields do not raise it.
    const VERSION: u64 = 1;
    /// How well a change must survive a power cut unless the caller asks for more.
    const DURABILITY: Durability = Durability::Casual;
}

/// The documents of one state directory, or of no directory at all.
#[derive(Debug)]
pub(super) struct Store {
    directory: Option<StateDir>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Documents whose file could not be used, as text. Once here, a document stays here: the file may since have
    /// been changed by others, and two truths cannot be merged.
    memory: BTreeMap<&'static str, String>,
    warnings: Vec<StateError>,
    /// What is wrong with the directory as a whole was said once; saying it for each file helps nobody.
    disk_complained: bool,
    /// How to go on without the lock, once it could not be had: asking again would mean waiting again.
    without_lock: Option<Access>,
}

/// What may be done to the files during one update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// All.
    Full,
    /// Look only: the lock is stuck.
    Look,
    /// There are no files.
    Memory,
}

#[derive(serde::Deserialize)]
struct Head {
    version: u64,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Envelope<T> {
    version: u64,
    content: T,
}

impl Store {
    /// Uses the directory if it can be used; otherwise keeps the reason as the first warning.
    pub(super) fn open(path: &Path) -> Self {
        match StateDir::open(path) {
            Ok(directory) => Self { directory: Some(directory), inner: Mutex::default() },
            Err(error) => {
                let store = Self::in_memory();
                store.inner().warnings.push(error);
                store
            }
        }
    }

    /// Keeps everything in memory.
    pub(super) fn in_memory() -> Self {
        Self { directory: None, inner: Mutex::default() }
    }

    /// Keeps everything in memory, and that no directory is known as the first warning.
    pub(super) fn without_place() -> Self {
        let store = Self::in_memory();
        store.inner().warnings.push(StateError::NoPlace);
        store
    }

    pub(super) fn directory(&self) -> Option<&StateDir> {
        self.directory.as_ref()
    }

    pub(super) fn take_warnings(&self) -> Vec<StateError> {
        std::mem::take(&mut self.inner().warnings)
    }

    /// Reads a document, lets `change` change it, and writes it back if it did. One at a time over all threads
    /// and processes. Never fails: where the file cannot be used, memory takes over and a warning is kept.
    pub(super) fn update<T: Document, R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        self.update_with(T::DURABILITY, change)
    }

    /// The same, for a change that has to survive more than usual.
    pub(super) fn update_with<T: Document, R>(&self, durability: Durability, change: impl FnOnce(&mut T) -> R) -> R {
        let mut turn = self.begin::<T>();
        let result = change(&mut turn.document);
        turn.end(durability);
        result
    }

    /// Waits for the turn to change a document. Apart from [`Self::update_with`], which is compiled for every change.
    fn begin<T: Document>(&self) -> Turn<'_, T> {
        let mut inner = self.inner();
        let (access, lock) = self.lock(&mut inner);
        let (before, document) = self.load::<T>(&mut inner).unwrap_or_default();
        let directory = self.directory.as_ref().filter(|_| access == Access::Full);
        Turn { document, before, directory, _lock: lock, inner }
    }

    /// Takes the lock of the directory, if there is one to be had.
    fn lock(&self, inner: &mut Inner) -> (Access, Option<Locked>) {
        let Some(directory) = self.directory.as_ref() else { return (Access::Memory, None) };
        if let Some(access) = inner.without_lock {
            return (access, None);
        }
        let error = match directory.lock() {
            Ok(lock) => return (Access::Full, Some(lock)),
            Err(error) => error,
        };
        // Without locks two processes may lose a change of each other; without files they surely would.
        let access = if matches!(error, StateError::NoLocks(_)) { Access::Full } else { Access::Look };
        inner.without_lock = Some(access);
        inner.warnings.push(error);
        (access, None)
    }

    /// Returns a document and its text, after setting aside a file that makes no sense.
    fn load<T: Document>(&self, inner: &mut Inner) -> Option<(String, T)> {
        if let Some(text) = inner.memory.get(T::FILE) {
            return parse(text).ok().map(|document| (text.clone(), document));
        }
        let directory = self.directory.as_ref()?;
        let set_aside = |word| directory.set_aside(T::FILE, word);
        let path = directory.file(T::FILE);
        let warning = match directory.read(T::FILE).map(|text| text.map(|text| (parse(&text), text))) {
            Ok(None) => return None,
            Ok(Some((Ok(document), text))) => return Some((text, document)),
            Ok(Some((Err(Problem::Damaged), _))) => {
                set_aside("damaged").map(|aside| StateError::Damaged { path, aside })
            }
            Ok(Some((Err(Problem::Version(version)), _))) => {
                set_aside("unknown").map(|aside| StateError::UnknownVersion { path, aside, version })
            }
            Err(error) => Err(error),
        };
        let warning = warning.unwrap_or_else(|error| {
            // What could neither be read nor moved must not be overwritten either.
            inner.memory.insert(T::FILE, String::new());
            error
        });
        inner.warnings.push(warning);
        None
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere left the maps whole: every change to them is one insert.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One change of a document, while nobody else changes any.
struct Turn<'a, T> {
    document: T,
    /// The text that it was read from.
    before: String,
    /// Where it may be written to.
    directory: Option<&'a StateDir>,
    _lock: Option<Locked>,
    inner: MutexGuard<'a, Inner>,
}

impl<T: Document> Turn<'_, T> {
    /// Writes the document back if it was changed.
    fn end(mut self, durability: Durability) {
        if let Ok(after) = serde_json::to_string(&Envelope { version: T::VERSION, content: &self.document })
            && after != self.before
        {
            self.inner.save::<T>(self.directory, after, durability);
        }
    }
}

impl Inner {
    /// Replaces the file of a document, or keeps the text in memory if there is none or that fails.
    fn save<T: Document>(&mut self, directory: Option<&StateDir>, text: String, durability: Durability) {
        let directory = directory.filter(|_| !self.memory.contains_key(T::FILE));
        match directory.map(|directory| directory.replace(T::FILE, &text, durability)) {
            Some(Ok(())) => return,
            Some(Err(error)) if !self.disk_complained => {
                self.disk_complained = true;
                self.warnings.push(error);
            }
            _ => {}
        }
        self.memory.insert(T::FILE, text);
    }
}

/// Why a text is not the document that was expected.
enum Problem {
    Damaged,
    Version(u64),
}

fn parse<T: Document>(text: &str) -> Result<T, Problem> {
    // Bytes, as the API's answers: one JSON reader in the program, not two.
    let json = text.as_bytes();
    let head: Head = serde_json::from_slice(json).map_err(|_| Problem::Damaged)?;
    if head.version != T::VERSION {
        return Err(Problem::Version(head.version));
    }
    serde_json::from_slice::<Envelope<T>>(json).map(|envelope| envelope.content).map_err(|_| Problem::Damaged)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[derive(Default, serde::Serialize, serde::Deserialize)]
    struct Counter {
        count: u64,
    }

    impl Document for Counter {
        const FILE: &'static str = "counter.json";
        const VERSION: u64 = 3;
    }

    fn add_one(store: &Store) -> u64 {
        store.update(|counter: &mut Counter| {
            counter.count += 1;
            counter.count
        })
    }

    #[test]
    fn a_document_outlives_its_store() {
        let temp = tempfile::tempdir().unwrap();
        assert_eq!(add_one(&Store::open(temp.path())), 1);
        assert_eq!(add_one(&Store::open(temp.path())), 2);
        let text = fs::read_to_string(temp.path().join("counter.json")).unwrap();
        assert_eq!(text, r#"{"version":3,"content":{"count":2}}"#);
    }

    #[test]
    fn reading_does_not_write() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(temp.path());
        add_one(&store);
        let path = temp.path().join("counter.json");
        let before = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap());
        store.update(|_: &mut Counter| ());
        assert_eq!(std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap()), before);
    }

    #[test]
    fn no_change_of_another_thread_or_store_is_lost() {
        let temp = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let store = Store::open(temp.path());
                    (0..25).for_each(|_| drop(add_one(&store).to_string()));
                    assert!(store.take_warnings().is_empty());
                });
            }
        });
        assert_eq!(add_one(&Store::open(temp.path())), 201);
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_the_work_goes_on() {
        for content in
            ["", "{", "null", "[]", "\u{0}\u{0}", r#"{"version":3,"content":{"count":-1}}"#, r#"{"count":1}"#]
        {
            let temp = tempfile::tempdir().unwrap();
            fs::write(temp.path().join("counter.json"), content).unwrap();
            let store = Store::open(temp.path());
            assert_eq!(add_one(&store), 1, "{content:?}");
            let warnings = store.take_warnings();
            let [StateError::Damaged { aside, .. }] = warnings.as_slice() else { panic!("{content:?}: {warnings:?}") };
            assert_eq!(fs::read_to_string(aside).unwrap(), content);
            assert_eq!(add_one(&Store::open(temp.path())), 2);
        }
    }

    #[test]
    fn a_file_of_a_later_version_is_set_aside_whatever_it_holds() {
        let temp = tempfile::tempdir().unwrap();
        let content = r#"{"version":4,"records":["all is different here"]}"#;
        fs::write(temp.path().join("counter.json"), content).unwrap();
        let store = Store::open(temp.path());
        assert_eq!(add_one(&store), 1);
        let warnings = store.take_warnings();
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].to_string().contains("counter.json` has format version 4, unknown here"),
            "{}",
            warnings[0]
        );
    }

    #[test]
    fn a_file_that_is_no_text_or_far_too_long_counts_as_damaged() {
        for content in [b"\xff\xfe\x00".to_vec(), vec![b' '; (16 << 20) + 1]] {
            let temp = tempfile::tempdir().unwrap();
            fs::write(temp.path().join("counter.json"), content).unwrap();
            let store = Store::open(temp.path());
            assert_eq!(add_one(&store), 1);
            assert!(matches!(store.take_warnings().as_slice(), [StateError::Damaged { .. }]));
        }
    }

    #[test]
    fn without_a_directory_memory_does_the_work_after_one_warning() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = Store::open(file.path());
        assert_eq!((add_one(&store), add_one(&store)), (1, 2));
        assert!(matches!(store.take_warnings().as_slice(), [StateError::Directory { .. }]));
        assert!(store.take_warnings().is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_replaced_goes_on_in_memory_and_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::open(temp.path());
        assert_eq!(add_one(&store), 1);
        // A folder in the place of the draft: neither removed nor written to, by root either.
        fs::create_dir(temp.path().join("counter.json.new")).unwrap();
        assert_eq!((add_one(&store), add_one(&store)), (2, 3));
        assert!(matches!(store.take_warnings().as_slice(), [StateError::File { action: "write", .. }]));
        assert_eq!(
            fs::read_to_string(temp.path().join("counter.json")).unwrap(),
            r#"{"version":3,"content":{"count":1}}"#
        );
    }

    #[test]
    fn a_symbolic_link_is_left_alone_and_memory_does_the_work() {
        let temp = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/null", temp.path().join("counter.json")).unwrap();
        let store = Store::open(temp.path());
        assert_eq!((add_one(&store), add_one(&store)), (1, 2));
        assert!(matches!(store.take_warnings().as_slice(), [StateError::NotAFile(_)]));
    }
}
