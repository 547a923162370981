//! Faults that others were found to have, each tried against all who judge images here: the gate, `image verify`, admission.
//!
//! Every advisory of the list has its test; the count is printed.

mod evidence;
mod workloads;

use std::future::Future;
use std::pin::Pin;

use crate::admission::scene::Scene;
use crate::judges::Judges;
use crate::program::say;

type Test = for<'a> fn(&'a Scene, &'a Judges<'a>) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

macro_rules! advisory {
    ($name:literal, $what:literal, $test:path) => {
        ($name, $what, (|scene, judges| Box::pin($test(scene, judges))) as Test)
    };
}

/// The advisory, what was wrong, and the test that shows that it is not wrong here.
const ADVISORIES: [(&str, &str, Test); 12] = [
    advisory!("GHSA-w6c6-c85g-mmv6", "the predicate of an attestation was not looked at", evidence::another_predicate),
    advisory!("GHSA-whqx-f9j3-ch6m", "a log entry was not bound to the artifact", evidence::log_entry_of_another),
    advisory!("cosign v3.0.5", "malformed payloads ended the program", evidence::malformed_payloads),
    advisory!("kyverno #16336", "the outcome of an earlier check could be forged", workloads::forged_outcome),
    advisory!("kyverno #16275", "ephemeral containers were not looked at", workloads::ephemeral_container),
    advisory!("go-containerregistry #2205", "referrers written at once were lost", evidence::writers_at_once),
    advisory!(
        "security-profiles-operator #3449",
        "an attestation counted as a signature",
        evidence::attestation_as_signature
    ),
    advisory!("cosign #5014", "a signature for one repository passed in another", evidence::another_repository),
    advisory!("kyverno #12630", "an index and its platforms stood for each other", evidence::index_and_platforms),
    advisory!("cosign #4872", "COSIGN_REPOSITORY was not read for bundles", evidence::repository_of_evidence),
    advisory!(
        "cosign #4641",
        "lists without annotations or with other types hid signatures",
        evidence::list_that_is_wrong
    ),
    advisory!("ratify #92", "what was not answered in time was let in", workloads::silent_registry),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_had_to_mend_is_refused_here() {
    let scene = Scene::new("advisories");
    let judges = Judges::new(&scene);
    for (name, what, test) in ADVISORIES {
        println!("{name}: {what}");
        test(&scene, &judges).await;
    }
    say(&format!("advisories: {0} of {0} have a test that passes", ADVISORIES.len()));
}
