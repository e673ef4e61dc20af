//! Asking back before something that cannot be undone.

use super::context::Context;
use crate::cli::CliError;
use crate::setup::prompt;

/// Asks; anything but `y` and `yes` is a no, and so are the end of input and a signal.
///
/// # Errors
/// [`CliError::Declined`]
pub(super) fn confirm(context: &Context, question: &str) -> Result<(), CliError> {
    context.report.question(&format!("{question} [y/N]"));
    let answer = prompt::read_line(&context.interrupted).unwrap_or_default();
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::Declined),
    }
}
