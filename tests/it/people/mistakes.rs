//! Mistakes as people make them, by hand: each answer fits in five lines and names the way out. With `--nocapture` the answers
//! are shown.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::support::environment::TestEnvironment;
use crate::support::process::Finished;
use crate::support::values::FIRST;

/// So many lines a person in a hurry reads.
const FEW_LINES: usize = 5;
/// Rows that are tried at once: some of them wait.
const AT_ONCE: usize = 8;
const NAME: &str = "_acme-challenge.name.ipv64.net";
/// What looks like a key and is the one of nobody.
const FOREIGN_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A mistake. In arguments and variables `{file}` stands for the path of the file, `{key}` for the good key, `{api}` for the
/// address of the API without its path.
struct Mistake {
    what: &'static str,
    args: Vec<&'static str>,
    variables: Vec<(&'static str, &'static str)>,
    /// Its content and mode.
    file: Option<(&'static str, u32)>,
    code: i32,
    way_out: &'static [&'static str],
}

fn mistake(what: &'static str, args: &[&'static str], code: i32, way_out: &'static [&'static str]) -> Mistake {
    Mistake { what, args: args.to_vec(), variables: Vec::new(), file: None, code, way_out }
}

/// A mistake that the most usual call meets.
fn met(
    what: &'static str,
    variable: (&'static str, &'static str),
    code: i32,
    way_out: &'static [&'static str],
) -> Mistake {
    mistake(what, &["present", NAME, FIRST], code, way_out).with(variable.0, variable.1)
}

impl Mistake {
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn file(self, content: &'static str, mode: u32) -> Self {
        Self { file: Some((content, mode)), ..self }
    }

