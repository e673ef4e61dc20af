//! The IPv64 HTTP API.
