//! Finds the programs that the tests do not bring along.
//! Installing them is the work of `tests/run`.

use std::path::{Path, PathBuf};

/// Returns a program found in `PATH`, or says how to get it.
pub(crate) fn system(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("`{name}` is not installed: tests/run installs it"))
}

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
