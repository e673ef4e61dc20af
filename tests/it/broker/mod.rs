//! The broker: its process, its clients, what it does and what it refuses.

mod audit;
mod clients;
mod engine;
mod hostile;
mod hosts;
mod killed;
mod lego;
mod locked;
mod real_clients;
mod serve;
pub(crate) mod server;
mod turns;
