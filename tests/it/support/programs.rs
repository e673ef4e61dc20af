//! Finds the programs that the tests run: those of the system, those that `tests/run` installs, and the hook itself.

use std::path::{Path, PathBuf};

pub(crate) use super::installed::system;

/// Returns a program of the Python environment that `tests/run` makes in the target folder.
pub(crate) fn python_environment(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let path = target.join("client-tests/python/bin").join(name);
    assert!(path.is_file(), "`{}` does not exist: tests/run makes it", path.display());
    path
}

/// Returns the hook under test.
pub(crate) fn hook() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_ipv64-acme"))
}
