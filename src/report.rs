//! The only file that prints, but for clap, which shows its own help. Results go to stdout; steps, warnings and
//! errors to stderr. Nothing here fails because nobody reads; a result that could not be written is kept for
//! [`Report::conclude`].

mod findings;
mod harmless;
mod live;
mod look;
mod outcome;
mod table;
mod waits;
mod wrap;

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{OnceLock, PoisonError, RwLock};

use serde_json::{Value, json};

use crate::broker::protocol::mask_tokens;
use crate::cli::OutputArgs;
use crate::doctor::{Finding, Level};
use crate::error::{Error, Kind};
use crate::exit::Exit;
use crate::secret::Secret;

pub use live::Live;
pub use look::Look;
pub use outcome::{ProgressReporter, record_entry, seconds};
use table::Layout;
pub use table::Table;
pub use waits::Waits;

/// The columns of a terminal that does not tell.
const USUAL_COLUMNS: usize = 80;
/// So many lines a person in a hurry reads.
const FEW_LINES: usize = 5;
/// Below so many columns a block of lines tells nothing.
const FEWEST_COLUMNS: usize = 20;

/// Why stdout did not take what was written to it, the first time that it did not: one for the process, as stdout is.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// The key and the token that this machine was given: for the process, as stdout is.
static SECRETS: RwLock<Vec<Secret>> = RwLock::new(Vec::new());

/// Masks a secret from now on in everything that is printed, whatever text it came in with.
pub fn mask(secret: Secret) {
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    if !secrets.contains(&secret) {
        secrets.push(secret);
    }
}

/// Returns a text with every secret masked.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    secrets.iter().fold(Cow::Borrowed(text), |text, secret| Cow::Owned(secret.mask_in(&text)))
}

/// Prints for one process.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    output: OutputArgs,
    look: Look,
}

impl Report {
    /// Prints as the flags say, and on a terminal as it can.
    #[must_use]
    pub fn new(output: OutputArgs, look: Look) -> Self {
        Self { output, look }
    }

