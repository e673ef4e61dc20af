//! The reserve of API calls: a record is added only while enough calls of the day are left to remove it, and all others.

use super::Solver;
use super::locate::Located;
use crate::api::RetryPolicy;
use crate::state::{Entry, RequestWindow, WindowError};

impl Solver<'_> {
    /// Makes sure that what is about to be added can be removed again today. Reads the account where that may be close;
    /// an account that cannot be read forbids nothing.
    ///
    /// # Errors
    /// [`WindowError::Reserved`], [`WindowError::UsedUp`]
    pub(super) fn admit(&self, located: &[Located], policy: &RetryPolicy) -> Result<(), WindowError> {
        let is_new = |entry: &Entry| {
            !located.iter().any(|new| (&new.challenge.name, &new.challenge.value) == (&entry.name, &entry.value))
        };
        let open = self.state.journal().open_entries().into_iter();
        let open = open.filter(|entry| entry.account == self.account && is_new(entry)).count();
        let window = self.window();
        // The look itself is a call, and must not come out of the reserve. Where nothing has to be removed there is none.
        let can_look = || open == 0 || window.admit(located.len(), open.saturating_add(1)).is_ok();
        if window.quota().needs_reading && can_look() {
            self.read_quota(&window, policy);
        }
        window.admit(located.len(), open)
    }

    fn read_quota(&self, window: &RequestWindow, policy: &RetryPolicy) {
        match self.client.account(&policy.with_tries(1)) {
            // An account that tells no limit has none, as far as anybody knows.
            Ok(account) => {
                window
                    .learn_quota(account.api_updates.unwrap_or_default(), account.class.api_limit.unwrap_or_default());
            }
            Err(error) => self.events.step(&format!("the calls left today are not known: {error}")),
        }
    }

    fn window(&self) -> RequestWindow {
        self.state.window(self.account.clone(), self.settings.api_rate)
    }

    /// Whether no request can leave today.
    pub(super) fn is_used_up(&self) -> bool {
        self.window().quota().used_up_until.is_some()
    }

    /// Whether a request could leave at once that nobody waits for.
    pub(super) fn has_to_spare(&self) -> bool {
        self.window().has_to_spare()
    }
}
