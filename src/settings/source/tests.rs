use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
}

#[test]
fn flag_then_environment_then_default() {
    let environment = environment(&[("IPV64_CONFIRMATIONS", "4"), ("IPV64_HTTP_TIMEOUT", "")]);
    let flags = [(Setting::Confirmations, "5".to_owned())];
    let with_flag = Sources { flags: &flags, environment: &environment, file: None };
    assert_eq!(with_flag.find(Setting::Confirmations).unwrap().0, "5");
    let without = Sources { flags: &[], environment: &environment, file: None };
    assert_eq!(without.find(Setting::Confirmations).unwrap().0, "4");
    assert_eq!(without.find(Setting::HttpTimeout).unwrap().0, "30", "an empty variable counts as unset");
}

#[test]
fn a_value_that_is_not_what_was_set_names_no_place() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = || OsString::from_vec(b"/\xff".to_vec());
    let environment = Environment::new([("HOME".into(), bytes()), ("IPV64_STATE_DIR".into(), bytes())]);
    let sources = Sources { flags: &[], environment: &environment, file: None };
    assert_eq!(environment.user_dir("XDG_STATE_HOME", "below"), None);
    let error = sources.value(Setting::StateDir, super::super::parse::absolute_path).unwrap_err();
    assert!(error.to_string().ends_with("is not UTF-8"), "{error}");
    let long = environment_of_length(LONGEST_VALUE + 1);
    let sources = Sources { flags: &[], environment: &long, file: None };
    let error = sources.value(Setting::StateDir, super::super::parse::absolute_path).unwrap_err();
    assert!(error.to_string().ends_with("4097 bytes are more than any value needs"), "{error}");
}

fn environment_of_length(length: usize) -> Environment {
    environment(&[("IPV64_STATE_DIR", &"/".repeat(length))])
}

#[test]
fn state_goes_where_systemd_says() {
    let environment = environment(&[("STATE_DIRECTORY", "/run/a:/run/b")]);
    let sources = Sources { flags: &[], environment: &environment, file: None };
    assert_eq!(sources.default_state_dir(), Some(PathBuf::from("/run/a")));
}

#[test]
fn state_never_goes_where_the_hook_happens_to_run() {
    let environment = environment(&[("STATE_DIRECTORY", "relative"), ("XDG_STATE_HOME", "x"), ("HOME", ".")]);
    let sources = Sources { flags: &[], environment: &environment, file: None };
    assert!(sources.default_state_dir().is_none_or(|path| path.is_absolute()));
}
