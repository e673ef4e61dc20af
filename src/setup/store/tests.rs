use super::*;
use crate::settings::ConfigFile;

fn secret() -> Secret {
    Secret::parse("canary-key").unwrap()
}

fn planned(config: &Path, key_file: &Path) -> Result<Option<Planned>> {
    with_settings(config, &[(Setting::ApiKeyFile, key_file.as_os_str())])
}

/// Plans and writes.
fn point_at(config: &Path, key_file: &Path) -> Result<()> {
    planned(config, key_file)?.map_or(Ok(()), |planned| planned.write())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_key_is_its_owners_alone_and_the_configuration_points_at_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("a/b/config.toml");
    let key = Planned::key(&config, "api-key", &secret());
    key.write().unwrap();
    let path = key.path;
    point_at(&config, &path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "canary-key\n");
    assert_eq!((mode(&path), mode(&config)), (0o600, 0o644));
    let read = ConfigFile::read(&config).unwrap();
    assert_eq!(read.get(Setting::ApiKeyFile), path.to_str());
    assert_eq!(fs::read_dir(config.parent().unwrap()).unwrap().count(), 2, "nothing else is left there");
}

#[test]
fn a_second_time_changes_one_line_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let written = |before: &str| {
        fs::write(&config, before).unwrap();
        point_at(&config, Path::new("/a \"b\\c")).unwrap();
        assert_eq!(ConfigFile::read(&config).unwrap().get(Setting::ApiKeyFile), Some("/a \"b\\c"));
        fs::read_to_string(&config).unwrap()
    };
    let changed = written("# mine\napi_key_file = '/old'\nconfirmations = 4\n");
    assert_eq!(changed, "# mine\napi_key_file = '/a \"b\\c'\nconfirmations = 4\n");
    assert_eq!(written(&changed), changed);
    assert_eq!(written("'api_key_file' = 'a'\n"), "'api_key_file' = '/a \"b\\c'\n");
    assert_eq!(written("# api_key_file = 1\n"), "api_key_file = '/a \"b\\c'\n# api_key_file = 1\n");
}

#[test]
fn a_configuration_that_was_there_keeps_its_mode_and_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (link, real) = (folder.path().join("config.toml"), folder.path().join("real.toml"));
    fs::write(&real, "confirmations = 4\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("real.toml", &link).unwrap();
    point_at(&link, Path::new("/k")).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), "confirmations = 4\napi_key_file = \"/k\"\n");
    assert_eq!(mode(&real), 0o600);
}

#[test]
fn a_path_that_no_line_can_hold_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    assert!(point_at(&config, Path::new("/a\nb")).is_err());
    assert!(!config.exists());
}

#[test]
fn what_somebody_has_changed_is_not_taken_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let unit = Planned::text(folder.path().join("a.timer"), "weekly\n".to_owned());
    assert!(!unit.would_replace() && !unit.is_there());
    unit.write().unwrap();
    assert!(!unit.would_replace() && unit.is_there());
    fs::write(&unit.path, "daily\n").unwrap();
    assert!(unit.would_replace() && !unit.is_there());
}

#[test]
fn what_cannot_be_replaced_stays_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    fs::create_dir_all(folder.path().join("api-key").join("in-the-way")).unwrap();
    assert!(Planned::key(&config, "api-key", &secret()).write().is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_shown_before_it_is_written_has_no_key() {
    let (config, key) = (Path::new("/c/config.toml"), Planned::key(Path::new("/c/config.toml"), "api-key", &secret()));
    assert_eq!(key.shown(), ["/c/api-key (mode 600):", "  ********"]);
    let shown = planned(config, &key.path).unwrap().unwrap().shown();
    assert_eq!(shown[0], "/c/config.toml (mode 644):");
    assert!(shown[1].starts_with("  # Settings of ipv64-acme"), "{shown:?}");
    assert_eq!(shown[2], "  api_key_file = \"/c/api-key\"");
}

#[test]
fn two_configurations_in_a_folder_have_a_key_each() {
    let path = |name: &str| Planned::key(&Path::new("/c").join(name), "api-key", &secret()).path;
    assert_eq!(path("config.toml"), Path::new("/c/api-key"));
    assert_eq!(path("other.toml"), Path::new("/c/other.toml.api-key"));
    assert_ne!(path("other.toml"), path("other.conf"));
}
