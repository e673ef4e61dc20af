//! `config`: every setting in force, and where it comes from. The key is named by its place only.

use serde::Serialize;
use serde_json::json;

use super::Invocation;
use crate::error::Result;
use crate::excerpt::visible_path;
use crate::exit::Exit;
use crate::report::Table;
use crate::secret::MASK;
use crate::settings::{Origin, Setting, Settings, Sources, key};

/// Shows all settings, and then fails if one of them cannot be used.
pub(super) fn run(call: &Invocation<'_>) -> Result<Exit> {
    let report = call.report;
    let sources = call.sources()?;
    let file = sources.file.as_ref();
    let (_, place) = key::describe_place(&sources);
    let name = if sources.find(Setting::Broker).is_some() { "broker_token" } else { "api_key" };
    let key = Row {
        name: name.to_owned(),
        value: place.as_ref().map(|_| MASK.to_owned()),
        origin: place.unwrap_or_else(|| "nowhere".to_owned()),
    };
    let settings = Setting::ALL.map(|setting| row(setting, &sources));
    let mut table = Table::new(&["SETTING", "VALUE", "FROM"]);
    let path = file.map(|file| file.path().display().to_string());
    match &path {
        Some(path) => table.row(["config", path, ""]),
        None => table.row(["config", "-", "no configuration file"]),
    }
    for Row { name, value, origin } in [&key].into_iter().chain(&settings) {
        table.row([name, value.as_deref().unwrap_or("-"), origin]);
    }
    if let Some(hidden) = file.and_then(|file| file.hides(call.environment)) {
        report.warning(&format!("`{}` is not read: only the first file found is", visible_path(&hidden)));
    }
    // A value that cannot be used ends in the one document that --json prints.
    let checked = Settings::load(&sources).and_then(|_| key::check_one(&sources));
    if checked.is_ok() || !report.is_json() {
        report.table(&table);
        report.document(&json!({ "config_file": path, name: key, "settings": settings }));
    }
    checked?;
    Ok(Exit::Done)
}

fn row(setting: Setting, sources: &Sources<'_>) -> Row {
    let state_dir =
        || Some(sources.default_state_dir()?.display().to_string()).filter(|_| setting == Setting::StateDir);
    let (value, origin) = match sources.shown(setting) {
        Some((value, origin)) => (Some(value), describe(&origin)),
        None if setting == Setting::StateDir && sources.systemd_state_dir().is_some() => {
            (state_dir(), "STATE_DIRECTORY".to_owned())
        }
        None => (state_dir(), "default".to_owned()),
    };
    Row { name: setting.key(), value, origin }
}

fn describe(origin: &Origin) -> String {
    match origin {
        Origin::Flag(setting) => format!("--{}", setting.flag()),
        Origin::Environment(setting) => setting.environment(),
        Origin::File(_, path) => path.display().to_string(),
        Origin::Default(_) => "default".to_owned(),
    }
}

/// A setting in the document of `--json`.
#[derive(Serialize)]
struct Row {
    name: String,
    value: Option<String>,
    origin: String,
}
