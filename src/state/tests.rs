//! Tests of the room as a whole, and what its other tests share.

mod bench;
mod interleavings;
mod processes;

pub(super) use bench::*;
