//! The commands for people: setting up, looking into trouble, help. The real binary against the simulation.

mod certificate;
mod config;
mod docs;
mod doctor;
mod faults;
mod history;
mod init;
mod json;
mod machine;
mod manual;
mod mistakes;
mod on_failure;
mod places;
mod sessions;
mod shells;
mod terminal;
mod test_command;
mod usage;
mod waits;
