//! `completions` and `man`: prints or writes what [`crate::manual`] makes.

use std::fs;
use std::path::Path;

use clap_complete::Shell;
use serde_json::json;

use crate::cli::definition;
use crate::error::{Context as _, Result};
use crate::excerpt::{visible, visible_path};
use crate::exit::Exit;
use crate::manual;
use crate::report::Report;

/// `completions`
pub(super) fn completions(shell: Shell, report: Report) -> Exit {
    let text = manual::completions(shell, &definition());
    report.line(text.trim_end());
    report.document(&json!({ "completions": text }));
    Exit::Done
}

/// `man`
pub(super) fn man(folder: Option<&Path>, report: Report) -> Result<Exit> {
    let pages = manual::pages(definition())?;
    let Some(folder) = folder else {
        let page = pages.first().map_or("", |(_, page)| page);
        report.line(page.trim_end());
        report.document(&json!({ "page": page }));
        return Ok(Exit::Done);
    };
    let files = write(folder, &pages)?;
    for file in &files {
        report.line(&visible(file));
    }
    report.document(&json!({ "files": files }));
    Ok(Exit::Done)
}

fn write(folder: &Path, pages: &[(String, String)]) -> Result<Vec<String>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", visible_path(folder)))?;
    let mut files = Vec::new();
    for (name, page) in pages {
        let path = folder.join(name);
        fs::write(&path, page).with_context(|| format!("cannot write `{}`", visible_path(&path)))?;
        files.push(path.display().to_string());
    }
    Ok(files)
}
