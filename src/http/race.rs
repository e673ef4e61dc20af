//! One connection to a host with several addresses, raced as RFC 8305 ("happy eyeballs") says: an address that swallows
//! packets costs a quarter of a second instead of most of the time that there is. Which addresses a host has is left to
//! [`super::names`], and what a connection is to [`super::connect`].

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// The head start of each address (RFC 8305 section 5: 250 ms are recommended).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// No address was connected to: what became of each that was tried.
#[derive(Debug, thiserror::Error)]
#[error("no address of the host can be reached")]
pub(super) struct NoneReached(pub(super) Vec<(SocketAddr, io::Error)>);

/// Returns the order in which addresses are tried: `known` first, then as given, alternating between IPv6 and IPv4 (RFC 8305
/// section 4).
pub(super) fn order(addresses: &[SocketAddr], known: Option<SocketAddr>) -> Vec<SocketAddr> {
    let known = known.filter(|known| addresses.contains(known));
    let others = addresses.iter().copied().filter(|address| Some(*address) != known);
    let all: Vec<_> = known.into_iter().chain(others).collect();
    let Some(first) = all.first() else { return all };
    let (one, other): (Vec<_>, Vec<_>) = all.iter().partition(|address| address.is_ipv4() == first.is_ipv4());
    let longest = one.len().max(other.len());
    (0..longest).flat_map(|at| [one.get(at), other.get(at)]).flatten().copied().collect()
}

/// Connects to one of the addresses: the next one is tried as soon as one has failed, or has not answered for 250 ms and
/// goes on trying. Whatever connects later is dropped.
///
/// # Errors
/// [`NoneReached`] if every address has failed, or `patience` is over.
pub(super) fn race<T: Send + 'static>(
    addresses: &[SocketAddr],
    patience: Duration,
    connect: impl Fn(SocketAddr, Duration) -> io::Result<T> + Clone + Send + 'static,
) -> Result<(SocketAddr, T), NoneReached> {
    let deadline = Instant::now() + patience;
    let left = || deadline.saturating_duration_since(Instant::now());
    let (sender, outcomes) = channel();
    let mut untried = addresses.iter().copied();
    let (mut pending, mut failed) = (Vec::new(), Vec::new());
    loop {
        if let Some(address) = untried.next() {
            pending.push(address);
            let attempt = |time: Duration| {
                let (sender, connect) = (sender.clone(), connect.clone());
                move || sender.send((address, connect(address, time))).ok()
            };
            // One address needs no thread. Where none can be had (a limit on tasks), each address gets its share of the time.
            let is_alone = addresses.len() == 1;
            if is_alone || thread::Builder::new().name("connect".to_owned()).spawn(attempt(left())).is_err() {
                attempt(left() / u32::try_from(untried.len() + 1).unwrap_or(u32::MAX))();
            }
        } else if pending.is_empty() {
            return Err(NoneReached(failed));
        }
        let pause = if untried.len() == 0 { left() } else { ATTEMPT_DELAY.min(left()) };
        match outcomes.recv_timeout(pause) {
            Ok((address, Ok(connection))) => return Ok((address, connection)),
            Ok((address, Err(error))) => {
                pending.retain(|other| *other != address);
                failed.push((address, error));
            }
            Err(_) if left().is_zero() => {
                failed.extend(pending.into_iter().map(|address| (address, ErrorKind::TimedOut.into())));
                return Err(NoneReached(failed));
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SIX: &str = "[2001:db8::1]:443";
    const FOUR: &str = "192.0.2.1:443";

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_known_address_is_first() {
        let all = ["[2001:db8::1]:443", "[2001:db8::2]:443", "192.0.2.1:443", "192.0.2.2:443", "[2001:db8::3]:443"];
        let in_turn = ["[2001:db8::1]:443", "192.0.2.1:443", "[2001:db8::2]:443", "192.0.2.2:443", "[2001:db8::3]:443"];
        assert_eq!(order(&addresses(&all), None), addresses(&in_turn));
        let known = order(&addresses(&all), Some("192.0.2.2:443".parse().unwrap()));
        assert_eq!(known[..2], addresses(&["192.0.2.2:443", "[2001:db8::1]:443"]));
        assert_eq!(order(&addresses(&[FOUR]), Some("192.0.2.9:443".parse().unwrap())), addresses(&[FOUR]));
        assert_eq!(order(&[], None), []);
    }

    /// An address that swallows packets: its connection is still being tried when the other one is there. What it gets later
    /// is dropped.
    #[test]
    fn the_next_address_is_tried_while_the_first_is_silent() {
        let (give_up, silence) = channel::<()>();
        let silence = Arc::new(Mutex::new(silence));
        let (told, dropped) = channel();
        struct Connection(std::sync::mpsc::Sender<SocketAddr>, SocketAddr);
        impl Drop for Connection {
            fn drop(&mut self) {
                self.0.send(self.1).ok();
            }
        }
        let [six, four] = addresses(&[SIX, FOUR]).try_into().unwrap();
        let connect = move |address, _| {
            if address == six {
                silence.lock().unwrap().recv().ok();
            }
            Ok(Connection(told.clone(), address))
        };
        let (address, connection) = race(&[six, four], LONG, connect).unwrap();
        assert_eq!(address, four);
        assert!(dropped.try_recv().is_err(), "nothing has ended yet");
        give_up.send(()).unwrap();
        assert_eq!(dropped.recv_timeout(LONG).unwrap(), six);
        drop(connection);
        assert_eq!(dropped.recv_timeout(LONG).unwrap(), four);
    }

    #[test]
    fn a_slow_address_wins_where_the_others_refuse() {
        let [six, four] = addresses(&[SIX, FOUR]).try_into().unwrap();
        let (refused, heard) = channel();
        let heard = Arc::new(Mutex::new(heard));
        let connect = move |address, _| {
            if address == four {
                refused.send(()).unwrap();
                return Err(ErrorKind::ConnectionRefused.into());
            }
            heard.lock().unwrap().recv().unwrap();
            Ok(())
        };
        assert_eq!(race(&[six, four], LONG, connect).unwrap().0, six);
    }

    #[test]
    fn every_address_is_in_the_error() {
        let all = addresses(&[SIX, FOUR]);
        let (end, silence) = channel::<()>();
        let silence = Arc::new(Mutex::new(silence));
        let connect = move |address: SocketAddr, _| match address.is_ipv4() {
            true => Err(ErrorKind::ConnectionRefused.into()),
            // Until the test is over, however late it is on a busy machine.
            false => {
                silence.lock().unwrap().recv().ok();
                Ok(())
            }
        };
        let failed = race(&all, Duration::from_millis(50), connect).unwrap_err().0;
        assert!(failed.iter().any(|(_, error)| error.kind() == ErrorKind::TimedOut), "{failed:?}");
        let connect = |_, _| -> io::Result<()> { Err(ErrorKind::ConnectionRefused.into()) };
        let failed = race(&all, LONG, connect).unwrap_err().0;
        assert_eq!(failed.iter().map(|(address, _)| *address).collect::<Vec<_>>(), all);
        assert!(race(&[], LONG, connect).is_err());
        drop(end);
    }
}
