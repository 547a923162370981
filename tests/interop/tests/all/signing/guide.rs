//! The guide about signing images does what it says.

use super::bench::{Bench, ended};
use crate::binaries::root;
use crate::guides::runnable;
use crate::program::run;

#[test]
fn the_guide_to_signing_images_runs_as_it_is_written() {
    let guide = std::fs::read_to_string(root().join("docs/guides/signing-images.md")).unwrap();
    let blocks = runnable(&guide);
    assert!(blocks.len() >= 6, "the guide has lost its blocks");
    let bench = Bench::start();
    bench.image("users-api", "1.4", "the service");
    let mut shell = bench.shell(&blocks.join("\n"));
    ended(0, &run(shell.env("REGISTRY", &bench.place.host)));
}
