//! What a hook and a broker say to each other (`/v1`): documents in JSON over HTTPS. A broker holds the API key, and every
//! other machine a token that can solve challenges for its own names. The server's side is `crate::serve` (feature `serve`).

pub mod client;
pub mod error;
pub mod pattern;
pub mod protocol;
