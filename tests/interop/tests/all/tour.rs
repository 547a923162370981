//! The tour that `./start` ends with: the main job from one end to the other.

use std::process::Command;

use crate::binaries::{binary, root};
use crate::program::{both, run};
use crate::server::Server;

#[test]
fn the_tour_of_the_main_job_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _server = Server::start_dev_in(&data);
    let mut tour = Command::new("python3");
    tour.arg(root().join("scripts/tour.py")).arg("--qapi").arg(binary("qapi")).arg("--data-dir").arg(&data);
    let output = run(&mut tour);
    assert!(output.status.success(), "{}", both(&output));
}
