//! Who sends a request, by its header `Authorization` or, on the Unix socket, by the user of its process. Whether there is such
//! a client is [`super::clients`]'s to find.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Peer;
use super::clients::Clients;
use super::grant::Grant;
use super::token::TokenHash;

/// Who sends a request: what that client may do, and the hash of the token that it has shown, if it has.
pub type Known = (Arc<Grant>, Option<TokenHash>);

/// Returns who sends a request; nothing for whoever is unknown.
#[must_use]
pub fn of(clients: &Clients, headers: &HeaderMap, peer: Peer) -> Option<Known> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    match (given.next(), given.next(), peer) {
        (Some(credentials), None, _) => by_credentials(clients, credentials.as_bytes()),
        (None, _, Peer::User(uid)) => Some((clients.by_user(uid)?, None)),
        _ => None,
    }
}

fn by_credentials(clients: &Clients, credentials: &[u8]) -> Option<Known> {
    let end = credentials.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (credentials.get(..end)?, credentials.get(end..)?.trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some((clients.by_token(rest)?, Some(TokenHash::of(rest))));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let (name, token) = (std::str::from_utf8(pair.get(..colon)?).ok()?, pair.get(colon + 1..)?);
    Some((clients.by_name(name, token)?, Some(TokenHash::of(token))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn clients() -> Clients {
        let folder = tempfile::tempdir().unwrap();
        for (name, token, uid) in [("web", "token", 1000), ("nas", "other", 1001)] {
            let file = folder.path().join(format!("{name}.toml"));
            let hash = TokenHash::of(token.as_bytes());
            std::fs::write(&file, format!("tokens = ['{hash}']\nallow = ['{name}.example']\nuid = {uid}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        }
        let (clients, errors) = Clients::load(folder.path());
        assert!(errors.is_empty(), "{errors:?}");
        clients
    }

    #[test]
    fn a_client_is_known_by_its_token_by_its_name_or_by_its_user() {
        let (clients, machine) = (clients(), Peer::Address("192.0.2.1".parse().unwrap()));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let rows = [
            (vec!["Bearer token".to_owned()], machine, Some("web")),
            (vec!["bearer  other ".to_owned()], machine, Some("nas")),
            (vec![basic("web:token")], machine, Some("web")),
            (vec![basic("web:token").to_lowercase()], machine, None),
            (vec![basic("nas:token")], machine, None),
            (vec![basic("nobody:token")], machine, None),
            (vec![basic("web:token:")], machine, None),
            (vec![basic("webtoken")], machine, None),
            (vec![basic(":")], machine, None),
            (vec!["Basic".to_owned()], machine, None),
            (vec!["Basic %%%".to_owned()], machine, None),
            (vec!["Digest token".to_owned()], machine, None),
            (vec![" Bearer token".to_owned()], machine, None),
            (vec![String::new()], machine, None),
            (vec!["Bearer token".to_owned(), "Bearer token".to_owned()], machine, None),
            (vec![], machine, None),
            (vec![], Peer::User(1000), Some("web")),
            (vec![], Peer::User(0), None),
            (vec!["Bearer wrong".to_owned()], Peer::User(1000), None),
        ];
        for (lines, peer, expected) in rows {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(header::AUTHORIZATION, line.parse().unwrap());
            }
            let found = of(&clients, &headers, peer);
            assert_eq!(found.as_ref().map(|(grant, _)| grant.client.as_str()), expected, "{lines:?} {peer:?}");
            let shown = found.map(|(_, shown)| shown);
            let token = |client| TokenHash::of(if client == "web" { b"token" } else { b"other" });
            assert_eq!(shown, expected.map(|client| (!lines.is_empty()).then(|| token(client))), "{lines:?}");
        }
    }
}
