//! How each ACME client is called, with our program as its documentation page says, and with what else people use.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::Programs;
use super::plan::Method;
use super::support::programs::system;

/// Where a client runs, and whom it talks to.
pub(crate) struct Place<'a> {
    pub(crate) folder: &'a Path,
    /// The address of the ACME directory.
    pub(crate) directory: String,
    pub(crate) key: &'a str,
    /// The certificates to trust, for the one client that does not take the system's.
    pub(crate) trusted: PathBuf,
    pub(crate) programs: &'a Programs,
}

impl Place<'_> {
    fn path(&self, below: &str) -> PathBuf {
        self.folder.join(below)
    }

    fn text(&self, below: &str) -> String {
        self.path(below).display().to_string()
    }

    /// Writes a file that only its owner can read.
    fn write_secret(&self, below: &str, text: &str) -> Result<String> {
        fs::write(self.path(below), text)?;
        fs::set_permissions(self.path(below), fs::Permissions::from_mode(0o600))?;
        Ok(self.text(below))
    }
}

/// Makes the command that asks for a certificate of these names; only its arguments and files, not its environment.
pub(crate) fn command(method: Method, names: &[String], place: &Place<'_>) -> Result<Command> {
    fs::create_dir_all(place.path("bin"))?;
    symlink(&place.programs.ours, place.path("bin/ipv64-acme"))?;
    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/figures/curl-hook"), place.path("bin/curl-hook"))?;
    match method {
        Method::CertbotOurs => Ok(manual("ipv64-acme", names, place)),
        Method::CertbotCurl => Ok(manual("curl-hook", names, place)),
        Method::PluginOurs => plugin(names, place),
        Method::DnsMulti => dns_multi(names, place),
        Method::DehydratedOurs => dehydrated("ipv64-acme", "yes", names, place),
        Method::DehydratedCurl => dehydrated("curl-hook", "no", names, place),
        Method::LegoOurs => {
            let mut lego = lego("ipv64-acme", &["--dns.disable-cp"], names, place);
            lego.env("EXEC_SEQUENCE_INTERVAL", "1").env("EXEC_POLLING_INTERVAL", "1");
            lego.env("LEGO_DISABLE_CNAME_SUPPORT", "true");
            Ok(lego)
        }
        Method::LegoCurl => Ok(lego("curl-hook", &[], names, place)),
    }
}

/// Returns the file in which the client leaves the chain of the certificate.
pub(crate) fn chain(method: Method, first: &str, folder: &Path) -> PathBuf {
    match method {
        Method::DehydratedOurs | Method::DehydratedCurl => folder.join("dehydrated/certs/test/fullchain.pem"),
        Method::LegoOurs | Method::LegoCurl => folder.join("lego/certificates").join(format!("{first}.crt")),
        _ => folder.join("certbot/live").join(first).join("fullchain.pem"),
    }
}

fn domain_options(names: &[String]) -> impl Iterator<Item = &str> {
    names.iter().flat_map(|name| ["-d", name.as_str()])
}

fn certbot(names: &[String], place: &Place<'_>) -> Command {
    let mut certbot = Command::new(place.programs.python.join("certbot"));
    certbot.args(["certonly", "--non-interactive", "--agree-tos", "--register-unsafely-without-email"]);
    certbot.args(["--server", &place.directory, "--config-dir", &place.text("certbot")]);
    certbot.args(["--work-dir", &place.text("certbot-work"), "--logs-dir", &place.text("certbot-logs")]);
    // Python's requests brings a list of certificates of its own.
    certbot.args(domain_options(names)).env("REQUESTS_CA_BUNDLE", &place.trusted);
    certbot
}

fn manual(hook: &str, names: &[String], place: &Place<'_>) -> Command {
    let mut certbot = certbot(names, place);
    certbot.args(["--manual", "--preferred-challenges", "dns"]);
    certbot.args(["--manual-auth-hook", &format!("{hook} auth"), "--manual-cleanup-hook", &format!("{hook} cleanup")]);
    certbot
}

fn plugin(names: &[String], place: &Place<'_>) -> Result<Command> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/certbot-dns-ipv64/python/certbot_dns_ipv64");
    let metadata = place.path("plugin/certbot_dns_ipv64-0.dist-info");
    fs::create_dir_all(&metadata)?;
    symlink(package, place.path("plugin/certbot_dns_ipv64"))?;
    fs::write(metadata.join("METADATA"), "Metadata-Version: 2.1\nName: certbot-dns-ipv64\nVersion: 0\n")?;
    fs::write(metadata.join("entry_points.txt"), "[certbot.plugins]\ndns-ipv64 = certbot_dns_ipv64:Authenticator\n")?;
    let credentials = place.write_secret("plugin.ini", &format!("dns_ipv64_api_key = {}\n", place.key))?;
    let mut certbot = certbot(names, place);
    certbot.args(["--authenticator", "dns-ipv64", "--dns-ipv64-credentials", &credentials]);
    certbot.env("CERTBOT_PLUGIN_PATH", place.path("plugin")).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(certbot)
}

fn dns_multi(names: &[String], place: &Place<'_>) -> Result<Command> {
    let settings = format!("dns_multi_provider = ipv64\nIPV64_API_KEY = {}\n", place.key);
    let credentials = place.write_secret("dns-multi.ini", &settings)?;
    let mut certbot = certbot(names, place);
    certbot.args(["--authenticator", "dns-multi", "--dns-multi-credentials", &credentials]);
    Ok(certbot)
}

/// Registers the account beforehand, since dehydrated makes an RSA key of 4096 bits for it, as nobody else does.
fn dehydrated(hook: &str, chain: &str, names: &[String], place: &Place<'_>) -> Result<Command> {
    fs::create_dir_all(place.path("dehydrated"))?;
    // For the same reason the certificate gets a key of the kind that the others make.
    let settings = format!(
        "CHALLENGETYPE=dns-01\nHOOK='{}'\nHOOK_CHAIN={chain}\nCA='{}'\nBASEDIR='{}'\n\
         KEY_ALGO=prime256v1\n",
        place.path("bin").join(hook).display(),
        place.directory,
        place.text("dehydrated"),
    );
    fs::write(place.path("dehydrated/config"), settings)?;
    let call = |what: &str| {
        let mut dehydrated = Command::new(system("dehydrated"));
        dehydrated.arg(what).arg("--config").arg(place.path("dehydrated/config"));
        dehydrated
    };
    let registered = call("--register").arg("--accept-terms").output()?;
    ensure!(registered.status.success(), "{}", String::from_utf8_lossy(&registered.stderr));
    let mut dehydrated = call("--cron");
    dehydrated.args(["--alias", "test"]).args(domain_options(names));
    Ok(dehydrated)
}

fn lego(hook: &str, options: &[&str], names: &[String], place: &Place<'_>) -> Command {
    let mut lego = Command::new(system("lego"));
    lego.args(["--server", &place.directory, "--path", &place.text("lego"), "--accept-tos"]);
    lego.args(["--email", "you@example.com", "--dns", "exec"]).args(options).args(domain_options(names)).arg("run");
    lego.env("EXEC_PATH", place.path("bin").join(hook));
    lego
}
