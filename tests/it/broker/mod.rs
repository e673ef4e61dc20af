//! The broker: its process, its clients, what it does and what it refuses.

mod clients;
mod engine;
mod killed;
mod lego;
mod serve;
pub(crate) mod server;
