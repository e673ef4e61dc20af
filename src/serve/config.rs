//! `serve.toml`: where the broker listens and which certificate it shows. Who may use it is in `clients/` beside it, and what
//! holds for every command (API key, API address, rate, state directory) in the settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use crate::error::{Error, Kind, Result};
use crate::excerpt::{visible, visible_path};
use crate::settings::environment::nearest;
use crate::settings::file;

/// The name of the file in the folder of `--config-dir`.
pub const FILE_NAME: &str = "serve.toml";
/// The names in it.
const NAMES: [&str; 5] = ["listen", "tls_cert", "tls_key", "socket", "admin_listen"];
/// Where `/metrics`, `/livez` and `/readyz` are if the file does not say.
const ADMIN: &str = "127.0.0.1:9464";
/// The smallest file that is of use on a network.
const EXAMPLE: &str = "write one such as:\n  \
                       listen = \"0.0.0.0:8443\"\n  \
                       tls_cert = \"/etc/ipv64-acme/tls/cert.pem\"\n  \
                       tls_key = \"/etc/ipv64-acme/tls/key.pem\"";

/// What `serve.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeConfig {
    /// The addresses for clients.
    pub listen: Vec<SocketAddr>,
    /// The certificate that is shown on all of them; without one they are on loopback, and speak plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The Unix socket for clients on this machine.
    pub socket: Option<PathBuf>,
    /// The address of `/metrics`, `/livez` and `/readyz`, in plain HTTP; none for an empty text.
    pub admin_listen: Option<SocketAddr>,
}

/// Where certificate and private key are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead to its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl ServeConfig {
    /// Reads the file in a folder. Relative paths in it start at the folder.
    ///
    /// # Errors
    /// If it is not there, can be changed by others, has an unknown name or a value that makes no sense.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        Self::parse(&path, &file::read_text(&path, EXAMPLE)?)
    }

    /// Reads the text of a file that is, or would be, at a path.
    ///
    /// # Errors
    /// As [`ServeConfig::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let values = file::values(path, text, |name| known(path, name))?;
        let place = Place { path, values };
        let tls = match (place.path_of("tls_cert"), place.path_of("tls_key")) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => return Err(place.refuse("tls_cert", "there is no `tls_key` beside it", EXAMPLE)),
            (None, Some(_)) => return Err(place.refuse("tls_key", "there is no `tls_cert` beside it", EXAMPLE)),
        };
        let admin = place.values.get("admin_listen").map_or(ADMIN, String::as_str);
        let admin_listen =
            Some(admin).filter(|text| !text.is_empty()).map(|text| place.address("admin_listen", text)).transpose()?;
        let listen = place.get("listen").unwrap_or_default().split(',').filter(|text| !text.trim().is_empty());
        let listen = listen.map(|text| place.address("listen", text)).collect::<Result<_>>()?;
        Ok(Self { listen, tls, socket: place.path_of("socket"), admin_listen })
    }
}

/// The file and its values, for messages that name both.
struct Place<'a> {
    path: &'a Path,
    values: BTreeMap<String, String>,
}

impl Place<'_> {
    /// Returns a value; an empty one counts as unset.
    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn path_of(&self, name: &str) -> Option<PathBuf> {
        let path = self.path.with_file_name(self.get(name)?);
        Some(std::path::absolute(&path).unwrap_or(path))
    }

    fn address(&self, name: &str, text: &str) -> Result<SocketAddr> {
        SocketAddr::from_str(text.trim()).map_err(|_| {
            let problem = format!("`{}` is not an address with a port", visible(text.trim()));
            let hint = "write ADDRESS:PORT: 127.0.0.1:8443 for this machine only, 0.0.0.0:8443 or [::]:8443 for every \
                        address of it";
            self.refuse(name, &problem, hint)
        })
    }

    fn refuse(&self, name: &str, problem: &str, hint: &str) -> Error {
        let problem = format!("`{name}` in `{}` cannot be used: {problem}", visible_path(self.path));
        Error::new(Kind::InvalidSetting, problem).advise(hint)
    }
}

/// Refuses what is no name of ours, and says which may be meant.
fn known(path: &Path, name: &str) -> Result<()> {
    if NAMES.contains(&name) {
        return Ok(());
    }
    let hint = nearest(&name.to_ascii_lowercase().replace('-', "_"), NAMES.into_iter()).map_or_else(
        || format!("the file may have {}; other settings are in config.toml", NAMES.join(", ")),
        |nearest| format!("did you mean `{nearest}`?"),
    );
    let problem = format!("`{}` in `{}` is not a setting of the broker", visible(name), visible_path(path));
    Err(Error::new(Kind::ConfigUnknownKey, problem).advise(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ServeConfig> {
        ServeConfig::parse(Path::new("/etc/ipv64-acme/serve.toml"), text)
    }

    #[test]
    fn paths_start_at_the_folder_and_lists_are_lists() {
        let config = parse(
            "listen = ['127.0.0.1:8443', '[::1]:8443']\ntls_cert = 'cert.pem'\ntls_key = '/k.pem'\nsocket = '/run/s'\n",
        )
        .unwrap();
        let tls = TlsFiles { certificate: "/etc/ipv64-acme/cert.pem".into(), key: "/k.pem".into() };
        assert_eq!(config.tls, Some(tls));
        assert_eq!(config.listen.len(), 2);
        assert_eq!(config.socket, Some("/run/s".into()));
        assert_eq!(config.admin_listen, ADMIN.parse().ok());
        assert_eq!(parse("admin_listen = ''").unwrap().admin_listen, None);
    }

    #[test]
    fn every_mistake_has_its_words() {
        for (text, kind, said) in [
            ("lisen = '127.0.0.1:1'", Kind::ConfigUnknownKey, "did you mean `listen`?"),
            ("api_url = 'x'", Kind::ConfigUnknownKey, "other settings are in config.toml"),
            ("listen = ':8443'", Kind::InvalidSetting, "`:8443` is not an address with a port"),
            ("listen = 'localhost:8443'", Kind::InvalidSetting, "write ADDRESS:PORT"),
            ("tls_cert = 'a'", Kind::InvalidSetting, "there is no `tls_key` beside it"),
            ("tls_key = 'a'", Kind::InvalidSetting, "there is no `tls_cert` beside it"),
            ("listen = {}", Kind::ConfigMalformed, "the table of `listen` cannot be used at line 1"),
            ("listen", Kind::ConfigMalformed, "cannot be understood"),
        ] {
            let error = parse(text).unwrap_err();
            let all = format!("{error:#} {}", error.hint().unwrap_or_default());
            assert!(error.kind() == kind && all.contains(said), "{text}: {all}");
        }
    }
}
