//! A simulated IPv64.
