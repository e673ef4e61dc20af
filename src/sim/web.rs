//! The HTTP listener: connections and paths. `/api` and `/api.php` are the API, the rest belongs to the simulation.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    control,
    delivery::{After, deliver, visible_status},
    doh,
    http::{Connection, Request, Response},
    shared::Shared,
};
use crate::time::{SystemClock, Timestamp};

/// How long a wake-up call may take.
const WAKE: Duration = Duration::from_millis(100);

/// Starts to take connections.
pub(super) fn serve(listener: TcpListener, address: SocketAddr, shared: &Arc<Shared>) {
    let crew = shared.world.crew.clone();
    crew.on_stop(move || drop(TcpStream::connect_timeout(&address, WAKE)));
    let shared = shared.clone();
    let accepting = crew.clone();
    crew.spawn(move || {
        let count = AtomicU64::new(0);
        while !accepting.stop().is_set() {
            let Ok((stream, peer)) = listener.accept() else { continue };
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            let shared = shared.clone();
            // A client that has gone is no concern of a server.
            accepting.spawn(move || drop(serve_connection(stream, (number, peer), &shared)));
        }
    });
}

fn serve_connection(stream: TcpStream, client: (u64, SocketAddr), shared: &Shared) -> io::Result<()> {
    let stop = shared.world.crew.stop();
    let mut connection = Connection::new(stream, stop)?;
    while let Some(request) = connection.request()? {
        let after = match request.path.as_str() {
            "/api" | "/api.php" => serve_api(&mut connection, &request, client.0, shared)?,
            _ => {
                let response = other(&request, client.1, shared);
                deliver(&mut connection, Some(response), None, stop)?
            }
        };
        if after == After::Close || request.wants_close() {
            return Ok(());
        }
    }
    Ok(())
}

fn serve_api(connection: &mut Connection<'_>, request: &Request, number: u64, shared: &Shared) -> io::Result<After> {
    let mut outcome = shared.api.handle(request, number, &shared.world);
    if let Some(response) = &mut outcome.response {
        let behind = u64::try_from(shared.config.clock_behind.as_millis()).unwrap_or(u64::MAX);
        let date = Timestamp::from_millis(SystemClock::now().as_millis().saturating_sub(behind));
        response.headers.push(("Date".into(), date.http()));
    }
    let mut call = outcome.call;
    call.status = visible_status(outcome.response.as_ref(), outcome.action.as_ref());
    // First the log, then the answer: who has the answer finds the call.
    shared.world.log.call(call);
    deliver(connection, outcome.response, outcome.action.as_ref(), shared.world.crew.stop())
}

/// What the listener has beside the API.
fn other(request: &Request, peer: SocketAddr, shared: &Shared) -> Response {
    match request.path.as_str() {
        "/dns-query" => doh::answer(request, peer, shared.doh_resolver()),
        path if path.starts_with("/sim/") => control::answer(request, shared),
        _ => Response::new(404, "text/html", "<html><body>404</body></html>"),
    }
}
