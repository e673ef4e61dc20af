//! The conventions of all clients, called as the clients call them: the binary against the simulator, without a CA.
//! That the real clients call so is shown in `crate::clients`.

mod batch;
mod pages;
mod scripts;
mod verbs;
pub(crate) mod world;
