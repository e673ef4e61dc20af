//! The commands for the IPv64 API: the real binary against the simulated API, alone.

mod commands;
mod faults;
mod names;
mod pages;
mod terminal;