    /// Returns whether results are wanted as one JSON document.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.output.json
    }

    /// Returns whether nothing but errors is wanted.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.output.quiet
    }

    /// Prints a line of the result; not with `--json`, which has a document instead, and not with `-q`.
    pub fn line(&self, text: &str) {
        if !self.output.json && !self.output.quiet {
            to_stdout(&harmless::lines(text));
        }
    }

    /// Prints a line of the result that may be long: on a terminal, what follows `head` goes on below where it began.
    pub fn paragraph(&self, head: &str, text: &str) {
        match self.result_columns() {
            Some(columns) => self.line(&wrap::hanging(head, text, columns)),
            None => self.line(&format!("{head}{text}")),
        }
    }

    /// Prints what `doctor` has found as the result, the worst first, and what it comes to.
    pub fn findings(&self, found: &[Finding], conclusion: &str) {
        for finding in found.iter().filter(|finding| self.output.quiet && finding.level == Level::Error) {
            let Finding { kind, subject, text, advice, .. } = finding;
            to_stderr(&format!("error[{kind}]: {subject}: {text}{}", hint(advice.as_deref())));
        }
        if !self.output.json && !self.output.quiet {
            let style = findings::Style { columns: self.result_columns(), look: self.look };
            findings::text(found, style).iter().for_each(|text| to_stdout(text));
        }
        self.paragraph("", conclusion);
    }

    /// Returns the columns of the terminal that shows the results, if one does.
    fn result_columns(&self) -> Option<usize> {
        let stdout = io::stdout();
        stdout.is_terminal().then(|| columns(&stdout))
    }

    /// Prints a table as the result, where [`Report::line`] would print: aligned on a terminal, else with tabs.
    pub fn table(&self, table: &Table) {
        let layout = self.result_columns().map_or(Layout::Tabs, Layout::Aligned);
        let text = table.text(layout);
        if !text.is_empty() {
            self.line(&text);
        }
    }

    /// Prints a list: for programs a document with all fields of its entries, for people a table of some of them, each
    /// column with its head and the name of the field.
    pub fn list(&self, name: &str, columns: &[(&'static str, &str)], entries: &[Value]) {
        let mut table = Table::new(&columns.iter().map(|(head, _)| *head).collect::<Vec<_>>());
        for entry in entries {
            table.row(columns.iter().map(|(_, field)| cell(&entry[field])));
        }
        self.table(&table);
        self.document(&json!({ name: entries }));
    }

    /// Returns the columns of the terminal on which lines may be redrawn; nothing where there is none, where it is too
    /// narrow, and with `-q`, `-v` and `--json`, whose output has to stay as it is.
    pub(super) fn live_columns(&self) -> Option<usize> {
        let stderr = io::stderr();
        let plain = self.output.quiet || self.output.json || self.output.verbose > 0;
        if plain || !self.look.has_cursor || !stderr.is_terminal() {
            return None;
        }
        Some(columns(&stderr)).filter(|columns| *columns >= FEWEST_COLUMNS)
    }

    /// Returns the character that stands for what a line leaves out.
    pub(super) fn ellipsis(&self) -> char {
        if self.look.is_utf8 { '…' } else { '~' }
    }

    /// Writes to stderr what [`Live`] has composed.
    pub(super) fn raw(&self, text: &str) {
        write!(io::stderr().lock(), "{}", masked(text)).ok();
    }

    /// Prints the document of `--json`.
    pub fn document(&self, document: &impl serde::Serialize) {
        if let Some(text) = Some(document).filter(|_| self.output.json).and_then(|it| serde_json::to_string(it).ok()) {
            to_stdout(&harmless::json(&text));
        }
    }

    /// Asks a question on stderr; the answer is read by whoever asks.
    pub fn question(&self, text: &str) {
        write!(io::stderr().lock(), "{} ", harmless::lines(&masked(text))).ok();
    }

    /// Tells a step, with `-v`.
    pub fn step(&self, text: &str) {
        if self.output.verbose > 0 {
            to_stderr(text);
        }
    }

    /// Tells a detail, with `-vv`.
    pub fn trace(&self, text: &str) {
        if self.output.verbose > 1 {
            to_stderr(text);
        }
    }

    /// Tells what a person should know although the run goes on.
    pub fn warning(&self, text: &str) {
        if !self.output.quiet {
            to_stderr(&format!("warning: {text}"));
        }
    }

    /// Tells such a thing by its kind, with what to do.
    pub fn warning_of(&self, error: &Error) {
        if !self.output.quiet {
            to_stderr(&format!("{}: {error:#}{}", named("warning", error.kind()), hint(error.hint())));
        }
    }

    /// Prints what is wrong, in words that are complete.
    pub fn misuse(&self, text: &str) {
        to_stderr(text.trim_end());
    }

    /// Takes what became of a result that somebody else has written to stdout.
    pub fn wrote(&self, written: io::Result<()>) {
        note(written);
    }

    /// Returns how a command ends whose result is what it prints: as it would, unless the result could not be written.
    #[must_use]
    pub fn conclude(&self, exit: Exit) -> Exit {
        let Some(error) = LOST.get().filter(|_| exit == Exit::Done) else { return exit };
        to_stderr(&format!(
            "error: cannot write the result to stdout\n  Caused by: {error}\n\
             hint: make room on that disk, or send the output elsewhere"
        ));
        Exit::Failed
    }

    /// Prints an error with its causes, what was observed and what to do, and returns the exit code that it stands for.
    pub fn error(&self, error: &Error) -> Exit {
        self.document(&json!({ "error": error_entry(error) }));
        self.error_text(error)
    }

    /// Prints an error like [`Report::error`], where `--json` has told of it already.
    pub fn error_text(&self, error: &Error) -> Exit {
        let mut text = format!("{}: {error}", named("error", error.kind()));
        let (causes, hint) = (causes(error), hint(error.hint()));
        if !causes.is_empty() {
            text.push_str(&format!("\n  Caused by: {}", causes.join(": ")));
        }
        let said = text.lines().count() + hint.trim_start().lines().count();
        for detail in in_few_lines(&new_details(error), FEW_LINES.saturating_sub(said)) {
            text.push_str(&format!("\n  {detail}"));
        }
        to_stderr(&format!("{text}{hint}"));
        error.kind().exit()
    }
}

/// Returns an error as it is in the document of `--json`.
#[must_use]
pub fn error_entry(error: &Error) -> Value {
    json!({
        "kind": error.kind(),
        "message": mask_tokens(&format!("{error:#}")),
        "hint": error.hint().map(mask_tokens),
        "details": error.details().iter().map(|detail| mask_tokens(detail)).collect::<Vec<_>>(),
    })
}

/// The word that opens a message, with the kind by which `explain` and the documentation know it.
fn named(word: &str, kind: Kind) -> String {
    if kind == Kind::Failed { word.to_owned() } else { format!("{word}[{}]", kind.as_str()) }
}

/// The last line of a message, which says what to do.
fn hint(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"))
}

/// Returns what was observed, without the ends of it that the causes say too.
fn new_details(error: &Error) -> Vec<String> {
    let causes = error.lines();
    let is_new = |detail: &String| {
        let end = causes.iter().find_map(|cause| detail.strip_suffix(cause.as_str())?.strip_suffix(": "));
        end.unwrap_or(detail).to_owned()
    };
    error.details().iter().map(is_new).collect()
}

/// Joins the first details, which belong together, until there are few enough lines.
fn in_few_lines(details: &[String], room: usize) -> Vec<String> {
    let joined = (details.len() + 1).saturating_sub(room.max(1));
    if joined < 2 {
        return details.to_vec();
    }
    let (first, rest) = details.split_at(joined);
    [&[first.join("; ")], rest].concat()
}

/// Returns the causes below the topmost error, without those whose text stands in the one above already.
fn causes(error: &Error) -> Vec<String> {
    let mut shown = error.to_string();
    let mut causes = Vec::new();
    for cause in error.lines().into_iter().skip(1) {
        if !shown.contains(&cause) {
            causes.push(cause.clone());
            shown = cause;
        }
    }
    causes
}

/// A field of a document as people read it.
fn cell(field: &Value) -> String {
    match field {
        Value::Null => String::new(),
        Value::Bool(is_so) => if *is_so { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The width of the terminal behind a stream.
fn columns(stream: impl std::os::fd::AsFd) -> usize {
    let size = rustix::termios::tcgetwinsize(stream).map(|size| usize::from(size.ws_col));
    size.ok().filter(|columns| *columns > 0).unwrap_or(USUAL_COLUMNS)
}

fn to_stdout(text: &str) {
    note(writeln!(io::stdout().lock(), "{}", masked(text)));
}

fn note(written: io::Result<()>) {
    // A reader that has gone away is no failure of ours. Neither is a closed stream, of which std does not even tell.
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        LOST.set(error).ok();
    }
}

fn to_stderr(text: &str) {
    // A token that was typed where none belongs is not always one of this machine.
    writeln!(io::stderr().lock(), "{}", harmless::lines(&mask_tokens(&masked(text)))).ok();
}
