//! The `qapid` server.
fn main() {}
