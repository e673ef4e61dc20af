//! certbot with the manual hooks: Debian's version and the newest one.

use std::fs;
use std::path::PathBuf;

use super::{Client, cases, with_names};
use crate::support::page;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::stage::Stage;

/// One installed version of certbot.
struct Certbot {
    program: fn() -> PathBuf,
}

const DEBIAN: Certbot = Certbot { program: || programs::system("certbot") };
const NEWEST: Certbot = Certbot { program: || programs::python_environment("certbot") };

impl Certbot {
    fn variables(stage: &Stage) -> [(&'static str, String); 2] {
        [
            ("XDG_CONFIG_HOME", stage.path("config").display().to_string()),
            ("REQUESTS_CA_BUNDLE", stage.pebble.server_certificate().display().to_string()),
        ]
    }
}

impl Client for Certbot {
    /// What the page does not show, because it belongs to the test, stands in certbot's own configuration file.
    fn install(&self, stage: &Stage) {
        stage.put_into_path("certbot", &(self.program)());
        let options = [
            format!("server = {}", stage.pebble.directory()),
            format!("config-dir = {}", stage.path("certbot").display()),
            format!("work-dir = {}", stage.path("certbot-work").display()),
            format!("logs-dir = {}", stage.path("certbot-logs").display()),
            "non-interactive = true".to_owned(),
            "agree-tos = true".to_owned(),
            "register-unsafely-without-email = true".to_owned(),
        ];
        fs::create_dir_all(stage.path("config/letsencrypt")).unwrap();
        fs::write(stage.path("config/letsencrypt/cli.ini"), options.join("\n")).unwrap();
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        let block = page::shell_block("clients/certbot.md", "Get a certificate");
        stage.shell(&with_names(&block, names), &Self::variables(stage))
    }

    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        stage.path("certbot/live").join(first).join("fullchain.pem")
    }
}

cases::for_client!(debian, DEBIAN);
cases::for_client!(newest, NEWEST);
