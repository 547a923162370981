//! Drives the real binaries and foreign tools.
