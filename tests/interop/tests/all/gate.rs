//! The deploy gate over a registry, with a server for its tickets: the guide as it is written, and what attackers would try.

mod attacks;
mod bed;
mod reports;
mod tickets;

use bed::Bed;

use crate::binaries::root;
use crate::guides::runnable;
use crate::program::{both, run};
use crate::registries::place::usual;
use crate::server::eventually;

#[test]
fn the_guide_to_the_deploy_gate_runs_as_it_is_written() {
    let guide = std::fs::read_to_string(root().join("docs/guides/deploy-gate.md")).unwrap();
    let blocks = runnable(&guide);
    assert!(blocks.len() >= 9, "the guide has lost its blocks");
    let bed = Bed::start(usual());
    let output = run(&mut bed.shell(&blocks.join("\n")));
    assert!(output.status.success(), "{}", both(&output));
    // Issuing and taking back stand in the trail, with the reason.
    let trail = eventually(std::time::Duration::from_secs(30), || {
        let trail = bed.server.client().get("/api/v1/audit-logs?pageSize=100").expect(200).text();
        (trail.contains("GateTicketIssued") && trail.contains("GateTicketRevoked")).then_some(trail)
    });
    assert!(trail.contains("hotfix for the login"), "{trail}");
}
