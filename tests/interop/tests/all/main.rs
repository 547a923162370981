//! The platform as its users meet it: real binaries, real databases, foreign clients.
//!
//! Every test starts what it needs and stops it again; nothing is shared but the binaries, which are built once. A tool that
//! is missing fails the test that needs it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that meets the unexpected fails, and says on the way what it counted"
)]

mod binaries;
mod certificate_peers;
mod certificates;
mod client;
mod connections;
mod fetched;
mod installation;
mod judges;
mod liar;
mod postgres;
mod program;
mod running;
mod server;
mod surface;
mod way;

mod admission;
mod advisories;
mod authority;
mod authorization;
mod backups;
mod crash;
mod document;
mod envelope;
mod gate;
mod guides;
mod https;
mod lifecycle;
mod mesh;
mod moved_clock;
mod official_sdks;
mod oidc;
mod open_formats;
mod operations;
mod pages;
mod registries;
mod replicas;
mod requests;
mod rules;
mod secrecy;
mod services;
mod sharing;
mod signing;
mod sigstore;
mod tour;
mod trail;
mod transcripts;
