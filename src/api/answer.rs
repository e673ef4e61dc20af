//! What an answer means: done, done before, or one of the refusals. Pure: no request is made here.

use std::time::Duration;

use crate::excerpt::excerpt;
use crate::http::HttpResponse;

use super::models::{Account, Domain, LogEntry};
use super::wire::{Answer, Call};
use super::{Access, ApiError, Limit};

/// How much of an answer an error keeps, in characters.
const KEPT: usize = 200;
/// A pause of this length cannot be meant for a burst of some seconds.
const DAILY_PAUSE: Duration = Duration::from_secs(3600);

/// What an answer without an error tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Understood {
    /// The account of the key.
    Account(Box<Account>),
    /// The account's log.
    Logs(Vec<LogEntry>),
    /// The account's domains.
    Domains(Vec<Domain>),
    /// What became of a change.
    Changed(Change),
}

/// Reads one answer as the client does that gets it, without tries and without a server: for recorded answers.
///
/// # Errors
/// [`ApiError`] as the client would get it from a single try.
pub fn understand(call: &Call<'_>, answer: &HttpResponse, access: &Access) -> Result<Understood, ApiError> {
    read(call, answer, access, |change, body| match call {
        Call::Account => body.account().map(|account| Understood::Account(Box::new(account))),
        Call::Logs => body.logs().map(Understood::Logs),
        Call::Domains => body.domains().map(Understood::Domains),
        _ => Some(Understood::Changed(change)),
    })
}

/// Judges an answer and takes out of it what the call is for; an answer that lacks it is as good as none.
pub(super) fn read<T>(
    call: &Call<'_>,
    answer: &HttpResponse,
    access: &Access,
    take: impl Fn(Change, &Answer) -> Option<T>,
) -> Result<T, ApiError> {
    let body = Answer::parse(&answer.body);
    let change = judge(call, answer, body.as_ref(), access)?;
    body.and_then(|body| take(change, &body)).ok_or_else(|| unreadable(answer, access))
}

/// What became of an addition or a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// IPv64 did it. Its name servers follow some seconds later.
    Made,
    /// What was asked for held before, or an earlier try whose answer was lost has done it: the record to add exists with
    /// exactly this content; the record to delete does not exist, or is in an account of somebody else. The answer is the
    /// same for both (observed); what DNS shows tells them apart.
    HeldBefore,
}

/// Judges an answer by its HTTP status and by the `info` and `status` in its body.
fn judge(call: &Call<'_>, answer: &HttpResponse, body: Option<&Answer>, access: &Access) -> Result<Change, ApiError> {
    let status = real_status(answer.status, body);
    let words = || words(call, body, access);
    // 401 and 429 mean one thing whoever sends them, the API or a server before it.
    match (status, body) {
        (300..400, _) => {
            let location = answer.location.as_ref().map(|location| clean(location, access));
            Err(ApiError::Redirected(status, location))
        }
        (401, _) => Err(ApiError::Unauthorized(words())),
        (429, _) => Err(ApiError::RateLimited {
            limit: limit(body, answer.retry_after),
            words: words(),
            retry_after: answer.retry_after,
        }),
        (_, None) => Err(unreadable(answer, access)),
        (500.., Some(_)) => Err(ApiError::Unavailable(status, words())),
        (200..300, Some(body)) if body.is_success() => Ok(Change::Made),
        (400, Some(body)) if is_already_there(call, body) => Ok(Change::HeldBefore),
        // Observed: 403 with the key `del_record` for a record that does not exist. A 403 that names the call is about
        // the request; only one that does not is taken to be about the key.
        (403, Some(body)) if is_missing(call, body) => Ok(Change::HeldBefore),
        (403, Some(body)) if body.answer_to(call).is_none() => Err(ApiError::Forbidden(words())),
        _ => Err(ApiError::Rejected(words(), status)),
    }
}

/// An answer whose body cannot be understood. It may be an account with its secrets behind a notice of PHP, so nothing
/// from the first field on is shown.
fn unreadable(answer: &HttpResponse, access: &Access) -> ApiError {
    let body = access.mask_in(&String::from_utf8_lossy(&answer.body));
    let body = body.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let fields = ["{", "\":", "=>"].into_iter().filter_map(|mark| body.find(mark)).min();
    let text = match fields {
        _ if body.is_empty() => "an empty body".to_owned(),
        _ if body.starts_with(['{', '[']) => format!("{} bytes of JSON that cannot be understood", body.len()),
        None => format!("\"{}\"", clean(body, access)),
        Some(at) => {
            let kind =
                answer.content_type.as_deref().map_or_else(|| "unknown type".to_owned(), |kind| excerpt(kind, 40));
            let words = clean(body.get(..at).unwrap_or_default(), access);
            format!("\"{words}\" and {} bytes of {kind}", body.len() - at)
        }
    };
    ApiError::Unavailable(answer.status, text)
}

/// The status that counts: errors have been observed that are in the body of a 2xx only.
fn real_status(http: u16, body: Option<&Answer>) -> u16 {
    match body.and_then(Answer::code) {
        Some(code) if (200..300).contains(&http) && code >= 400 => code,
        _ => http,
    }
}

fn is_already_there(call: &Call<'_>, body: &Answer) -> bool {
    matches!(call, Call::AddRecord(_)) && body.answer_to(call).as_deref() == Some("dns record already there")
}

fn is_missing(call: &Call<'_>, body: &Answer) -> bool {
    matches!(call, Call::DeleteRecord(_) | Call::DeleteRecordById(_)) && body.answer_to(call).is_some()
}

/// Observed: `Update Cooldown - 10sec` for a burst. `Updateintervall overcommited` was seen too; which limit it stands
/// for is unknown.
fn limit(body: Option<&Answer>, retry_after: Option<Duration>) -> Limit {
    let cooldown = body.and_then(Answer::info).is_some_and(|info| info.contains("Cooldown"));
    match retry_after {
        Some(pause) if pause >= DAILY_PAUSE => Limit::Daily,
        Some(_) => Limit::Burst,
        None if cooldown => Limit::Burst,
        None => Limit::Unknown,
    }
}

/// The API's own words, in quotes: what it says about the call, else `info`, else `status`.
fn words(call: &Call<'_>, body: Option<&Answer>, access: &Access) -> String {
    let Some(body) = body else { return "without words".to_owned() };
    let about_call = body.answer_to(call).filter(|words| words != call.name());
    let info = || body.info().filter(|info| !matches!(info.as_str(), "error" | "success"));
    let words = about_call.or_else(info).or_else(|| body.status()).or_else(|| body.info());
    format!("\"{}\"", clean(&words.unwrap_or_default(), access))
}

fn clean(text: &str, access: &Access) -> String {
    excerpt(&access.mask_in(text), KEPT)
}
