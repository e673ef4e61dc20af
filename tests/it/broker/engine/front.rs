//! What is in front of the API: a port that can be closed, accept and stay mute, and open again.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A port of this machine.
pub(super) struct Front {
    address: SocketAddr,
    /// What has no room for a further connection, and answers no SYN.
    deaf: Option<TcpListener>,
    listening: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Front {
    /// Takes a port on an address that nobody else uses; it refuses connections.
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.77.0.1:0").unwrap();
        Self { address: listener.local_addr().unwrap(), deaf: None, listening: None }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/api", self.address)
    }

    /// Swallows each packet that would open a connection, until it is opened or closed.
    pub(super) fn swallow(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        while TcpStream::connect_timeout(&self.address, Duration::from_millis(100)).is_ok() {}
        self.deaf = Some(listener);
    }

    /// Accepts connections, and passes everything on to an API; without one it stays mute.
    pub(super) fn open(&mut self, api: Option<&str>) {
        let behind = api.map(|url| url.split('/').nth(2).unwrap().parse::<SocketAddr>().unwrap());
        let listener = self.deaf.take().unwrap_or_else(|| TcpListener::bind(self.address).unwrap());
        listener.set_nonblocking(true).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut streams = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                stream.set_nonblocking(false).unwrap();
                if let Some(behind) = behind.and_then(|behind| TcpStream::connect(behind).ok()) {
                    pass(&stream, &behind);
                    pass(&behind, &stream);
                }
                streams.push(stream);
            }
            streams.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        });
        self.listening = Some((is_over, thread));
    }

    /// Refuses connections, and ends those that there are.
    pub(super) fn close(&mut self) {
        self.deaf = None;
        if let Some((stop, thread)) = self.listening.take() {
            stop.store(true, Ordering::Relaxed);
            thread.join().unwrap();
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.close();
    }
}

fn pass(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        io::copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Both).ok();
    });
}
