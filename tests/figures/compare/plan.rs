//! Which runs there are: methods, numbers of names, delays, limits. Nothing here runs anything.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Error, Result};

/// A way to get a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Method {
    /// certbot's manual hooks, ours.
    CertbotOurs,
    /// certbot with our plugin.
    PluginOurs,
    /// dehydrated with our hook and `HOOK_CHAIN=yes`.
    DehydratedOurs,
    /// lego's provider `exec`, ours.
    LegoOurs,
    /// certbot with certbot-dns-multi and lego's own provider for IPv64.
    DnsMulti,
    /// certbot's manual hooks, a script with curl and a sleep.
    CertbotCurl,
    /// dehydrated, the same script.
    DehydratedCurl,
    /// lego's provider `exec`, a script with curl, and lego's own check of the name servers.
    LegoCurl,
}

impl Method {
    pub(crate) const ALL: [Self; 8] = [
        Self::CertbotOurs,
        Self::PluginOurs,
        Self::DehydratedOurs,
        Self::LegoOurs,
        Self::DnsMulti,
        Self::CertbotCurl,
        Self::DehydratedCurl,
        Self::LegoCurl,
    ];

    /// What the tables call it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::CertbotOurs => "certbot manual, **ipv64-acme**",
            Self::PluginOurs => "certbot plugin, **ipv64-acme**",
            Self::DehydratedOurs => "dehydrated, **ipv64-acme**",
            Self::LegoOurs => "lego exec, **ipv64-acme**",
            Self::DnsMulti => "certbot-dns-multi, lego's `ipv64`",
            Self::CertbotCurl => "certbot manual, curl and sleep",
            Self::DehydratedCurl => "dehydrated, curl and sleep",
            Self::LegoCurl => "lego exec, curl, lego's check",
        }
    }

    /// How long a name takes, roughly: only to start the longest runs first.
    fn seconds_a_name(self) -> u64 {
        match self {
            Self::CertbotOurs | Self::PluginOurs | Self::DehydratedOurs | Self::DnsMulti => 6,
            Self::LegoOurs => 12,
            Self::CertbotCurl | Self::DehydratedCurl => 26,
            Self::LegoCurl => 70,
        }
    }
}

/// When the two name servers show a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Delays {
    /// After 3 s and 5 s.
    Fixed,
    /// After 1 to 20 s, other ones in each repetition.
    Random,
}

/// Whether the API refuses what is too much: 3 calls in 10 s, 64 a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Window {
    On,
    Off,
}

/// What all methods are compared in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scenario {
    pub(crate) window: Window,
    pub(crate) delays: Delays,
    pub(crate) names: usize,
}

impl Scenario {
    /// The names of the certificate. Two are a domain and its wildcard.
    pub(crate) fn names(&self) -> Vec<String> {
        match self.names {
            1 => vec!["name.ipv64.net".to_owned()],
            2 => vec!["name.ipv64.net".to_owned(), "*.name.ipv64.net".to_owned()],
            more => (0..more).map(|number| format!("host{number}.name.ipv64.net")).collect(),
        }
    }

    /// The seconds after which the two name servers follow: the same for all methods.
    pub(crate) fn delays(&self, repetition: u64) -> [Duration; 2] {
        match self.delays {
            Delays::Fixed => [3, 5].map(Duration::from_secs),
            // Knuth's multiplicative hash: any mixture will do, as long as it can be repeated.
            Delays::Random => [1, 2].map(|server| {
                let seed = (self.names as u64 * 100 + repetition * 10 + server).wrapping_mul(2_654_435_761) >> 7;
                Duration::from_millis(1_000 + seed % 19_000)
            }),
        }
    }

    /// The least seconds that two calls a name and the slowest server allow: as if calls cost nothing, and each name
    /// were removed as soon as it may be.
    pub(crate) fn floor(&self, repetition: u64) -> f64 {
        let [one, other] = self.delays(repetition);
        let slowest = one.max(other).as_secs_f64();
        // The call with this number, counted from zero, has to wait for so many windows.
        let windows = |number: usize| if self.window == Window::On { (number / 3 * 10) as f64 } else { 0.0 };
        (windows(self.names - 1) + slowest).max(windows(2 * self.names - 1))
    }
}

/// One certificate to obtain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub(crate) scenario: Scenario,
    pub(crate) method: Method,
    pub(crate) repetition: u64,
}

impl Run {
    /// How long it takes, roughly.
    pub(crate) fn expected(&self) -> u64 {
        self.scenario.names as u64 * self.method.seconds_a_name()
    }
}

/// The words in which a run is handed to the process that carries it out.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario: Scenario { window, delays, names }, method, repetition } = self;
        write!(f, "{method:?} {names} {delays:?} {window:?} {repetition}")
    }
}

impl FromStr for Run {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [(1, 9), (2, 9), (10, 9), (30, 9)];
        let is_it = |run: &Self| run.to_string() == text;
        runs(&all, &[Delays::Fixed, Delays::Random], &[Window::On, Window::Off])
            .into_iter()
            .find(is_it)
            .context("no such run")
    }
}

/// Everything that is compared.
pub(crate) fn full() -> Vec<Run> {
    let repetitions = [(1, 3), (2, 2), (10, 1), (30, 1)];
    runs(&repetitions, &[Delays::Fixed, Delays::Random], &[Window::On, Window::Off])
}

/// What shows in a few minutes whether the comparison works.
pub(crate) fn quick() -> Vec<Run> {
    runs(&[(1, 1), (2, 1)], &[Delays::Fixed], &[Window::On])
}

fn runs(repetitions: &[(usize, u64)], delays: &[Delays], windows: &[Window]) -> Vec<Run> {
    let mut runs = Vec::new();
    for (&window, &delays) in windows.iter().flat_map(|window| delays.iter().map(move |delays| (window, delays))) {
        for &(names, repetitions) in repetitions {
            let scenario = Scenario { window, delays, names };
            for method in Method::ALL {
                runs.extend((0..repetitions).map(|repetition| Run { scenario, method, repetition }));
            }
        }
    }
    runs
}
