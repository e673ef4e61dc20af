//! What the service manager is told (sd_notify(3)), and how often it wants to hear that the process is alive. Nothing happens
//! where there is no service manager, and nothing fails because it does not listen.

use std::time::Duration;

use sd_notify::NotifyState;

/// Requests are answered.
pub fn ready(status: &str) {
    sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)]).ok();
}

/// The configuration is being read again; [`ready`] ends that.
pub fn reloading() {
    let Ok(now) = NotifyState::monotonic_usec_now() else { return };
    sd_notify::notify(&[NotifyState::Reloading, now]).ok();
}

/// The process is about to end.
pub fn stopping() {
    sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]).ok();
}

/// The process is alive.
pub fn alive() {
    sd_notify::notify(&[NotifyState::Watchdog]).ok();
}

/// Returns how often [`alive`] is wanted, with room for a slow machine; nothing if nobody watches.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 3).filter(|interval| !interval.is_zero())
}
