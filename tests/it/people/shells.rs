//! Completions in the shells that use them: a line is typed up to a tab, and what the shell then runs is what counts.
//! The program in these tests only notes its arguments.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::environment::TestEnvironment;
use crate::support::process;
use crate::support::programs;

/// What is typed before the tab, and the words that the shell makes of it: a command, flags, fixed values, a file.
const LINES: [(&str, &str); 7] = [
    ("doct", "doctor"),
    ("record de", "record delete"),
    ("doctor --js", "doctor --json"),
    ("domain delete --ye", "domain delete --yes"),
    ("completions z", "completions zsh"),
    ("--config some-f", "--config some-file.toml"),
    ("doctor --api-key-f", "doctor --api-key-file"),
];

/// A test environment with the completions of a shell, a file to complete, and a program that writes its arguments to `ran`.
fn env(shell: &str, completions: &str) -> TestEnvironment {
    let env = TestEnvironment::new();
    let place = env.path(completions);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, env.succeed(&["completions", shell])).unwrap();
    fs::write(env.path("some-file.toml"), "").unwrap();
    fs::create_dir(env.path("bin")).unwrap();
    let program = env.path("bin/ipv64-acme");
    fs::write(&program, "#!/bin/sh\necho \"$*\" >>ran\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    env
}

/// Types the lines into an interactive shell, and compares what it ran. Its start files have to make a file `ready`
/// before each prompt: nothing is typed before the first.
fn type_into(env: &TestEnvironment, shell: &str) {
    let typed: String = LINES.iter().map(|(line, _)| format!("ipv64-acme {line}\\t\\n")).collect();
    let script = format!(
        "(until [ -e ready ]; do sleep 0.05; done; printf '{typed}exit\\n'; until [ -e ended ]; do sleep 0.05; done) \
         | script --quiet --command '{shell}; : >ended' /dev/null"
    );
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
    let mut command = env.command("/bin/sh");
    command.args(["-c", &script]).env("PATH", path).env("TERM", "xterm").env("SHELL", "/bin/sh");
    let finished = process::run(command.env("ZDOTDIR", env.path("")));
    let ran = fs::read_to_string(env.path("ran")).unwrap_or_default();
    let expected: Vec<_> = LINES.iter().map(|(_, words)| *words).collect();
    assert_eq!(ran.lines().map(str::trim_end).collect::<Vec<_>>(), expected, "{}", finished.said());
}

#[test]
#[ignore = "needs bash and script(1): run by tests/run"]
fn bash_completes_commands_flags_values_and_files() {
    let env = env("bash", "completions");
    fs::write(env.path("start"), "PROMPT_COMMAND=': >ready'\n. ./completions\n").unwrap();
    type_into(&env, "bash --rcfile start -i");
}

#[test]
#[ignore = "needs zsh and script(1): run by tests/run"]
fn zsh_completes_commands_flags_values_and_files() {
    let env = env("zsh", "functions/_ipv64-acme");
    let start = "fpath=($PWD/functions $fpath)\nautoload -U compinit\ncompinit -u -D\nprecmd() { : >ready }\n";
    fs::write(env.path(".zshrc"), start).unwrap();
    type_into(&env, "zsh -i");
}

#[test]
#[ignore = "needs fish: run by tests/run"]
fn fish_completes_commands_flags_values_and_files() {
    let env = env("fish", ".config/fish/completions/ipv64-acme.fish");
    for (line, words) in LINES {
        let ask = format!("complete --do-complete 'ipv64-acme {line}'");
        let finished = process::run(env.command(programs::system("fish")).args(["-c", &ask]));
        assert_eq!(finished.stderr, "", "{line}");
        let offered: Vec<_> = finished.stdout.lines().filter_map(|it| it.split('\t').next()).collect();
        assert_eq!(offered, [words.rsplit(' ').next().unwrap()], "{line}: {}", finished.said());
    }
}