    fn make(&self) -> Finished {
        let mut env = TestEnvironment::new();
        let path = env.path("file").display().to_string();
        let key = env.sim.key(0).unwrap().to_owned();
        let urls = env.sim.env();
        let api = urls.iter().find(|(name, _)| name == "IPV64_API_URL").unwrap().1.trim_end_matches("/api").to_owned();
        let filled = |text: &str| text.replace("{file}", &path).replace("{key}", &key).replace("{api}", &api);
        if let Some((content, mode)) = self.file {
            fs::write(env.path("file"), filled(content)).unwrap();
            fs::set_permissions(env.path("file"), Permissions::from_mode(mode)).unwrap();
        }
        env.set("IPV64_PROPAGATION_TIMEOUT", "3");
        for (name, value) in &self.variables {
            env.set(name, &filled(value));
        }
        let args: Vec<_> = self.args.iter().map(|arg| filled(arg)).collect();
        env.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

fn with_the_key() -> Vec<Mistake> {
    let key_file = |what, content, mode, code, way_out| {
        met(what, ("IPV64_API_KEY_FILE", "{file}"), code, way_out).with("IPV64_API_KEY", "").file(content, mode)
    };
    vec![
        met("no key anywhere", ("IPV64_API_KEY", ""), 3, &["ipv64-acme init", "mode 600"]),
        met("another account's key", ("IPV64_API_KEY", FOREIGN_KEY), 3, &["from your account page", "ipv64-acme init"]),
        met("half of the key", ("IPV64_API_KEY", "half"), 3, &["from your account page"]),
        key_file("a key file that others can read", "{key}", 0o644, 3, &["run `chmod 600 /"]),
        key_file("an empty key file", "", 0o600, 3, &["copy the API key again"]),
        key_file("a key file with notes in it", "my key\nis secret\n", 0o600, 3, &["one line, nothing else"]),
        key_file("a key file with the whole assignment", "IPV64_API_KEY=\"{key}\"\n", 0o600, 0, &["ready on 2 of 2"]),
        key_file("a key file with a header", "Authorization: Bearer {key}\n", 0o600, 0, &["ready on 2 of 2"]),
        met("a key in quotes", ("IPV64_API_KEY", "'{key}'"), 0, &["ready on 2 of 2"]),
        met("the path of no file", ("IPV64_API_KEY_FILE", "/no/such/key"), 3, &["/no/such/key", "check that"])
            .with("IPV64_API_KEY", ""),
        met("a folder as the key file", ("IPV64_API_KEY_FILE", "/usr"), 3, &["not a regular file", "check that"])
            .with("IPV64_API_KEY", ""),
        met("the key as the path of its file", ("IPV64_API_KEY_FILE", FOREIGN_KEY), 3, &["save it in a file"])
            .with("IPV64_API_KEY", ""),
        mistake("the key as an argument", &["init", FOREIGN_KEY], 2, &["********", "`ipv64-acme init --stdin`"]),
        mistake("the key as a flag", &["doctor", "--api-key", FOREIGN_KEY], 2, &["--api-key-file"]),
        mistake("`init` without a terminal", &["init"], 2, &["ipv64-acme init --stdin"]).with("IPV64_API_KEY", ""),
    ]
}

fn with_settings() -> Vec<Mistake> {
    let config =
        |what, content, mode, code, way_out| met(what, ("IPV64_CONFIG", "{file}"), code, way_out).file(content, mode);
    vec![
        config("the key in the configuration", "api_key = \"{key}\"", 0o600, 2, &["`api_key_file`", "mode 600"]),
        config("a misspelt setting", "propagation_timeot = 5", 0o600, 2, &["did you mean `propagation_timeout`"]),
        config("a configuration in YAML", "propagation_timeout: 5", 0o600, 2, &["each line is NAME = VALUE"]),
        config("a table in the configuration", "[ipv64]\nsetting = 5", 0o600, 2, &["each line is NAME = VALUE"]),
        config("a configuration that all may write", "", 0o666, 2, &["run `chmod go-w /"]),
        met("no such configuration", ("IPV64_CONFIG", "/no/such.toml"), 2, &["--config or IPV64_CONFIG"]),
        met("a misspelt variable", ("IPV64_PROPAGATON_TIMEOUT", "9"), 0, &["did you mean `IPV64_PROPAGATION_TIMEOUT`"]),
        met("a time in words", ("IPV64_PROPAGATION_TIMEOUT", "soon"), 2, &["is not a time (seconds, or a number with"]),
        met("a state directory that cannot be", ("IPV64_STATE_DIR", "/proc/none"), 0, &["set IPV64_STATE_DIR"]),
        met("plain http to the world", ("IPV64_API_URL", "http://ipv64.net/api"), 2, &["plain http to loopback only"]),
        met(
            "nobody at the address",
            ("IPV64_API_URL", "http://127.0.0.1:9/api"),
            6,
            &["perhaps the cause", "IPV64_API_URL"],
        ),
        met(
            "the address without its path",
            ("IPV64_API_URL", "{api}"),
            6,
            &["perhaps the cause", "usually `https://ipv64"],
        ),
        met("name servers that are none", ("IPV64_NAMESERVERS", "127.0.0.9"), 5, &["IPV64_NAMESERVERS is `127.0.0.9`"]),
        met(
            "resolvers that are none",
            ("IPV64_RESOLVERS", "127.0.0.9:9"),
            6,
            &["IPV64_RESOLVERS is `127.0.0.9:9`", "hint: "],
        )
        .with("IPV64_ROOT_SERVERS", "127.0.0.9"),
        met("too short a time", ("IPV64_PROPAGATION_TIMEOUT", "0.01"), 0, &["ready on 2 of 2"]),
    ]
}

fn with_calls() -> Vec<Mistake> {
    let certbot = |what, args, value, code, way_out| {
        mistake(what, args, code, way_out)
            .with("CERTBOT_DOMAIN", "name.ipv64.net")
            .with("CERTBOT_VALIDATION", value)
            .with("CERTBOT_AUTH_OUTPUT", "")
    };
    let key_authorization: &str = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ.abc";
    vec![
        certbot("certbot's hook without a verb", &[], FIRST, 2, &["--manual-auth-hook \"ipv64-acme auth\""]),
        certbot("certbot's hook with lego's verb", &["present"], FIRST, 2, &["--manual-auth-hook \"ipv64-acme auth\""]),
        certbot("certbot with http-01", &["auth"], key_authorization, 2, &["--preferred-challenges dns"]),
        mistake("certbot's verb by hand", &["auth"], 2, &["by hand use `ipv64-acme present NAME VALUE`"]),
        mistake("certbot's verb with arguments", &["auth", NAME, FIRST], 2, &["use `ipv64-acme present NAME VALUE`"]),
        mistake("a bare domain", &["present", "name.ipv64.net", FIRST], 2, &["write `_acme-challenge.name.ipv64.net`"]),
        mistake("a value of one's own", &["present", NAME, "abc"], 2, &["ipv64-acme record add NAME TXT TEXT"]),
        mistake("a value of another challenge", &["present", NAME, key_authorization], 2, &["EXEC_MODE=RAW", "dns-01"]),
        mistake(
            "name and value the other way round",
            &["present", FIRST, NAME],
            2,
            &["the name comes before the value"],
        ),
        mistake("no value", &["present", NAME], 2, &["NAME and VALUE"]),
        mistake("a flag at the end", &["present", NAME, FIRST, "-v"], 2, &["flags go before the first argument"]),
        mistake("a removal without a value", &["cleanup", NAME], 2, &["NAME and VALUE"]),
        mistake("a removal of what is not there", &["cleanup", NAME, "abc"], 0, &["was not there"]),
        mistake("a test of the challenge's name", &["test", NAME], 0, &["name.ipv64.net: ready", "removed"]),
        mistake("a batch without input", &["batch", "present"], 2, &["pass a JSON array on stdin"]),
        mistake("dehydrated's verb by hand", &["deploy_challenge"], 2, &["set HOOK to the path of ipv64-acme"]),
    ]
}

fn with_names_and_commands() -> Vec<Mistake> {
    vec![
        mistake("a misspelt domain", &["test", "nam.ipv64.net"], 7, &["did you mean `name.ipv64.net`"]),
        mistake("a misspelt suffix", &["test", "name.ipv64.ne"], 7, &["did you mean `name.ipv64.net`"]),
        mistake(
            "a domain that is elsewhere",
            &["test", "www.elsewhere.example"],
            7,
            &["add `elsewhere.example`", "CNAME"],
        ),
        mistake("an address", &["test", "192.0.2.1"], 2, &["dns-01 proves names only"]),
        mistake("a URL", &["test", "https://name.ipv64.net/"], 2, &["write `name.ipv64.net`"]),
        mistake("a port", &["test", "name.ipv64.net:443"], 2, &["write `name.ipv64.net`"]),
        mistake("a look at the doctor's errors only", &["-q", "doctor", "nobody.example"], 7, &["check the spelling"]),
        mistake("a misspelt command", &["docter"], 2, &["'doctor'"]),
        mistake("a command of another program", &["renew"], 2, &["error[usage]: ", "--help"]),
        mistake("a misspelt flag", &["doctor", "--jsn"], 2, &["'--json'"]),
        mistake("a misspelt shell", &["completions", "powershel"], 2, &["'powershell'"]),
        mistake("an age in words", &["sweep", "--older-than", "yesterday"], 2, &["a number with ms, s, m, h or d"]),
        mistake("a deletion without a terminal", &["domain", "delete", "name.ipv64.net"], 2, &["add --yes"]),
        mistake(
            "a deletion of nothing",
            &["record", "delete", "a.name.ipv64.net", "A", "192.0.2.1"],
            0,
            &["was not there"],
        ),
        mistake("a misspelt type", &["record", "add", "a.name.ipv64.net", "AA", "192.0.2.1"], 2, &["one of A, AAAA"]),
        mistake(
            "an address that is none",
            &["record", "add", "a.name.ipv64.net", "A", "192.0.2.300"],
            2,
            &["such as 192"],
        ),
        mistake("a domain without a suffix", &["domain", "add", "foo"], 1, &["ipv64-acme domain list"]),
        mistake("a misspelt kind of error", &["explain", "no_domian"], 2, &["the nearest kinds are no_domain"]),
    ]
}

#[test]
fn each_answer_fits_in_five_lines_and_names_the_way_out() {
    let all: Vec<_> =
        [with_the_key(), with_settings(), with_calls(), with_names_and_commands()].into_iter().flatten().collect();
    assert!(all.len() >= 60, "{}", all.len());
    for some in all.chunks(AT_ONCE) {
        let answers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = some.iter().map(|mistake| scope.spawn(|| mistake.make())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (mistake, answer) in some.iter().zip(answers) {
            let said = format!("{}{}", answer.stdout, answer.stderr);
            println!(
                "- **{}** (`ipv64-acme {}`), code {}:\n\n{said}",
                mistake.what,
                mistake.args.join(" "),
                mistake.code
            );
            assert_eq!(answer.status.code(), Some(mistake.code), "{}: {}", mistake.what, answer.said());
            assert!(said.lines().count() <= FEW_LINES, "{}: {}", mistake.what, answer.said());
            for words in mistake.way_out {
                assert!(said.contains(words), "{}: {words:?} is not in {said}", mistake.what);
            }
        }
    }
}
