//! DNS over HTTPS (RFC 8484) without its S, on the listener of the API: a resolver behind `/dns-query`.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hickory_resolver::proto::op::Message;

use super::{
    form,
    http::{Request, Response},
    listener::Asked,
    log::Transport,
    resolver::Resolver,
};

/// The media type of a DNS message (RFC 8484 section 6).
const MEDIA_TYPE: &str = "application/dns-message";

/// Answers a request to `/dns-query`; a silent resolver is a bad gateway.
pub(super) fn answer(request: &Request, peer: SocketAddr, resolver: Option<&Resolver>) -> Response {
    let Some(query) = message(request).and_then(|bytes| Message::from_vec(&bytes).ok()) else {
        return Response::new(400, "text/plain", "no DNS message\n");
    };
    let asked = Asked { query: &query, transport: Transport::Https, peer };
    let answer = resolver.and_then(|resolver| resolver.answer(&asked)).and_then(|message| message.to_vec().ok());
    match answer {
        Some(bytes) => Response::new(200, MEDIA_TYPE, bytes),
        None => Response::new(502, "text/plain", "no answer\n"),
    }
}

fn message(request: &Request) -> Option<Vec<u8>> {
    if request.method == "POST" {
        return (request.header("content-type") == Some(MEDIA_TYPE)).then(|| request.body.clone());
    }
    let parameters = form::urlencoded(&request.query);
    let (_, encoded) = parameters.iter().find(|(name, _)| name == "dns")?;
    URL_SAFE_NO_PAD.decode(encoded).ok()
}
