//! From an accepted connection to a request for the router: TLS, HTTP/1.1, and the limits that no client can exceed. What a
//! request means is left to the router.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::connections::{Connections, Evicted, Seat};
use super::dialect::Malformed;
use super::listen::Socket;
use super::{LARGEST_BODY, Peer, Warn};
use crate::error::Error;

/// The longest head of a request, in bytes; hyper takes no less.
const LARGEST_HEAD: usize = 8 * 1024;
/// The time for a TLS handshake, for the head of a request, and for its body.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause after the system had no descriptor for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Takes requests.
    Serving,
    /// Takes no new connection; answers what is under way.
    Stopping,
    /// Answers 503 to whatever is not answered yet.
    Closing,
}

/// Serves connections.
#[derive(Clone)]
pub struct Server {
    /// Answers requests; each has a [`Peer`] as extension.
    pub router: Router,
    /// TLS, if there is a certificate.
    pub tls: Option<TlsAcceptor>,
    /// All connections.
    pub connections: Arc<Connections>,
    /// Where the process is in its life.
    pub phase: watch::Receiver<Phase>,
    /// Hears what is wrong.
    pub warn: Warn,
}

impl Server {
    /// Accepts connections until the process stops.
    ///
    /// # Errors
    /// If the socket cannot be used by the runtime.
    pub async fn accept(self, socket: Socket) -> io::Result<()> {
        let listener = Listener::new(socket)?;
        let mut phase = self.phase.clone();
        let mut stop = pin!(phase.wait_for(|phase| *phase > Phase::Serving));
        let mut is_told = false;
        loop {
            let accepted = tokio::select! {
                _ = &mut stop => return Ok(()),
                accepted = self.accept_one(&listener) => accepted,
            };
            match accepted {
                Ok(()) => {
                    is_told = false;
                    // A connection that had to make room closes before the next one is taken.
                    yield_now().await;
                }
                // That connection has gone again.
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    if !is_told {
                        let problem = "cannot accept connections; the broker keeps trying";
                        (self.warn)(&Error::from(error).context(problem));
                    }
                    is_told = true;
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn accept_one(&self, listener: &Listener) -> io::Result<()> {
        match listener {
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // An answer is one small packet: it waits for nothing.
                stream.set_nodelay(true).ok();
                self.welcome(stream, Peer::Address(address.ip().to_canonical()), self.tls.clone());
            }
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let peer = Peer::User(stream.peer_cred()?.uid());
                self.welcome(stream, peer, None);
            }
        }
        Ok(())
    }

    fn welcome<S>(&self, stream: S, peer: Peer, tls: Option<TlsAcceptor>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Where nobody can make room, the connection is closed: its client tries again.
        let Some((seat, evicted)) = self.connections.enter(peer) else { return };
        let server = self.clone();
        tokio::spawn(async move {
            let Some(acceptor) = tls else { return server.serve(stream, peer, seat, evicted).await };
            let handshake = timeout(PATIENCE, acceptor.accept(stream));
            let mut evicted = evicted;
            let shaken = tokio::select! {
                _ = &mut evicted => return,
                shaken = handshake => shaken,
            };
            if let Ok(Ok(stream)) = shaken {
                server.serve(stream, peer, seat, evicted).await;
            }
        });
    }

    async fn serve<S>(self, stream: S, peer: Peer, seat: Seat, mut evicted: Evicted)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let seat = &seat;
        let service = service_fn(|request| self.answer(request, peer, seat));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut phase = self.phase.clone();
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = &mut evicted => return,
            _ = phase.wait_for(|phase| *phase > Phase::Serving) => connection.as_mut().graceful_shutdown(),
        }
        connection.await.ok();
    }

    /// Reads a request to its end before anything is done with it.
    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        seat: &Seat,
    ) -> Result<Response<Body>, std::convert::Infallible> {
        let (head, body) = request.into_parts();
        let body = match timeout(PATIENCE, to_bytes(Body::new(body), LARGEST_BODY)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err(Malformed::Unreadable),
            Err(_) => Err(Malformed::Late),
        };
        let unread = body.as_ref().err().copied();
        let mut request = Request::from_parts(head, Body::from(body.unwrap_or_default()));
        request.extensions_mut().insert(peer);
        unread.and_then(|why| request.extensions_mut().insert(why));
        let (router, mut phase) = (TowerToHyperService::new(self.router.clone()), self.phase.clone());
        seat.serve(true);
        let answer = tokio::select! {
            Ok(answer) = router.call(request) => answer,
            _ = phase.wait_for(|phase| *phase == Phase::Closing) => stopping(),
        };
        seat.serve(false);
        Ok(if unread.is_some() { closing(answer) } else { answer })
    }
}

/// A socket as the runtime uses it.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn new(socket: Socket) -> io::Result<Self> {
        Ok(match socket {
            Socket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Self::Tcp(TcpListener::from_std(listener)?)
            }
            Socket::Unix(listener) => {
                listener.set_nonblocking(true)?;
                Self::Unix(UnixListener::from_std(listener)?)
            }
        })
    }
}

/// Lets the connection end with an answer: the request was not read to its end, or the process stops.
fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn stopping() -> Response<Body> {
    let mut response = closing(Response::new(Body::empty()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// Whether an error of accept(2) is about the one connection.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
