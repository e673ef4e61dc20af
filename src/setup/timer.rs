//! The timer of systemd that removes what was left over, once a week, as `docs/automation.md` shows it.

use std::path::Path;

use super::store::Planned;

/// Where the administrator's units are (systemd.unit(5)).
pub const FOLDER: &str = "/etc/systemd/system";
/// What switches the timer on.
pub const SWITCH_ON: &str = "systemctl enable --now ipv64-acme-sweep.timer";

/// Returns whether systemd runs this machine (`sd_booted(3)`), and we may give it units.
#[must_use]
pub fn is_possible() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/run/systemd/system").is_dir()
}

/// Plans service and timer, for a key or token in a file that is given to the service as a credential; nothing if a path has
/// characters that mean something in a unit.
#[must_use]
pub fn units(folder: &Path, exe: &Path, (credential, key_file): (&str, &Path)) -> Option<[Planned; 2]> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    let word = |path: &'_ Path| path.to_str().filter(|path| path.chars().all(plain)).map(str::to_owned);
    let (exe, key_file) = (word(exe)?, word(key_file)?);
    let unit = "[Unit]\nDescription=Remove challenge records that were left over\n\n";
    let service = format!(
        "{unit}[Service]\nType=oneshot\nExecStart={exe} sweep --yes\nLoadCredential={credential}:{key_file}\n\
         StateDirectory=ipv64-acme\nStateDirectoryMode=0700\n"
    );
    let timer = format!(
        "{unit}[Timer]\nOnCalendar=weekly\nRandomizedDelaySec=6h\nPersistent=true\n\n\
         [Install]\nWantedBy=timers.target\n"
    );
    let planned = |ending, text| Planned::text(folder.join(format!("ipv64-acme-sweep.{ending}")), text);
    Some([planned("service", service), planned("timer", timer)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIAL: &str = "ipv64-api-key";

    #[test]
    fn the_units_are_those_of_the_page_and_odd_paths_get_none() {
        let page = include_str!("../../docs/automation.md");
        let (exe, key) = (Path::new("/usr/local/bin/ipv64-acme"), Path::new("/etc/ipv64-acme/api-key"));
        let folder = tempfile::tempdir().unwrap();
        for unit in units(folder.path(), exe, (CREDENTIAL, key)).unwrap() {
            unit.write().unwrap();
            let text = std::fs::read_to_string(&unit.path).unwrap();
            assert!(page.contains(&format!("```ini\n{text}```")), "{text}");
        }
        for odd in ["/a b/x", "/a%n/x", "/a:b", "/a\nb", "/\"x"] {
            assert!(units(folder.path(), exe, (CREDENTIAL, Path::new(odd))).is_none(), "{odd}");
            assert!(units(folder.path(), Path::new(odd), (CREDENTIAL, key)).is_none(), "{odd}");
        }
    }
}
