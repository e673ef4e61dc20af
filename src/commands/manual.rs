//! `completions` and `man`: made from the definition of the command line, the table of settings and the exit codes.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap_complete::shells::{Bash, Fish, Zsh};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;

use crate::cli::{ManArgs, Shell, definition};
use crate::exit::Exit;
use crate::report::Report;
use crate::settings::table::Setting;

/// The name of the program, and of its pages.
const NAME: &str = "ipv64-acme";

/// How ACME clients call the program; docs/clients has a page for each.
const HOOKS: [(&str, &str); 8] = [
    ("certbot", "--manual-auth-hook \"ipv64-acme auth\" --manual-cleanup-hook \"ipv64-acme cleanup\""),
    ("lego, Traefik", "EXEC_PATH=/usr/bin/ipv64-acme, with or without EXEC_MODE=RAW"),
    ("dehydrated", "HOOK=/usr/bin/ipv64-acme"),
    ("uacme", "-h /usr/bin/ipv64-acme"),
    ("acmetool", "a link to the program in its hooks folder"),
    ("Apache mod_md", "MDChallengeDns01 /usr/bin/ipv64-acme"),
    ("acme.sh, Proxmox", "the file dns_ipv64_acme.sh in the folder dnsapi"),
    ("any other", "ipv64-acme present --identifier DOMAIN VALUE, and cleanup in place of present"),
];

/// The files of the program.
const FILES: [(&str, &str); 4] = [
    ("/etc/ipv64-acme/config.toml", "settings, with the names below in lower case and without IPV64_"),
    ("$XDG_CONFIG_HOME/ipv64-acme/config.toml", "the same, read where the first one does not exist"),
    ("/etc/ipv64-acme/api-key", "the API key, mode 600; beside the configuration file that names it"),
    ("/var/lib/ipv64-acme", "journal, request window, domain cache of root; others: $XDG_STATE_HOME/ipv64-acme"),
];

/// `completions`
pub(super) fn completions(shell: Shell, report: Report) -> Exit {
    let mut text = Vec::new();
    let mut command = definition();
    match shell {
        Shell::Bash => clap_complete::generate(Bash, &mut command, NAME, &mut text),
        Shell::Zsh => clap_complete::generate(Zsh, &mut command, NAME, &mut text),
        Shell::Fish => clap_complete::generate(Fish, &mut command, NAME, &mut text),
    }
    let text = String::from_utf8_lossy(&text);
    report.line(text.trim_end());
    report.document(&json!({ "completions": text }));
    Exit::Done
}

/// `man`
pub(super) fn man(args: &ManArgs, report: Report) -> anyhow::Result<Exit> {
    let Some(folder) = &args.folder else {
        let page = String::from_utf8_lossy(&main_page()?).into_owned();
        report.line(page.trim_end());
        report.document(&json!({ "page": page }));
        return Ok(Exit::Done);
    };
    let files = write_pages(folder)?;
    for file in &files {
        report.line(file);
    }
    report.document(&json!({ "files": files }));
    Ok(Exit::Done)
}

fn write_pages(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut pages = vec![(format!("{NAME}.1"), main_page()?)];
    let mut command = definition();
    command.build();
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        let man = Man::new(below.clone());
        let mut page = Vec::new();
        man.render(&mut page)?;
        pages.push((man.get_filename(), page));
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut files = Vec::new();
    for (name, page) in pages {
        let path = folder.join(name);
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
        files.push(path.display().to_string());
    }
    Ok(files)
}

/// The page of the program: what clap knows, then hooks, settings, files and exit codes.
fn main_page() -> anyhow::Result<Vec<u8>> {
    // The list of commands comes from clap; its template is for the help alone.
    let man = Man::new(definition());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    let mut roff = Roff::new();
    section(&mut roff, "HOOKS", HOOKS.map(|(name, text)| (name.to_owned(), text.to_owned())));
    section(&mut roff, "SETTINGS", Setting::ALL.map(setting));
    section(&mut roff, "FILES", FILES.map(|(name, text)| (name.to_owned(), text.to_owned())));
    section(&mut roff, "EXIT STATUS", Exit::ALL.map(|exit| ((exit as u8).to_string(), exit.meaning().to_owned())));
    roff.to_writer(&mut page)?;
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn section(roff: &mut Roff, heading: &str, entries: impl IntoIterator<Item = (String, String)>) {
    roff.control("SH", [heading]);
    for (name, text) in entries {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(text)]);
    }
}

fn setting(setting: Setting) -> (String, String) {
    let default = setting.default_text().map_or_else(String::new, |text| format!(" (default: {text})"));
    (format!("{}, --{}", setting.environment(), setting.flag()), format!("{}{default}", setting.meaning()))
}
