//! What an attacker with write access to a registry, or the registry itself, would try against the gate.

use super::bed::Bed;
use crate::program::succeed;
use crate::registries::place::{Kind, tool};

#[test]
fn what_an_attacker_puts_into_a_registry_does_not_pass() {
    let bed = Bed::start(Kind::Distribution2);
    bed.prepare();
    assert_eq!(bed.gate("users-api: '1.4'\n").0, 0);

    // Another image under the tag, and the signed digest under the name of another image.
    let digest = succeed(tool("crane").args(["digest", &format!("{}/team/users-api:1.4", bed.place.host)]));
    bed.push("users-api", "1.4", "malicious");
    assert_eq!(bed.refusal("users-api: '1.4'\n"), (2, "not-signed".to_owned()));
    let pinned = format!("users-api: '1.4@{}'\n", digest.trim());
    assert_eq!(bed.gate(&pinned).0, 0, "what was signed still passes by its digest");
    let team = format!("{}/team", bed.place.host);
    let tag = digest.trim().replace(':', "-");
    for (from, to) in [
        (format!("{team}/users-api@{}", digest.trim()), format!("{team}/report:9")),
        (format!("{team}/users-api:{tag}.sig"), format!("{team}/report:{tag}.sig")),
        (format!("{team}/users-api:{tag}"), format!("{team}/report:{tag}")),
    ] {
        succeed(tool("crane").args(["copy", &from, &to]));
    }
    assert_eq!(bed.refusal("report: '9'\n"), (2, "not-believed".to_owned()));

    // A registry that is not in the policy, and one that is not there at all.
    assert_eq!(bed.refusal("evil: 'localhost:1/team/x:1'\n"), (2, "registry-not-allowed".to_owned()));
    assert_eq!(bed.refusal("none: 'REGISTRY/team/none:1'\n"), (2, "not-found".to_owned()));
    let policy = std::fs::read_to_string(bed.path().join("policy.yaml")).unwrap();
    let down = policy.replace(
        "registries:\n",
        "registries:\n  - {name: down.example, endpoint: '127.0.0.1:1', dangerPlainHttp: true}\n",
    );
    let down = down.replace("match: [", "match: [down.example/**, ");
    std::fs::write(bed.path().join("policy.yaml"), &down).unwrap();
    assert_eq!(bed.refusal("down: down.example/x:1\n"), (3, "unreachable".to_owned()));

    // A policy or a versions file that is not understood lets nothing pass.
    assert_eq!(bed.gate("users-api: [[1]]\n").0, 4);
    std::fs::write(bed.path().join("policy.yaml"), down + "surprise: 1\n").unwrap();
    let (status, told) = bed.gate(&pinned);
    assert_eq!(status, 4);
    assert!(told.as_str().unwrap().contains("surprise"), "{told}");
}

#[test]
fn an_attestation_by_the_signing_key_is_no_signature() {
    let bed = Bed::start(Kind::GoContainerRegistry);
    bed.prepare();
    let attest = "qapi keys create-signing notes --purpose attestation --local && echo '{}' > note.json && \
        qapi image attest $REGISTRY/team/report:1.0 --key notes.keys.json --type https://example.com/note --predicate note.json";
    succeed(&mut bed.shell(attest));
    let policy = std::fs::read_to_string(bed.path().join("policy.yaml")).unwrap();
    let trusted = policy.replace(
        "registries:\n",
        "  - {name: notes, purpose: signature, publicKeyFile: notes.ML-DSA-65.pub}\nregistries:\n",
    );
    std::fs::write(bed.path().join("policy.yaml"), trusted).unwrap();
    assert_eq!(bed.refusal("report: '1.0'\n"), (2, "not-believed".to_owned()));
}
