//! The report as SARIF 2.1.0 (OASIS), which code hosts show beside the line of the versions file.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::report::{ImageReport, Report};
use crate::digest::Digest;
use crate::policy::{Code, Effect, Finding};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The document. `version` is this program's.
pub fn report(report: &Report, version: &str) -> Value {
    let mut codes: BTreeMap<Code, usize> = BTreeMap::new();
    for finding in report.images.iter().flat_map(ImageReport::findings) {
        codes.insert(finding.code, 0);
    }
    codes.values_mut().enumerate().for_each(|(place, index)| *index = place);
    let rules: Vec<Value> = codes.keys().map(|code| rule(*code)).collect();
    let results: Vec<Value> = report
        .images
        .iter()
        .flat_map(|image| image.findings().map(|finding| result(report, image, finding, &codes)))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "qapi gate", "version": version, "rules": rules}},
            "automationDetails": {"id": format!("qapi-gate/{}/", report.environment.as_deref().unwrap_or("default"))},
            "invocations": [{"executionSuccessful": true, "endTimeUtc": report.verified_at}],
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": {"policy": report.policy.to_string(), "mode": report.mode, "outcome": report.outcome},
        }],
    })
}

fn rule(code: Code) -> Value {
    json!({"id": code.as_str(), "shortDescription": {"text": code.as_str().replace('-', " ")}, "help": {"text": code.advice()}})
}

fn result(report: &Report, image: &ImageReport, finding: &Finding, codes: &BTreeMap<Code, usize>) -> Value {
    let is_refusal = image.refusals.contains(finding);
    let level = match image.effect {
        Effect::Deny if is_refusal => "error",
        Effect::DryRun if is_refusal => "note",
        _ => "warning",
    };
    // The same finding of the same image is one alert, wherever its line moves to.
    let fingerprint = Digest::of(format!("{}\n{}\n{}", finding.code.as_str(), image.name, image.reference).as_bytes());
    json!({
        "ruleId": finding.code.as_str(),
        "ruleIndex": codes.get(&finding.code),
        "level": level,
        "message": {"text": format!("{} ({}): {}; {}", image.name, image.reference, finding.text, finding.advice)},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(&report.versions)},
            "region": {"startLine": image.line, "startColumn": image.column},
        }}],
        "partialFingerprints": {"image/v1": fingerprint.hex()},
        "properties": {"reference": image.reference, "digest": image.digest.as_ref().map(Digest::to_string)},
    })
}

/// A path as a URI reference (RFC 3986): what it reserves is escaped, and separators stay.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.strip_prefix("./").unwrap_or(path).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
