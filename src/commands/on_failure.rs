//! The command of the setting `on_failure`: what a person wants to be run when a hook call has failed. It gets the facts, and
//! nobody waits for it.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::report::masked;
use crate::settings::Environment;
use crate::state::PastCall;

/// The variables in which a key may be that is not the one in use, and the folder that holds one.
const KEYS: [&str; 5] =
    ["IPV64_API_KEY", "IPV64_API_KEY_FILE", "IPV64_API_TOKEN", "IPv64_Token", "CREDENTIALS_DIRECTORY"];
/// Files that the ACME client has left open for us, a lock perhaps, must not stay open as long as the command runs. That has a
/// minute, where the machine has a timeout(1) that is called like this (old busybox has another).
const SHELL: &str = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; \
                     timeout -s KILL 60 true && exec timeout -s KILL 60 sh -c \"$1\"; exec sh -c \"$1\"";

/// Starts it, in a process group of its own and without our streams. What cannot be started is no failure of the call.
pub(super) fn start(command: &str, call: &PastCall, environment: &Environment) {
    let mut shell = Command::new("sh");
    shell.args(["-c", SHELL, "ipv64-acme", command]);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let holds_key = |name: &&str| environment.get(name).is_some_and(|value| masked(&value) != value);
    for name in environment.names().filter(holds_key).chain(KEYS) {
        shell.env_remove(name);
    }
    shell.env("IPV64_ACME_CLIENT", &call.client).env("IPV64_ACME_ACTION", &call.action);
    shell.env("IPV64_ACME_NAMES", call.names()).env("IPV64_ACME_EXIT", call.exit_code.to_string());
    shell.env("IPV64_ACME_KIND", call.kind.as_deref().unwrap_or("failed"));
    shell.env("IPV64_ACME_MESSAGE", call.message.as_deref().unwrap_or_default());
    shell.env("IPV64_ACME_SECONDS", call.seconds.to_string());
    shell.spawn().ok();
}
