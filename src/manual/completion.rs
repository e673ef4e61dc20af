//! Completions: at each point of a command line the commands, flags and fixed values that may follow, else files.

use clap::{Arg, Command};

use super::NAME;
use crate::cli::Shell;

/// What may follow at one point of the command line.
struct Point {
    /// The commands before it, each with a blank before: ` domain list`.
    path: String,
    /// Each word with what it means.
    words: Vec<(String, String)>,
}

/// Returns the script for a shell.
#[must_use]
pub fn script(shell: Shell, command: &Command) -> String {
    let mut points = Vec::new();
    collect(command, command, "", &mut points);
    match shell {
        Shell::Bash => bash(&points),
        Shell::Zsh => zsh(&points),
        Shell::Fish => fish(&points),
    }
}

fn collect(top: &Command, command: &Command, path: &str, points: &mut Vec<Point>) {
    let visible = || command.get_subcommands().filter(|below| !below.is_hide_set());
    let mut words: Vec<_> = visible().map(|below| (below.get_name().to_owned(), about(below))).collect();
    words.extend(command.get_positionals().flat_map(values));
    words.extend(command.get_arguments().flat_map(flags));
    let global = top.get_arguments().filter(|arg| arg.is_global_set()).flat_map(flags);
    let missing: Vec<_> = global.filter(|(word, _)| !words.iter().any(|(known, _)| known == word)).collect();
    words.extend(missing);
    if !words.iter().any(|(word, _)| word == "--help") {
        words.push(("--help".to_owned(), "Print help".to_owned()));
    }
    points.push(Point { path: path.to_owned(), words });
    for below in visible() {
        collect(top, below, &format!("{path} {}", below.get_name()), points);
    }
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn flags(arg: &Arg) -> Option<(String, String)> {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let first = help.lines().next().unwrap_or_default().to_owned();
    arg.get_long().filter(|_| !arg.is_hide_set()).map(|long| (format!("--{long}"), first))
}

fn values(arg: &Arg) -> Vec<(String, String)> {
    let help = |value: &clap::builder::PossibleValue| value.get_help().map(ToString::to_string).unwrap_or_default();
    arg.get_possible_values().iter().map(|value| (value.get_name().to_owned(), help(value))).collect()
}

/// The lines of a `case` that recognises a known command after the ones before.
fn paths(points: &[Point]) -> String {
    let known: Vec<_> =
        points.iter().filter(|point| !point.path.is_empty()).map(|it| format!("'{}'", it.path)).collect();
    known.join("|")
}

fn bash(points: &[Point]) -> String {
    let words = |point: &Point| point.words.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(" ");
    let case = |point: &Point| format!("    '{}') words='{}' ;;\n", point.path, words(point));
    format!(
        "_ipv64_acme() {{\n  local place='' words='' word\n  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n    \
         case \"$place $word\" in\n      {}) place=\"$place $word\" ;;\n    esac\n  done\n  case \"$place\" in\n{}  esac\n  \
         COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n}}\n\
         complete -o default -F _ipv64_acme {NAME}\n",
        paths(points),
        points.iter().map(case).collect::<String>(),
    )
}

fn zsh(points: &[Point]) -> String {
    let item = |(word, about): &(String, String)| format!(" '{word}:{}'", about.replace('\'', "'\\''"));
    let case = |point: &Point| {
        format!("    '{}') items=({}) ;;\n", point.path, point.words.iter().map(item).collect::<String>())
    };
    // zsh's `path` is PATH, and `words` the command line: neither may be taken as a name.
    format!(
        "#compdef {NAME}\n_{NAME}() {{\n  local place='' word\n  local -a items\n  for word in ${{words[2,CURRENT-1]}}; do\n    \
         case \"$place $word\" in\n      {}) place=\"$place $word\" ;;\n    esac\n  done\n  case \"$place\" in\n{}  esac\n  \
         _describe -o 'command or option' items || _files\n}}\n\
         if [[ \"$funcstack[1]\" == '_{NAME}' ]]; then\n  _{NAME} \"$@\"\nelse\n  compdef _{NAME} {NAME}\nfi\n",
        paths(points),
        points.iter().map(case).collect::<String>(),
    )
}

fn fish(points: &[Point]) -> String {
    let mut text = String::new();
    for point in points {
        let before: Vec<&str> = point.path.split_whitespace().collect();
        let below: Vec<&str> =
            point.words.iter().map(|(word, _)| word.as_str()).filter(|it| !it.starts_with('-')).collect();
        let mut condition = match before.as_slice() {
            [] => "__fish_use_subcommand".to_owned(),
            names => names
                .iter()
                .map(|name| format!("__fish_seen_subcommand_from {name}"))
                .collect::<Vec<_>>()
                .join("; and "),
        };
        if !before.is_empty() && !below.is_empty() {
            condition.push_str(&format!("; and not __fish_seen_subcommand_from {}", below.join(" ")));
        }
        for (word, about) in &point.words {
            let what = word.strip_prefix("--").map_or_else(|| format!("-f -a {word}"), |long| format!("-l {long}"));
            let about = about.replace('\\', "\\\\").replace('\'', "\\'");
            text.push_str(&format!("complete -c {NAME} -n '{condition}' {what} -d '{about}'\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definition;

    #[test]
    fn every_shell_is_told_commands_flags_and_values() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = script(shell, &definition());
            for word in ["doctor", "json", "older-than", "show-secrets", "fish", "propagation-timeout"] {
                assert!(text.contains(word), "{shell:?}: {word}");
            }
            assert!(!text.contains("deploy_challenge"), "{shell:?} offers a verb that nobody types");
        }
    }
}
