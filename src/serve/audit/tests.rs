use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::*;

fn line(client: Option<&str>, address: &str) -> Line {
    Line {
        client: client.map(str::to_owned),
        address: address.to_owned(),
        dialect: "httpreq".to_owned(),
        action: "present".to_owned(),
        name: Some("_acme-challenge.a.example".to_owned()),
        outcome: "done".to_owned(),
        calls: 1,
        wait_seconds: 1.5,
        ..Line::default()
    }
}

fn open(folder: &Path) -> (Audit, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    (Audit::open(folder, Arc::new(move |error| ear.lock().unwrap().push(error.to_string()))).unwrap(), told)
}

fn all(folder: &Path) -> (Vec<Line>, u64) {
    read(folder, usize::MAX, |_| true).unwrap()
}

#[test]
fn a_line_is_a_document_that_only_its_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, _) = open(folder.path());
    audit.note(&line(Some("web"), "192.0.2.1"));
    let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document.as_object().unwrap().len(), 10, "{text}");
    assert!(document["time"].as_str().unwrap().ends_with('Z') && document["record"].is_null());
    assert_eq!(fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(all(folder.path()).0[0].wait_seconds, 1.5);
}

#[test]
fn it_is_rotated_and_one_older_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(OLDER), "older\n").unwrap();
    let full = File::create(folder.path().join(FILE)).unwrap();
    full.set_len(LARGEST).unwrap();
    let (audit, told) = open(folder.path());
    audit.note(&line(Some("web"), "192.0.2.1"));
    assert_eq!(fs::metadata(folder.path().join(OLDER)).unwrap().len(), LARGEST);
    assert!(fs::metadata(folder.path().join(FILE)).unwrap().len() < 1000);
    assert!(told.lock().unwrap().is_empty());
    assert_eq!(all(folder.path()).0.len(), 1);
}

/// By logrotate, by hand, or by the rotation of this program whose second step has failed.
#[test]
fn a_log_that_was_moved_away_is_begun_again() {
    for size in [0, LARGEST] {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join(FILE)).unwrap().set_len(size).unwrap();
        let (audit, told) = open(folder.path());
        fs::rename(folder.path().join(FILE), folder.path().join("moved")).unwrap();
        audit.note(&line(Some("web"), "192.0.2.1"));
        assert!(told.lock().unwrap().is_empty(), "{told:?}");
        assert_eq!(all(folder.path()).0.len(), 1);
    }
}

#[test]
fn damaged_lines_are_counted_and_harm_no_others() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).0.note(&line(Some("web"), "192.0.2.1"));
    // A line that a power cut has torn, and what a person has written.
    let mut file = OpenOptions::new().append(true).open(folder.path().join(FILE)).unwrap();
    file.write_all(b"\n\xff\xfe\n[1]\n{\"time\":\"20").unwrap();
    open(folder.path()).0.note(&line(Some("nas"), "192.0.2.2"));
    let (lines, damaged) = all(folder.path());
    let clients: Vec<_> = lines.iter().map(|line| line.client.as_deref().unwrap()).collect();
    assert_eq!((clients, damaged), (vec!["web", "nas"], 3));
    let (last, _) = read(folder.path(), 1, |_| true).unwrap();
    assert_eq!(last[0].client.as_deref(), Some("nas"));
    assert!(read(&folder.path().join("nothing"), 9, |_| true).unwrap().0.is_empty());
}

#[test]
fn a_full_disk_is_told_once_and_fails_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, told) = open(folder.path());
    // Every write to it fails as on a full disk.
    let path = folder.path().join(FILE);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    for _ in 0..3 {
        audit.note(&line(Some("web"), "192.0.2.1"));
    }
    assert_eq!(audit.lost(), 3);
    assert_eq!(told.lock().unwrap().len(), 1, "{told:?}");
    fs::remove_file(&path).unwrap();
    audit.note(&line(Some("web"), "192.0.2.1"));
    assert_eq!((audit.lost(), all(folder.path()).0.len(), all(folder.path()).1), (3, 1, 0));
}

#[test]
fn unknown_clients_cannot_push_others_out() {
    let mut shares = Shares::default();
    let mut admitted = |minute: u64, host: u32| {
        let mut line = Line { time: format!("2026-11-28T10:0{minute}:59Z"), ..line(None, &format!("192.0.2.{host}")) };
        shares.admit(&mut line).then_some(line.left_out)
    };
    assert_eq!([admitted(0, 1), admitted(0, 1), admitted(0, 2), admitted(0, 1)], [Some(0), None, Some(1), None]);
    assert_eq!((0..100).filter_map(|host| admitted(1, host)).collect::<Vec<_>>(), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(admitted(2, 1), Some(90));
}

/// Else a token is enough to make room for whatever was done with it.
#[test]
fn a_client_cannot_push_out_what_has_caused_calls() {
    let mut shares = Shares::default();
    let mut admitted = |hour: u64, client: &str, calls: u64| {
        let time = format!("2026-11-28T1{hour}:00:00Z");
        let mut line = Line { time, calls, ..line(Some(client), "192.0.2.1") };
        shares.admit(&mut line).then_some(line.left_out)
    };
    let count = (0..100_000).filter_map(|_| admitted(0, "web", 0)).count();
    assert_eq!(count, MOST_OF_CLIENT as usize);
    assert_eq!((admitted(0, "web", 0), admitted(0, "nas", 0)), (None, Some(0)));
    assert_eq!(admitted(0, "web", 1), Some(99_401));
    assert_eq!((admitted(0, "web", 0), admitted(1, "web", 0)), (None, Some(1)));
    // For days, whatever they send.
    let (a_line, a_day) = (serde_json::to_string(&line(Some("web"), "192.0.2.1")).unwrap().len() as u64, 24);
    assert!(a_line * u64::from(MOST_OF_CLIENT) * a_day < LARGEST / 2);
    assert!(a_line * MOST_UNKNOWN as u64 * 60 * a_day < LARGEST / 2);
}

#[test]
fn lines_that_are_left_out_are_counted_and_those_of_clients_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, _) = open(folder.path());
    for _ in 0..500 {
        audit.note(&line(None, "192.0.2.1"));
        audit.note(&line(Some("web"), "192.0.2.1"));
    }
    let (lines, _) = all(folder.path());
    let unknown = lines.iter().filter(|line| line.client.is_none()).count();
    assert!((1..500).contains(&unknown) && lines.len() == unknown + 500, "{unknown}");
}

/// A pipe would be waited for, and a device has no end.
#[test]
fn what_stands_in_place_of_the_log_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    assert!(read(folder.path(), 9, |_| true).unwrap_err().to_string().contains("cannot read the audit log"));
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    assert!(read(folder.path(), 9, |_| true).is_err());
}
