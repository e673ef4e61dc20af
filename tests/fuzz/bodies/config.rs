//! The configuration file, which is also read as that of the broker, and after a line `---` variables, one on each line as `NAME=VALUE`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::time::Duration;

use ipv64_acme::http::Endpoint;
use ipv64_acme::secret::{MASK, Secret};
use ipv64_acme::serve::config::ServeConfig;
use ipv64_acme::settings::Setting;
use ipv64_acme::settings::{ConfigFile, Environment, Settings, Sources, parse};

/// A year and a day: what no time that is set may exceed.
const LONGEST: Duration = Duration::from_secs(367 * 86_400);

pub(crate) fn run(input: &[u8]) {
    let (file, rest) = halves(input);
    let environment = Environment::new(rest.split(|byte| *byte == b'\n').filter_map(variable));
    for (name, nearest) in environment.unknown() {
        assert!(name.starts_with("IPV64_") && nearest.is_none_or(|nearest| nearest != name));
    }
    assert_key_is_hidden(&environment, &String::from_utf8_lossy(file));
    assert_broker(&String::from_utf8_lossy(file));
    let file = match ConfigFile::parse(Path::new("/etc/ipv64-acme/config.toml"), &String::from_utf8_lossy(file)) {
        Ok(file) => Some(file),
        Err(error) => {
            super::assert_error(&error);
            None
        }
    };
    let sources = Sources { flags: &[], environment: &environment, file };
    for setting in Setting::ALL {
        if let Some((_, origin)) = sources.find(setting) {
            super::assert_tame(&origin.to_string());
        }
    }
    match Settings::load(&sources) {
        Ok(settings) => assert_usable(&settings),
        Err(error) => super::assert_error(&error),
    }
}

/// Paths do not depend on the folder that the broker is started in.
fn assert_broker(text: &str) {
    match ServeConfig::parse(Path::new("/etc/ipv64-acme/serve.toml"), text) {
        Ok(config) => {
            let tls = config.tls.iter().flat_map(|tls| [&tls.certificate, &tls.key]);
            assert!(tls.chain(&config.socket).all(|path| path.is_absolute()), "{config:?}");
        }
        Err(error) => super::assert_error(&error),
    }
}

fn halves(input: &[u8]) -> (&[u8], &[u8]) {
    const BETWEEN: &[u8] = b"\n---\n";
    let at = input.windows(BETWEEN.len()).position(|window| window == BETWEEN);
    at.map_or((input, &[]), |at| (&input[..at], &input[at + BETWEEN.len()..]))
}

fn variable(line: &[u8]) -> Option<(OsString, OsString)> {
    let at = line.iter().position(|byte| *byte == b'=')?;
    Some((OsString::from_vec(line[..at].to_vec()), OsString::from_vec(line[at + 1..].to_vec())))
}

/// Values that no check has let pass would only fail later, or never.
fn assert_usable(settings: &Settings) {
    for time in [settings.http_timeout, settings.propagation_timeout, settings.polling_interval] {
        assert!(time <= LONGEST, "{time:?}");
    }
    assert!(settings.blind_wait.is_none_or(|wait| !wait.is_zero() && wait <= LONGEST));
    assert!(!settings.http_timeout.is_zero() && settings.polling_interval >= Duration::from_millis(200));
    assert!((1..=50).contains(&settings.confirmations));
    assert_ne!(settings.nameserver_port, 0);
    assert_eq!(
        settings.api_rate.to_string().parse().as_ref(),
        Ok(&settings.api_rate),
        "a rate is written as it is read"
    );
    assert!(settings.state_dir.as_ref().is_none_or(|path| path.is_absolute()) || settings.state_dir.is_some());
    assert_safe(&settings.api_url);
    for resolver in settings.resolvers.iter().chain(&settings.doh) {
        super::assert_tame(&resolver.to_string());
    }
    let shown = format!("{settings:?}");
    assert!(!shown.contains(super::KEY) || !shown.contains(MASK), "{shown}");
}

/// A key goes over TLS, or to this machine; told from the text alone.
fn assert_safe(endpoint: &Endpoint) {
    let text = endpoint.to_string();
    super::assert_tame(&text);
    let Some(rest) = text.strip_prefix("http://") else { return assert!(text.starts_with("https://"), "{text}") };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let at_home = ["127.", "localhost", "[::1]", "[::ffff:127."]
        .iter()
        .any(|home| host.get(..home.len()).is_some_and(|start| start.eq_ignore_ascii_case(home)))
        || host.trim_start_matches(['[', '0', ':']).starts_with(['1', '7']);
    assert!(at_home && !authority.contains('@'), "{text}");
    // A query may hold a key, and is not written.
    let again = Endpoint::parse(&text).map(|again| again.to_string());
    assert_eq!(again, Ok(text), "an address is written as it is read");
}

/// A key is masked wherever it turns up, and errors about it do not repeat it.
fn assert_key_is_hidden(environment: &Environment, text: &str) {
    let Some(value) = environment.get("IPV64_API_KEY") else { return };
    match Secret::parse(&value) {
        Ok(key) => {
            assert_eq!(format!("{key}{key:?}"), format!("{MASK}{MASK}"));
            let is_telling = key.expose().len() >= 4 && !MASK.contains(key.expose()) && !key.expose().starts_with('*');
            if is_telling && !key.expose().ends_with('*') {
                assert!(!key.mask_in(text).contains(key.expose()), "{text}");
            }
        }
        Err(error) => super::assert_tame(&error.to_string()),
    }
    let _ = parse::duration(&value);
}
