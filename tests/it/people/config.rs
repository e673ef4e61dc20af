//! `config`, and the configuration file as every command reads it.

use std::fs;

use crate::support::environment::TestEnvironment;
use crate::support::values::FIRST;

fn env_with_file(text: &str) -> TestEnvironment {
    let mut env = TestEnvironment::new();
    let path = env.path("config.toml");
    fs::write(&path, text).unwrap();
    env.set("IPV64_CONFIG", path.to_str().unwrap());
    env
}

fn row(document: &serde_json::Value, name: &str) -> (String, String) {
    let rows = document["settings"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name).unwrap();
    (row["value"].as_str().unwrap().to_owned(), row["origin"].as_str().unwrap().to_owned())
}

#[test]
fn every_setting_is_shown_with_its_place_and_the_key_is_not() {
    let mut env = env_with_file("confirmations = 4\nhttp_timeout = \"20s\"\npolling_interval = 1\n");
    env.set("IPV64_HTTP_TIMEOUT", "21");
    let shown = env.json(&["config", "--polling-interval", "1.5"]);
    let file = env.path("config.toml").display().to_string();
    assert_eq!(row(&shown, "confirmations"), ("4".into(), file.clone()));
    assert_eq!(row(&shown, "http_timeout"), ("21".into(), "IPV64_HTTP_TIMEOUT".into()));
    assert_eq!(row(&shown, "polling_interval"), ("1.5".into(), "--polling-interval".into()));
    assert_eq!(row(&shown, "follow_cname"), ("true".into(), "default".into()));
    assert_eq!(shown["config_file"], file);
    assert_eq!(shown["api_key"]["origin"], "the variable IPV64_API_KEY");
    let key = env.sim.key(0).unwrap();
    assert!(!shown.to_string().contains(key) && !env.succeed(&["config"]).contains(key));
    assert!(env.calls().is_empty());
}

#[test]
fn the_state_directory_of_systemd_is_shown_as_such() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_STATE_DIR", "");
    env.set("STATE_DIRECTORY", "/run/a:/run/b");
    assert_eq!(row(&env.json(&["config"]), "state_dir"), ("/run/a".into(), "STATE_DIRECTORY".into()));
}

#[test]
fn an_address_that_cannot_be_used_is_named_once_with_the_rule() {
    let env = TestEnvironment::new();
    for flag in ["--api-url", "--resolvers", "--doh"] {
        let error = env.fail(&["account", flag, "http://example.org/api"], 2);
        assert_eq!(error.matches("cannot be used").count(), 1, "{error}");
        assert!(error.contains("`http://example.org/api`: plain http"), "{error}");
    }
}

#[test]
fn an_unknown_key_ends_every_command_before_it_does_anything() {
    let env = env_with_file("propagation_timeot = 1\n");
    for args in [&["config"][..], &["account"], &["doctor"], &["present", "_acme-challenge.name.ipv64.net", FIRST]] {
        let error = env.fail(args, 2);
        assert!(error.contains("`propagation_timeot` in ") && error.contains("`propagation_timeout`?"), "{error}");
        assert!(error.contains("config.toml"), "{error}");
    }
    assert!(env.calls().is_empty());
}

#[test]
fn a_bad_value_is_named_with_its_place() {
    let env = env_with_file("confirmations = 0\n");
    let finished = env.run(&["config"]);
    assert_eq!(finished.status.code(), Some(2));
    assert!(finished.stdout.contains("confirmations\t0\t"), "{}", finished.said());
    assert!(
        finished.stderr.contains("`confirmations` in ") && finished.stderr.contains("1 to 50"),
        "{}",
        finished.said()
    );
}

#[test]
fn a_file_that_does_not_exist_is_an_error_if_it_is_named() {
    let env = TestEnvironment::new();
    let missing = env.path("missing.toml").display().to_string();
    let error = env.fail(&["config", "--config", &missing], 2);
    assert!(error.contains(&missing) && error.contains("hint: "), "{error}");
}

#[test]
fn hooks_take_their_settings_from_the_file() {
    let env = env_with_file("propagation_timeout = 0\n");
    let said = env.succeed(&["present", "_acme-challenge.name.ipv64.net", FIRST]);
    assert_eq!(said, "_acme-challenge.name.ipv64.net: added\n");
}

#[test]
fn an_address_is_shown_without_a_key_that_stands_in_it() {
    let env = TestEnvironment::new();
    for url in [
        "https://127.0.0.1:1/api?apikey=canary",
        "http://api.example/?apikey=canary",
        "https://user:at@canary@api.example/",
    ] {
        for form in ["-v", "--json"] {
            for flag in ["--api-url", "--doh", "--resolvers"] {
                let said = env.run(&["config", form, flag, &format!("{url},{url}")]).said();
                assert!(!said.contains("canary") && said.contains(&url[..5]), "{flag}: {said}");
            }
        }
    }
}

#[test]
fn the_key_is_found_at_its_usual_place_beside_the_configuration() {
    let mut env = env_with_file("");
    env.set("IPV64_API_KEY", "");
    fs::write(env.path("api-key"), env.sim.key(0).unwrap()).unwrap();
    fs::set_permissions(env.path("api-key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    env.succeed(&["account"]);
    assert!(env.json(&["config"])["api_key"]["origin"].as_str().unwrap().contains("the usual place"));
}

#[test]
fn a_home_that_may_not_be_looked_into_is_passed_over() {
    let env = TestEnvironment::new();
    let finished = env.run_as_nobody_in_the_home_of_another(&["config"]);
    assert!(finished.status.success(), "{}", finished.said());
}

#[test]
fn the_key_is_masked_wherever_it_was_put_by_mistake() {
    let mut env = TestEnvironment::new();
    let key = env.sim.key(0).unwrap().to_owned();
    let record = format!("_acme-challenge.{key}.ipv64.net");
    env.set("IPV64_RESOLVERS", &format!("https://127.0.0.1:1/{key}"));
    env.set("IPV64_DOMAIN", &format!("{key}.ipv64.net"));
    for args in
        [&["config"][..], &["config", "--json"], &["present", &record, FIRST], &["doctor", "name.ipv64.net", "-v"]]
    {
        let said = env.run(args).said().to_lowercase();
        assert!(!said.contains(&key.to_lowercase()) && said.contains("********"), "{args:?}: {said}");
    }
}
