//! Apache with mod_md, with both versions of its hook. It gets its certificate while it runs.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Client, cases};
use crate::support::page;
use crate::support::process::{self, Finished};
use crate::support::programs;
use crate::support::stage::Stage;

/// How long Apache may take. Names that share a record name wait for the CA's cache in between.
const LIMIT: Duration = Duration::from_secs(170);
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// The modules that are not built in, for the main job and nothing else.
const MODULES: [&str; 4] = ["mpm_event", "authz_core", "ssl", "md"];

/// Apache with one of the two versions of the hook.
pub(super) struct Apache {
    version: u8,
}

pub(super) const FIRST: Apache = Apache { version: 1 };
pub(super) const SECOND: Apache = Apache { version: 2 };

impl Apache {
    /// The lines of the page, for these names and the folders of a stage.
    fn lines_of_page(&self, stage: &Stage, names: &[&str]) -> String {
        const NAMES: &str = "name.ipv64.net *.name.ipv64.net";
        const VERSION: &str = "MDChallengeDns01Version 2";
        let block = page::block("clients/apache.md", "Configure", "apache");
        assert!(block.contains(NAMES) && block.contains(VERSION), "{block}");
        let version = if self.version == 1 { "" } else { VERSION };
        let block = match stage.variable("IPV64_BROKER") {
            broker if broker.is_empty() => block,
            broker => with_broker(&block, &broker),
        };
        block
            .replace(NAMES, &names.join(" "))
            .replace(VERSION, version)
            .replace("/usr/local/bin/ipv64-acme", &stage.path("bin/ipv64-acme").display().to_string())
            .replace("/etc/ipv64-acme/apache.key", &stage.path("apache.key").display().to_string())
            .replace("/etc/ipv64-acme/apache.token", &stage.path("apache.key").display().to_string())
            .replace("/var/lib/ipv64-acme-apache", &stage.path("apache-state").display().to_string())
    }

    fn configuration(&self, stage: &Stage, names: &[&str]) -> String {
        let folder = stage.path("apache").display().to_string();
        let modules = MODULES.map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        format!(
            "{modules}ServerRoot {folder}\nServerName {first}\nPidFile {folder}/pid\nErrorLog {folder}/log\n\
             LogLevel warn md:info\nUser www-data\nGroup www-data\nListen 127.0.0.1:{port}\nMDPortMap https:{port}\n\
             MDStoreDir {folder}/md\nMDCertificateAuthority {directory}\nMDCACertificateFile {certificate}\n\
             MDContactEmail you@example.com\nMDPrivateKeys secp256r1\nMDRetryDelay 1s\n{page}\n\
             <VirtualHost 127.0.0.1:{port}>\nServerName {first}\nSSLEngine on\n</VirtualHost>\n",
            modules = modules.concat(),
            first = names[0],
            directory = stage.pebble.directory(),
            certificate = stage.pebble.server_certificate().display(),
            page = self.lines_of_page(stage, names),
        )
    }

    /// Runs Apache until `done` says so, or the time is up.
    pub(super) fn run_until(&self, stage: &Stage, names: &[&str], done: &dyn Fn() -> bool) -> Finished {
        let key = stage.path("apache.key");
        let token = fs::read_to_string(stage.path("token")).unwrap_or_default();
        fs::write(&key, stage.variable("IPV64_API_KEY") + &token).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        give_to_apache(&key);
        let file = stage.path("apache/conf");
        fs::write(&file, self.configuration(stage, names)).unwrap();
        let mut command = stage.command(programs::system("apache2"));
        // The flags of the page have to do without these.
        for flag in ["API_KEY", "STATE_DIR", "BROKER", "BROKER_TOKEN_FILE"] {
            command.env_remove(format!("IPV64_{flag}"));
        }
        let mut apache = Running(command.args(["-DFOREGROUND", "-f"]).arg(&file).stdin(Stdio::null()).spawn().unwrap());
        let until = Instant::now() + LIMIT;
        while Instant::now() < until && !done() && apache.0.try_wait().unwrap().is_none() {
            std::thread::sleep(LOOK);
        }
        let status = apache.end();
        let log = fs::read_to_string(stage.path("apache/log")).unwrap_or_default();
        Finished { status, stdout: String::new(), stderr: log }
    }
}

