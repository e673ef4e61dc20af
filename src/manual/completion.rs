//! Completions: at each point of a command line the commands, flags and fixed values that may follow, else files.

use clap::{Arg, Command};

use super::NAME;
use crate::cli::Shell;
use crate::distinct::distinct;

/// A word with what it means.
type Word = (String, String);

/// What may follow at one point of the command line, beside what may follow anywhere.
struct Point {
    /// The commands before it, each with a blank before: ` domain list`.
    path: String,
    words: Vec<Word>,
}

/// All that completions are made of.
struct Words {
    /// The flags that may follow anywhere.
    anywhere: Vec<Word>,
    points: Vec<Point>,
    /// The flags of all commands that want a value: after one of them come files, and no other word.
    with_value: Vec<String>,
}

/// Returns the script for a shell.
#[must_use]
pub fn script(shell: Shell, command: &Command) -> String {
    let mut anywhere: Vec<_> = command.get_arguments().filter(|arg| arg.is_global_set()).flat_map(flags).collect();
    anywhere.push(("--help".to_owned(), "Print help".to_owned()));
    let mut words = Words { anywhere, points: Vec::new(), with_value: flags_with_value(command) };
    collect(command, "", &mut words);
    match shell {
        Shell::Bash => bash(&words),
        Shell::Zsh => zsh(&words),
        Shell::Fish => fish(&words),
    }
}

fn collect(command: &Command, path: &str, words: &mut Words) {
    let visible = || command.get_subcommands().filter(|below| !below.is_hide_set());
    let mut here: Vec<_> = visible().map(|below| (below.get_name().to_owned(), about(below))).collect();
    here.extend(command.get_positionals().flat_map(values));
    let own = command.get_arguments().flat_map(flags);
    here.extend(own.filter(|(word, _)| !words.anywhere.iter().any(|(known, _)| known == word)));
    words.points.push(Point { path: path.to_owned(), words: here });
    for below in visible() {
        collect(below, &format!("{path} {}", below.get_name()), words);
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

/// The patterns of a `case` that recognises a known command after the ones before.
fn paths(points: &[Point]) -> String {
    let known: Vec<_> =
        points.iter().filter(|point| !point.path.is_empty()).map(|it| format!("'{}'", it.path)).collect();
    known.join("|")
}

fn flags_with_value(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter(|arg| arg.get_action().takes_values()).filter_map(Arg::get_long);
    let below = command.get_subcommands().flat_map(flags_with_value);
    distinct(own.map(|long| format!("--{long}")).chain(below))
}

fn joined<'a>(words: impl IntoIterator<Item = &'a String>, by: &str) -> String {
    words.into_iter().map(String::as_str).collect::<Vec<_>>().join(by)
}

fn bash(words: &Words) -> String {
    let list = |words: &[Word]| joined(words.iter().map(|(word, _)| word), " ");
    let case = |point: &Point| format!("    '{}') words='{}' ;;\n", point.path, list(&point.words));
    // Without a word of ours, `-o default` offers files.
    format!(
        "_ipv64_acme() {{\n  local place='' words='' word\n  COMPREPLY=()\n  case \"${{COMP_WORDS[COMP_CWORD-1]}}\" in\n    \
         {}) return ;;\n  esac\n  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n    \
         case \"$place $word\" in\n      {}) place=\"$place $word\" ;;\n    esac\n  done\n  case \"$place\" in\n{}  esac\n  \
         words+=' {}'\n  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n}}\n\
         complete -o default -F _ipv64_acme {NAME}\n",
        joined(&words.with_value, "|"),
        paths(&words.points),
        words.points.iter().map(case).collect::<String>(),
        list(&words.anywhere),
    )
}

fn zsh(words: &Words) -> String {
    // In what `_describe` takes, the first colon ends the word.
    let item = |(word, about): &Word| format!(" '{word}:{}'", about.replace('\'', "'\\''"));
    let case = |point: &Point| {
        let (flags, others): (Vec<_>, Vec<_>) = point.words.iter().partition(|(word, _)| word.starts_with('-'));
        let [flags, others] = [flags, others].map(|words| words.into_iter().map(item).collect::<String>());
        format!("    '{}') flags=({flags}); others=({others}) ;;\n", point.path)
    };
    // zsh's `path` is PATH, and `words` the command line: neither may be taken as a name.
    format!(
        "#compdef {NAME}\n_{NAME}() {{\n  local place='' word\n  local -a flags others\n  \
         case ${{words[CURRENT-1]}} in\n    {}) _files; return ;;\n  esac\n  for word in ${{words[2,CURRENT-1]}}; do\n    \
         case \"$place $word\" in\n      {}) place=\"$place $word\" ;;\n    esac\n  done\n  case \"$place\" in\n{}  esac\n  \
         flags+=({})\n  if [[ $PREFIX == -* ]]; then _describe -o option flags; else _describe command others || _files; fi\n}}\n\
         if [[ \"$funcstack[1]\" == '_{NAME}' ]]; then\n  _{NAME} \"$@\"\nelse\n  compdef _{NAME} {NAME}\nfi\n",
        joined(&words.with_value, "|"),
        paths(&words.points),
        words.points.iter().map(case).collect::<String>(),
        words.anywhere.iter().map(item).collect::<String>(),
    )
}

fn fish(words: &Words) -> String {
    let what = |word: &str| match word.strip_prefix("--") {
        Some(long) if words.with_value.iter().any(|flag| flag == word) => format!("-l {long} -r"),
        Some(long) => format!("-l {long}"),
        None => format!("-f -a {word}"),
    };
    let line = |condition: &str, (word, about): &Word| {
        let about = about.replace('\\', "\\\\").replace('\'', "\\'");
        format!("complete -c {NAME}{condition} {} -d '{about}'\n", what(word))
    };
    let anywhere = words.anywhere.iter().map(|word| line("", word));
    let here = words.points.iter().flat_map(|point| {
        let condition = format!(" -n '{}'", fish_condition(point));
        point.words.iter().map(move |word| line(&condition, word)).collect::<Vec<_>>()
    });
    anywhere.chain(here).collect()
}

/// What fish has to ask before it offers the words of a point: these commands stand before, and none below them.
fn fish_condition(point: &Point) -> String {
    if point.path.is_empty() {
        return "__fish_use_subcommand".to_owned();
    }
    let seen = point.path.split_whitespace().map(|name| format!("__fish_seen_subcommand_from {name}"));
    let mut condition = seen.collect::<Vec<_>>().join("; and ");
    let below: Vec<&str> =
        point.words.iter().map(|(word, _)| word.as_str()).filter(|it| !it.starts_with('-')).collect();
    if !below.is_empty() {
        condition.push_str(&format!("; and not __fish_seen_subcommand_from {}", below.join(" ")));
    }
    condition
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
