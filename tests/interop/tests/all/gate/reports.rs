//! The reports of a gate that ran, by the schemas of their standards and by tools of others.

use std::process::Command;

use super::bed::Bed;
use crate::binaries::root;
use crate::program::{python, run, succeed};
use crate::registries::place::usual;

const XSD: &str = "import sys, lxml.etree as e
schema = e.XMLSchema(e.parse(sys.argv[1]))
schema.assertValid(e.parse(sys.argv[2]))";

#[test]
fn sarif_and_junit_reports_are_valid_by_their_schemas() {
    let bed = Bed::start(usual());
    bed.prepare();
    let python = python("requirements-pipelines.txt");
    let vectors = root().join("tests/vectors/reports");
    let passes = "users-api: '1.4'\n";
    let refused = "users-api: '1.4'\nreport: '1.0'\nnone: 'REGISTRY/team/none:1'\nevil: 'localhost:1/team/x:1'\n";
    for (versions, environment, status) in
        [(passes, "production", 0), (refused, "production", 2), (refused, "staging", 0)]
    {
        std::fs::write(bed.path().join("v.yaml"), versions.replace("REGISTRY", &bed.place.host)).unwrap();
        let words = format!(
            "qapi gate verify --versions v.yaml --policy policy.yaml --environment {environment} \
             --report sarif=gate.sarif --report junit=gate.xml"
        );
        assert_eq!(run(&mut bed.shell(&words)).status.code(), Some(status), "{versions} in {environment}");
        let mut sarif = Command::new(&python);
        sarif.args(["-m", "check_jsonschema", "--schemafile"]).arg(vectors.join("sarif-schema-2.1.0.json"));
        succeed(sarif.arg(bed.path().join("gate.sarif")));
        let mut junit = Command::new(&python);
        succeed(junit.args(["-c", XSD]).arg(vectors.join("junit-10.xsd")).arg(bed.path().join("gate.xml")));
    }
}
