//! Which settings can be the cause of which kind of error: where somebody has changed one of them, the error names it. The
//! one table of this; errors know nothing of settings.

use super::{Origin, Setting, Shown, Sources, key};
use crate::error::Kind;
use crate::excerpt::excerpt;
use crate::http::without_secrets;

/// How much of a value is shown, in characters.
const SHOWN: usize = 120;

/// The settings that can lead to an error of a kind, the likeliest first.
const fn suspects(kind: Kind) -> &'static [Setting] {
    use Setting::*;
    match kind {
        Kind::TimedOut => &[ApiUrl, HttpTimeout],
        Kind::Tls => &[ApiUrl, CaFile],
        Kind::Unauthorized | Kind::Forbidden => &[ApiUrl, ApiAuth],
        Kind::Unavailable
        | Kind::Redirected
        | Kind::Unreachable
        | Kind::ConnectionClosed
        | Kind::AnswerTruncated
        | Kind::AnswerTooLarge
        | Kind::NotHttp => &[ApiUrl],
        Kind::RateLimited => &[ApiRate],
        Kind::NoDomain => &[Domain, FollowCname],
        Kind::NotPropagated => &[Nameservers, NameserverPort, RootServers],
        Kind::NameServersUnreachable => &[Nameservers, NameserverPort, RootServers, Resolvers, Doh],
        Kind::CnameLoop | Kind::CnameTooLong => &[Resolvers, Nameservers],
        _ => &[],
    }
}

impl Sources<'_> {
    /// Returns each setting that is not at its default and can be the cause of errors of these kinds, with its value and the
    /// usual one.
    pub fn suspects(&self, is_kind: impl Fn(Kind) -> bool) -> Vec<String> {
        use Setting::{ApiAuth, ApiRate, ApiUrl, Domain};
        let mut settings: Vec<Setting> = Vec::new();
        for setting in Kind::ALL.iter().filter(|kind| is_kind(**kind)).flat_map(|kind| suspects(*kind)) {
            if !settings.contains(setting) {
                settings.push(*setting);
            }
        }
        if self.find(Setting::Broker).is_some() {
            settings.retain(|setting| !matches!(setting, ApiUrl | ApiAuth | ApiRate | Domain));
        }
        settings.into_iter().filter_map(|setting| self.suspect(setting)).collect()
    }

    fn suspect(&self, setting: Setting) -> Option<String> {
        let (value, origin) = self.shown(setting)?;
        let usual = setting.default_text();
        if matches!(origin, Origin::Default(_)) || usual == Some(value.as_str()) {
            return None;
        }
        let usual = usual.map_or_else(|| "it is not set".to_owned(), |usual| format!("`{usual}`"));
        Some(format!("{origin} is `{}`, and usually {usual}", excerpt(&value, SHOWN)))
    }

    /// Returns the value in force as it may be shown, without what is secret in it, and where it is.
    #[must_use]
    pub fn shown(&self, setting: Setting) -> Option<(String, Origin)> {
        let (value, origin) = self.find(setting)?;
        let value = match setting.shown() {
            Shown::KeyPath => key::shown(value.as_ref()),
            Shown::Url => value.split(',').map(without_secrets).collect::<Vec<_>>().join(","),
            Shown::Text | Shown::Path => value,
        };
        Some((value, origin))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Environment;
    use super::*;

    #[test]
    fn only_changed_settings_that_can_be_the_cause_are_named() {
        let set = |name: &str, value: &str| (name.into(), value.into());
        let environment = Environment::new([
            set("IPV64_API_URL", "https://me:secret@ipv64.net/"),
            set("IPV64_HTTP_TIMEOUT", "30"),
            set("IPV64_NAMESERVERS", "192.0.2.1"),
        ]);
        let sources = Sources { flags: &[], environment: &environment, file: None };
        let lines = sources.suspects(|kind| kind == Kind::TimedOut);
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(
            line.contains("the variable IPV64_API_URL") && line.contains("usually `https://ipv64.net/api`"),
            "{line}"
        );
        assert!(!line.contains("secret"), "{line}");
        let lines = sources.suspects(|kind| kind == Kind::NameServersUnreachable);
        assert!(matches!(lines.as_slice(), [line] if line.contains("usually it is not set")), "{lines:?}");
        assert!(sources.suspects(|kind| kind == Kind::KeyMissing).is_empty());
    }
}
