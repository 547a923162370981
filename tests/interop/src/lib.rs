//! Drives the real binaries and foreign tools. Everything is in `tests/all.rs`: one test binary, one thing to link.
