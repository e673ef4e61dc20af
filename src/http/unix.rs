//! A connection over a Unix socket: who connects is known to the other side by the kernel, so that nothing secret is sent.
//! There is no name, no address and no proxy on the way.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::channel;

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

use super::CONNECT_TIMEOUT;
use super::connect::NoConnection;

/// Connects to the socket of this path, whatever the address of a request says.
#[derive(Debug)]
pub(super) struct UnixConnector(pub(super) PathBuf);

impl Connector for UnixConnector {
    type Out = UnixTransport;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<UnixTransport>, Error> {
        let (sender, answer) = channel();
        let path = self.0.clone();
        // It waits without end where the other side takes no more connections, and std has no limit for that.
        let started = std::thread::Builder::new().spawn(move || sender.send(UnixStream::connect(path)).ok());
        let patience = CONNECT_TIMEOUT.min(*details.timeout.after);
        let stream =
            started.and_then(|_| answer.recv_timeout(patience).map_err(|_| ErrorKind::TimedOut.into()).flatten());
        let stream = stream.map_err(|error| {
            let error =
                if error.kind() == ErrorKind::TimedOut { Error::Timeout(Timeout::Connect) } else { error.into() };
            Error::Other(Box::new(NoConnection { address: None, error }))
        })?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(UnixTransport { stream, buffers }))
    }
}

#[derive(Debug)]
pub(super) struct UnixTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl Transport for UnixTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_write_timeout(timeout.not_zero().map(|left| *left))?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output).map_err(|error| in_time(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(timeout.not_zero().map(|left| *left))?;
        let input = self.buffers.input_append_buf();
        let amount = loop {
            match self.stream.read(input) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(|error| in_time(error, timeout))?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Never kept for the next request: another connection costs nothing here.
        false
    }
}

fn in_time(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}
