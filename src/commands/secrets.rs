//! Whether a command shows the secrets in an answer: only where the user asked for them.

use crate::cli::SecretArgs;
use crate::secret::Secret;

/// What becomes of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    Masked,
    Shown,
}

impl From<SecretArgs> for Secrets {
    fn from(args: SecretArgs) -> Self {
        if args.show_secrets { Self::Shown } else { Self::Masked }
    }
}

impl Secrets {
    /// Returns the text to print for a field that may be missing.
    pub(super) fn text(self, hidden: Option<&Secret>) -> Option<String> {
        hidden.map(|hidden| if self == Self::Shown { hidden.expose().to_owned() } else { hidden.to_string() })
    }
}
