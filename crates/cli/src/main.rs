//! The `qapi` command line.
fn main() {}
