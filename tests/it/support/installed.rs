//! Finds the programs of the system. Installing them is the work of `tests/run`. It knows nothing of the tests, so that the
//! comparison in `tests/figures` can share it.

use std::path::PathBuf;

/// Returns a program found in `PATH`, or says how to get it.
pub(crate) fn system(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("`{name}` is not installed: tests/run installs it"))
}
