use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::super::environment::Environment;
use super::*;
use crate::exit::Exit;

fn find_in(flags: &[(Setting, String)], variables: &[(&str, &str)]) -> Result<String> {
    let environment = Environment::new(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    find(&Sources { flags, environment: &environment, file: None }).map(|key| key.expose().to_owned())
}

fn file(directory: &tempfile::TempDir, name: &str, text: &str, mode: u32) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn places_are_looked_at_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "key", "from-file\n", 0o600);
    let flag = [(Setting::ApiKeyFile, path.clone())];
    assert_eq!(find_in(&flag, &[("IPV64_API_KEY", "from-env")]).unwrap(), "from-file");
    assert_eq!(find_in(&[], &[("IPV64_API_KEY_FILE", &path), ("IPV64_API_KEY", "from-env")]).unwrap(), "from-env");
    assert_eq!(find_in(&[], &[("IPV64_API_KEY_FILE", &path)]).unwrap(), "from-file");
    assert_eq!(find_in(&[], &[("IPV64_API_KEY_FILE", &format!("{path} "))]).unwrap(), "from-file");
    assert_eq!(find_in(&[], &[("IPv64_Token", "of-acme-sh")]).unwrap(), "of-acme-sh");
    assert_eq!(find_in(&[], &[("IPV64_API_TOKEN", "token")]).unwrap(), "token");
}

#[test]
fn the_systemd_credential_may_have_group_bits() {
    let directory = tempfile::tempdir().unwrap();
    file(&directory, KEY.systemd, "from-systemd", 0o440);
    let place = directory.path().to_str().unwrap();
    assert_eq!(find_in(&[], &[("CREDENTIALS_DIRECTORY", place)]).unwrap(), "from-systemd");
    let path = file(&directory, "other", "named", 0o444);
    assert_eq!(find_in(&[], &[("CREDENTIALS_DIRECTORY", place), ("IPV64_API_KEY_FILE", &path)]).unwrap(), "named");
    assert_eq!(find_in(&[], &[("IPV64_API_KEY_FILE", &path)]).unwrap_err().kind(), "key_exposed");
}

#[test]
fn a_file_of_another_user_or_that_others_can_replace_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let path = file(&directory, "folder/key", "canary-key", 0o600);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = |variables: &[(&str, &str)]| find_in(&[], variables).unwrap_err();
    let error = refused(&[("IPV64_API_KEY_FILE", &path)]);
    assert!(error.kind() == "key_exposed" && error.hint().unwrap().contains("chmod go-w"), "{error}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let credential = file(&directory, "folder/ipv64-api-key", "canary-key", 0o440);
    for path in [&path, &credential] {
        // Only root can give a file away.
        if std::os::unix::fs::chown(path, Some(54_321), None).is_err() {
            return;
        }
    }
    for variable in [("IPV64_API_KEY_FILE", path.as_str()), ("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())] {
        let error = refused(&[variable]);
        assert!(error.kind() == "key_exposed" && error.to_string().contains("belongs to user 54321"), "{error}");
    }
}

#[test]
fn a_text_that_goes_on_after_the_key_is_refused_and_not_cut() {
    let directory = tempfile::tempdir().unwrap();
    let longest = usize::try_from(LONGEST_KEY).unwrap();
    for text in ["a".repeat(longest + 1), format!("canary-key{}more", "\n".repeat(longest))] {
        let path = file(&directory, "key", &text, 0o600);
        let error = find_in(&[], &[("IPV64_API_KEY_FILE", &path)]).unwrap_err();
        assert!(error.kind() == "key_malformed" && error.to_string().contains("more than 4096 bytes"), "{error}");
        let in_variable = find_in(&[], &[("IPV64_API_KEY", &text)]);
        assert!(in_variable.as_ref().is_err_and(|error| error.kind() == "key_malformed"), "{in_variable:?}");
    }
    assert!(find_in(&[], &[("IPV64_API_KEY_FILE", &file(&directory, "key", &"a".repeat(longest), 0o600))]).is_ok());
}

#[test]
fn only_a_regular_file_is_opened() {
    let error = find_in(&[], &[("IPV64_API_KEY_FILE", "/dev/null")]).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[test]
fn a_missing_key_names_the_places() {
    let error = find_in(&[], &[]).unwrap_err();
    assert_eq!(error.kind().exit(), Exit::Key);
    let details = error.details().join("\n");
    for place in ["IPV64_API_KEY,", "IPV64_API_KEY_FILE", "IPv64_Token", "ipv64-api-key"] {
        assert!(details.contains(place), "{details}");
    }
}

#[test]
fn a_key_in_place_of_its_path_is_not_shown() {
    let key = "c4n4ry0123456789abcdefABCDEF0123";
    for path in [key.to_owned(), format!("/no/such/place/{key}")] {
        let error = find_in(&[], &[("IPV64_API_KEY_FILE", &path)]).unwrap_err();
        let text = format!("{error} {:?} {error:?} {}", error.hint(), shown(Path::new(&path)));
        assert!(!text.contains("c4n4ry"), "{text}");
        assert!(text.contains("IPV64_API_KEY"), "{text}");
    }
}

#[test]
fn bad_files_are_refused_and_their_content_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let exposed = file(&directory, "exposed", "canary-key", 0o644);
    let empty = file(&directory, "empty", "\n", 0o600);
    let lines = file(&directory, "lines", "canary-key\nmore\n", 0o600);
    let missing = directory.path().join("missing").to_str().unwrap().to_owned();
    let folder = directory.path().to_str().unwrap().to_owned();
    for path in [exposed, empty, lines, missing, folder] {
        let error = find_in(&[], &[("IPV64_API_KEY_FILE", &path)]).unwrap_err();
        let text = format!("{error} {:?} {error:?}", error.hint());
        assert!(text.contains(&path), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}
