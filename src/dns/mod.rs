//! DNS as a client sees it: one question to one server, and the look-ups that are built from it.
//! The only room of the product that knows hickory. It says what servers answered; what that means for a challenge is
//! decided in [`crate::propagation`].
//!
//! - [`message`]: questions and replies as values
//! - [`exchange`]: one question to one address, over UDP or TCP
//! - [`pace`]: no address gets more queries in a second than it should
//! - [`recursive`]: recursive resolvers, over port 53 or HTTPS
//! - `server`: servers and zones as values
//! - `authority`: one question to the servers of a zone, until one is of use
//! - `walk`: the way down from the root servers
//! - [`zone`]: which servers are authoritative for a name
//! - [`signing`]: whether a zone signs where its parent says so
//! - [`cname`]: where a challenge record has to be placed

mod authority;
pub mod cname;
pub mod exchange;
pub mod message;
pub mod pace;
pub mod recursive;
mod server;
pub mod signing;
mod walk;
pub mod zone;

#[cfg(test)]
mod tests;
