//! Completions and man pages, checked by the programs that read them, where those are installed.

use std::fs;
use std::process::Command;

use crate::support::desk::Desk;
use crate::support::process;
use crate::support::skip::skipped;

/// Runs a program, if it is installed; nothing if it is not.
fn run_if_installed(program: &str, args: &[&str]) -> Option<process::Finished> {
    let path = std::env::var_os("PATH")?;
    let place = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file());
    let Some(place) = place else {
        skipped(&format!("completions or man pages: there is no `{program}`"));
        return None;
    };
    Some(process::run(Command::new(place).args(args).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100")))
}

#[test]
fn the_shells_read_their_completions() {
    let desk = Desk::new();
    for (shell, options) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        let text = desk.succeed(&["completions", shell]);
        for word in ["doctor", "--propagation-timeout", "--identifier"] {
            assert!(text.contains(word.trim_start_matches('-')), "{shell}: {word}");
        }
        let path = desk.path(shell);
        fs::write(&path, &text).unwrap();
        let args = [options, &[path.to_str().unwrap()]].concat();
        if let Some(finished) = run_if_installed(shell, &args) {
            assert!(finished.status.success() && finished.stderr.is_empty(), "{}", finished.said());
        }
    }
}

#[test]
fn bash_completes_commands_and_flags() {
    let desk = Desk::new();
    let path = desk.path("bash");
    fs::write(&path, desk.succeed(&["completions", "bash"])).unwrap();
    let script = format!(
        ". {}; COMP_WORDS=(ipv64-acme doc); COMP_CWORD=1; _ipv64_acme; echo \"${{COMPREPLY[*]}}\"",
        path.display()
    );
    if let Some(finished) = run_if_installed("bash", &["-c", &script]) {
        assert_eq!(finished.stdout, "doctor\n", "{}", finished.said());
    }
}

#[test]
fn man_shows_every_page_without_complaint() {
    let desk = Desk::new();
    let folder = desk.path("man");
    let files = desk.json(&["man", folder.to_str().unwrap()]);
    let files: Vec<_> = files["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        if let Some(finished) = run_if_installed("man", &["--warnings", "-l", file]) {
            assert!(finished.status.success() && finished.stderr.is_empty(), "{file}: {}", finished.said());
        }
    }
}

#[test]
fn the_main_page_tells_hooks_settings_files_and_exit_codes() {
    let page = Desk::new().succeed(&["man"]);
    for part in ["\"HOOKS\"", "\"SETTINGS\"", "\"FILES\"", "\"EXIT STATUS\""].map(|name| format!(".SH {name}")) {
        assert!(page.contains(&part), "{part}");
    }
    assert!(page.contains("IPV64_PROPAGATION_TIMEOUT, \\-\\-propagation\\-timeout"), "{page}");
}
