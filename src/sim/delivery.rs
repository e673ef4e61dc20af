//! How the answer of an API call reaches the client: whole, late, in pieces, or not at all.

use std::{io, time::Duration};

use super::{
    faults::Action,
    http::{Connection, Response},
    threads::Stop,
};

/// What the endless body is made of.
const BLANKS: [u8; 8192] = [b' '; 8192];
/// The pause between two pieces of the endless body: some megabytes a second.
const PIECE_PAUSE: Duration = Duration::from_millis(2);

/// Whether the connection can take another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It can.
    KeepOpen,
    /// It is to be closed.
    Close,
}

/// The status that a client will see, for the log; nothing if it sees none.
pub(super) fn visible_status(response: Option<&Response>, action: Option<&Action>) -> Option<u16> {
    let own = response.map(|response| response.status);
    match action {
        None => own,
        Some(Action::Answer { status, .. }) => Some(*status),
        Some(Action::Reset | Action::Close) => None,
        Some(Action::Endless) => Some(200),
        Some(Action::Truncate | Action::Slow(_) | Action::Delay(_)) => own.or(Some(NOT_DONE)),
    }
}

/// The status of an answer to a call that was not carried out, where the fault has no answer of its own.
const NOT_DONE: u16 = 504;

/// Sends the answer, as a fault wants it.
///
/// # Errors
/// Those of the socket: the client has gone.
pub(super) fn deliver(
    connection: &mut Connection<'_>,
    response: Option<Response>,
    action: Option<&Action>,
    stop: &Stop,
) -> io::Result<After> {
    let response = response.unwrap_or_else(|| Response::new(NOT_DONE, "text/html", "<html>504</html>"));
    if action == Some(&Action::Reset) {
        // The last octet of the request is unread: closing resets the connection.
        return Ok(After::Close);
    }
    connection.finish()?;
    match action {
        None => connection.send(&response.to_bytes())?,
        Some(Action::Answer { status, content_type, headers, body }) => {
            let mut answer = Response::new(*status, content_type, body.as_bytes());
            answer.headers.extend(headers.iter().cloned());
            connection.send(&answer.to_bytes())?;
        }
        Some(Action::Delay(length)) if !stop.pause(*length) => connection.send(&response.to_bytes())?,
        Some(Action::Slow(pause)) => return trickle(connection, &response, *pause, stop),
        Some(Action::Truncate) => {
            connection.send(&response.head(Some(response.body.len())))?;
            connection.send(response.body.get(..response.body.len() / 2).unwrap_or_default())?;
            return Ok(After::Close);
        }
        Some(Action::Endless) => return pour(connection, stop),
        Some(Action::Reset | Action::Close | Action::Delay(_)) => return Ok(After::Close),
    }
    Ok(After::KeepOpen)
}

fn trickle(connection: &mut Connection<'_>, response: &Response, pause: Duration, stop: &Stop) -> io::Result<After> {
    connection.send(&response.head(Some(response.body.len())))?;
    for octet in &response.body {
        if stop.pause(pause) {
            return Ok(After::Close);
        }
        connection.send(&[*octet])?;
    }
    Ok(After::KeepOpen)
}

fn pour(connection: &mut Connection<'_>, stop: &Stop) -> io::Result<After> {
    connection.send(&Response::new(200, "application/json", "").head(None))?;
    while !stop.pause(PIECE_PAUSE) {
        connection.send(&BLANKS)?;
    }
    Ok(After::Close)
}
