use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn read(text: &str) -> Result<ConfigFile> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    fs::write(&path, text).unwrap();
    ConfigFile::read(&path)
}

fn said(text: &str) -> String {
    let error = read(text).unwrap_err();
    format!("{error}\n{}", error.hint().unwrap())
}

#[test]
fn values_read_as_in_the_environment() {
    let file = read(
        "# a comment\npropagation_timeout = 90.5\nconfirmations = 4\nfollow_cname = false\n\
         resolvers = [\"192.0.2.1\", \"192.0.2.2:54\"]\ndomain = \"\"\napi_rate = '3/10'\n",
    )
    .unwrap();
    let table = [
        (Setting::PropagationTimeout, Some("90.5")),
        (Setting::Confirmations, Some("4")),
        (Setting::FollowCname, Some("false")),
        (Setting::Resolvers, Some("192.0.2.1,192.0.2.2:54")),
        (Setting::Domain, None),
        (Setting::ApiRate, Some("3/10")),
        (Setting::Doh, None),
    ];
    for (setting, value) in table {
        assert_eq!(file.get(setting), value, "{setting:?}");
    }
}

#[test]
fn relative_paths_start_at_the_file() {
    let file = read("api_key_file = \"key\"\nstate_dir = \"/srv/state\"\n").unwrap();
    let expected = file.path().parent().unwrap().join("key");
    assert_eq!(file.get(Setting::ApiKeyFile), expected.to_str());
    assert_eq!(file.get(Setting::StateDir), Some("/srv/state"));
}

#[test]
fn an_unknown_key_is_named_with_the_file_and_the_nearest() {
    for (text, key, nearest) in [
        ("propagation_timeot = 1", "`propagation_timeot`", "`propagation_timeout`"),
        ("IPV64_API_URL = 'x'", "`IPV64_API_URL`", "`api_url`"),
        ("api-url = 'x'", "`api-url`", "`api_url`"),
        ("api_key = 'canary'", "`api_key`", "`api_key_file`"),
        ("completely_else = 1", "`completely_else`", "settings are api_key_file, "),
    ] {
        let said = said(text);
        for part in [key, nearest, FILE_NAME] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn what_is_no_list_of_values_is_refused_with_its_place() {
    for text in [
        "api_url",
        "api_url = ",
        "[doh]\nx = 1",
        "api_url = \"a\nb\"",
        "a\u{1b}[31m = 1",
        "doh = [[\"a\"]",
        "domain = 2026-11-23",
        "confirmations = 4\nconfirmations = 5",
        "confirmations = 99999999999999999999",
    ] {
        let said = said(text);
        assert!(said.contains(FILE_NAME) && said.contains(" at line "), "{said:?}");
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
}

#[test]
fn depth_and_length_cost_neither_the_stack_nor_time() {
    let most = usize::try_from(LONGEST).unwrap();
    let table = "[a".to_owned() + &".a".repeat(most / 2 - 4) + "]\n";
    for text in ["[".repeat(most), format!("doh = {}", "[".repeat(most - 10)), "{a=".repeat(most / 3), table] {
        let started = std::time::Instant::now();
        assert_eq!(read(&text).unwrap_err().kind(), "config_malformed", "{text:.20}");
        assert!(started.elapsed() < std::time::Duration::from_secs(2), "{text:.20}");
    }
}

#[test]
fn a_file_that_is_too_long_is_refused_and_not_cut() {
    let comment = "#".repeat(usize::try_from(LONGEST).unwrap() - 1);
    assert!(read(&format!("{comment}\n")).is_ok());
    assert!(said(&format!("{comment}\nconfirmations = 4\n")).contains("longer than"));
}

#[test]
fn a_file_that_is_named_has_to_be_readable_and_not_everybodys() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [("IPV64_CONFIG".into(), directory.path().join("missing").into())];
    let error = ConfigFile::find(None, &Environment::new(variables.clone())).unwrap_err();
    assert_eq!(error.kind(), "config_unreadable");
    let path = directory.path().join("open");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let error = ConfigFile::find(Some(&path), &Environment::new(variables)).unwrap_err();
    assert_eq!(error.kind(), "config_exposed", "the flag comes before the variable");
    assert_eq!(ConfigFile::read(directory.path()).unwrap_err().kind(), "config_unreadable");
}

#[test]
fn only_a_regular_file_is_opened() {
    let error = ConfigFile::read(Path::new("/dev/null")).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[test]
fn a_path_cannot_act_on_the_terminal() {
    let error = ConfigFile::read(Path::new("/nonexistent/\u{1b}[31m")).unwrap_err();
    assert!(error.to_string().contains("\\u{1b}[31m"), "{error:?}");
}

#[test]
fn only_the_usual_places_behind_a_file_are_hidden_by_it() {
    let places = || ["/etc/a", "/home/a"].map(PathBuf::from).into_iter();
    let hidden = |path: &str| behind(Path::new(path), places()).collect::<Vec<_>>();
    assert_eq!(hidden("/etc/a"), [PathBuf::from("/home/a")]);
    assert!(hidden("/home/a").is_empty());
    assert!(hidden("/srv/a").is_empty(), "a file that is named hides nothing by chance");
}

#[test]
fn the_file_comes_after_the_environment_and_before_the_default() {
    let file = read("confirmations = 4\nhttp_timeout = 20\n").unwrap();
    let environment = Environment::new([("IPV64_CONFIRMATIONS".into(), "5".into())]);
    let sources = super::super::Sources { flags: &[], environment: &environment, file: Some(file) };
    assert_eq!(sources.find(Setting::Confirmations).unwrap().0, "5");
    let (value, origin) = sources.find(Setting::HttpTimeout).unwrap();
    assert_eq!(value, "20");
    assert!(origin.to_string().starts_with("`http_timeout` in `/"), "{origin}");
    assert_eq!(sources.find(Setting::PollingInterval).unwrap().0, "2");
}