/// The lines of the page with the hook that asks a broker.
fn with_broker(block: &str, broker: &str) -> String {
    let hook = page::block("clients/apache.md", "With a broker", "apache");
    let hook = hook.replace("https://broker.example.com:8443", broker);
    let name = |line: &str| line.split(' ').next().map(str::to_owned);
    block.lines().map(|line| if name(line) == name(&hook) { &hook } else { line }).collect::<Vec<_>>().join("\n")
}

/// A running Apache; ends with the value.
struct Running(Child);

impl Running {
    fn end(&mut self) -> std::process::ExitStatus {
        process::signal(&self.0.id().to_string(), "TERM");
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.end();
        }
    }
}

/// Gives a path to Apache's user, where the tests may do that: otherwise Apache runs as the user of the tests.
fn give_to_apache(path: &Path) {
    let user = process::run(Command::new("id").args(["-u", "www-data"])).stdout;
    let user = user.trim().parse().expect("there is a user www-data");
    if chown(path, Some(user), None).is_err() {
        assert_ne!(process::run(Command::new("id").arg("-u")).stdout.trim(), "0");
    }
}

impl Client for Apache {
    fn install(&self, stage: &Stage) {
        // Apache's user has to reach the hook, and the build folder may be in a home that is closed to others.
        fs::set_permissions(stage.path("."), fs::Permissions::from_mode(0o755)).unwrap();
        let program = stage.path("bin/ipv64-acme");
        fs::remove_file(&program).unwrap();
        fs::copy(programs::hook(), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["apache", "apache-state"] {
            fs::create_dir(stage.path(folder)).unwrap();
        }
        fs::set_permissions(stage.path("apache-state"), fs::Permissions::from_mode(0o700)).unwrap();
        give_to_apache(&stage.path("apache-state"));
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        let chain = self.chain(stage, names[0]);
        self.run_until(stage, names, &|| chain.is_file() && stage.sim.records_left().is_empty())
    }

    /// Where a certificate waits for Apache's next restart.
    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        stage.path("apache/md/staging").join(first).join("pubcert.secp256r1.pem")
    }
}

cases::for_client!(first_version, FIRST, "apache2");
cases::for_client!(second_version, SECOND, "apache2");

/// A clone in a home of mode 700 is the usual case for root.
#[test]
#[ignore = "needs pebble and apache2: run tests/run"]
fn the_hook_is_where_the_user_of_apache_may_run_it() {
    let stage = cases::stage_for(&SECOND);
    let program = fs::canonicalize(stage.path("bin/ipv64-acme")).unwrap();
    assert_eq!(program, fs::canonicalize(stage.path(".")).unwrap().join("bin/ipv64-acme"));
    let modes = [".", "bin", "bin/ipv64-acme"].map(|path| fs::metadata(stage.path(path)).unwrap().permissions().mode());
    assert!(modes.iter().all(|mode| mode & 0o005 == 0o005), "{modes:?}");
}

/// Apache tries again and again, and submits nothing as long as its hook fails.
#[test]
#[ignore = "needs pebble and apache2: run tests/run"]
fn a_failing_setup_is_not_submitted_and_leaves_nothing() {
    let mut stage = cases::stage_for(&SECOND);
    stage.sim.set_server("ns2.ipv64.net", &ipv64_acme::sim::ServerSettings::stale()).unwrap();
    stage.set_variable("IPV64_PROPAGATION_TIMEOUT", "2");
    let deleted = || cases::calls(&stage.sim, ipv64_acme::sim::CallKind::DelRecord) > 0;
    // The hook deletes, then it says why, and Apache writes that down.
    let told = || fs::read_to_string(stage.path("apache/log")).is_ok_and(|log| log.contains("ns2.ipv64.net"));
    let finished = SECOND.run_until(&stage, &["name.ipv64.net"], &|| deleted() && told());
    assert!(finished.stderr.contains("ns2.ipv64.net"), "{}", finished.said());
    assert_eq!(stage.pebble.validations(), 0, "{}", stage.pebble.log());
    cases::assert_nothing_left(&stage);
}
