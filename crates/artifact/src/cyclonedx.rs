//! Bills of materials in CycloneDX 1.6 and 1.7 (ECMA-424), checked against the schemas that the standard publishes.
//!
//! The schemas lie in this crate; nothing is fetched. What is valid here is well formed, not true.

use std::io::Read as _;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use jsonschema::Validator;
use serde_json::Value;

use crate::json::{self, Malformed};

/// Bills of materials longer than this are not read.
pub const LONGEST_BYTES: usize = 48 << 20;
/// The predicate type of a bill of materials in an attestation.
pub const PREDICATE: &str = "https://cyclonedx.org/bom";
/// As many faults are told of a bill of materials.
const MOST_FAULTS: usize = 20;

/// A version whose schema is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.6.
    V1_6,
    /// 1.7.
    V1_7,
}

/// A bill of materials that is valid.
#[derive(Clone, Debug)]
pub struct Bom {
    /// The version that it is valid in.
    pub version: Version,
    /// It.
    pub value: Value,
}

/// One breach of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place in the document, as a JSON Pointer (RFC 6901).
    pub at: String,
    /// What is wrong there.
    pub why: String,
}

/// Why a document is no bill of materials that we take.
#[derive(Debug, thiserror::Error)]
pub enum NotABom {
    /// It is no JSON that has one meaning.
    #[error("the bill of materials is malformed")]
    Malformed(#[source] Malformed),
    /// It is something else.
    #[error("it does not call itself CycloneDX")]
    OtherFormat,
    /// It is of a version that is not checked here.
    #[error("it is of CycloneDX {0:?}, and 1.6 and 1.7 are checked")]
    OtherVersion(String),
    /// It breaks the schema of its version.
    #[error("it is not valid CycloneDX {}: {}", version.as_str(), first(faults))]
    Invalid {
        /// The version.
        version: Version,
        /// What is wrong, as far as it is told.
        faults: Vec<Fault>,
    },
    /// The schemas in this program are damaged.
    #[error("the schema cannot be used: {0}")]
    Schema(String),
}

impl Version {
    /// As `specVersion` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_6 => "1.6",
            Self::V1_7 => "1.7",
        }
    }

    fn validator(self) -> Result<&'static Validator, NotABom> {
        static V1_6: OnceLock<Result<Validator, String>> = OnceLock::new();
        static V1_7: OnceLock<Result<Validator, String>> = OnceLock::new();
        let (kept, schema) = match self {
            Self::V1_6 => (&V1_6, BOM_1_6),
            Self::V1_7 => (&V1_7, BOM_1_7),
        };
        let made = kept.get_or_init(|| compiled(schema));
        made.as_ref().map_err(|why| NotABom::Schema(why.clone()))
    }
}

impl Bom {
    /// How many components it lists, those within others not counted.
    pub fn components(&self) -> usize {
        self.value.get("components").and_then(Value::as_array).map_or(0, Vec::len)
    }
}

/// Reads a bill of materials and checks it against the schema of its version.
pub fn validate(bytes: &[u8]) -> Result<Bom, NotABom> {
    let value = json::value(bytes, LONGEST_BYTES).map_err(NotABom::Malformed)?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    if text("bomFormat") != Some("CycloneDX") {
        return Err(NotABom::OtherFormat);
    }
    let version = match text("specVersion") {
        Some("1.6") => Version::V1_6,
        Some("1.7") => Version::V1_7,
        other => return Err(NotABom::OtherVersion(other.unwrap_or_default().chars().take(20).collect())),
    };
    let faults: Vec<Fault> = version
        .validator()?
        .iter_errors(&value)
        .take(MOST_FAULTS)
        .map(|error| Fault {
            at: error.instance_path().to_string(),
            why: error.masked().to_string().chars().take(300).collect(),
        })
        .collect();
    match faults.is_empty() {
        true => Ok(Bom { version, value }),
        false => Err(NotABom::Invalid { version, faults }),
    }
}

fn first(faults: &[Fault]) -> String {
    faults.first().map(|fault| format!("{}: {}", fault.at, fault.why)).unwrap_or_default()
}

const BOM_1_6: &[u8] = include_bytes!("../schemas/cyclonedx/bom-1.6.schema.json.gz");
const BOM_1_7: &[u8] = include_bytes!("../schemas/cyclonedx/bom-1.7.schema.json.gz");
/// What the schemas refer to, by the addresses that they give it.
const REFERRED: [(&str, &[u8]); 3] = [
    ("http://cyclonedx.org/schema/spdx.schema.json", include_bytes!("../schemas/cyclonedx/spdx.schema.json.gz")),
    (
        "http://cyclonedx.org/schema/jsf-0.82.schema.json",
        include_bytes!("../schemas/cyclonedx/jsf-0.82.schema.json.gz"),
    ),
    (
        "http://cyclonedx.org/schema/cryptography-defs.schema.json",
        include_bytes!("../schemas/cyclonedx/cryptography-defs.schema.json.gz"),
    ),
];

fn unpacked(schema: &[u8]) -> Result<Value, String> {
    let mut text = Vec::new();
    GzDecoder::new(schema).read_to_end(&mut text).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

fn compiled(schema: &[u8]) -> Result<Validator, String> {
    let mut registry = jsonschema::Registry::new();
    for (address, referred) in REFERRED {
        registry = registry.add(address, unpacked(referred)?).map_err(|error| error.to_string())?;
    }
    let registry = registry.prepare().map_err(|error| error.to_string())?;
    let schema = unpacked(schema)?;
    // Formats are part of what the published samples are judged by; the default of this draft leaves them unchecked.
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft7).should_validate_formats(true);
    options.with_registry(&registry).build(&schema).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_published_sample_is_judged_as_its_name_says() {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/cyclonedx/samples");
        let mut judged = 0;
        for version in [Version::V1_6, Version::V1_7] {
            for sample in std::fs::read_dir(samples.join(version.as_str())).unwrap() {
                let path = sample.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let found = validate(&std::fs::read(&path).unwrap());
                let is_version = |bom: &Bom| bom.version == version;
                assert_eq!(found.as_ref().is_ok_and(is_version), name.starts_with("valid-"), "{name}: {found:?}");
                judged += 1;
            }
        }
        assert_eq!(judged, 56);
    }

    #[test]
    fn what_is_no_bill_of_materials_is_told_from_one_that_is_wrong() {
        assert!(matches!(validate(b"{"), Err(NotABom::Malformed(_))));
        assert!(matches!(
            validate(br#"{"bomFormat":"CycloneDX","bomFormat":"CycloneDX"}"#),
            Err(NotABom::Malformed(_))
        ));
        assert!(matches!(validate(b"{}"), Err(NotABom::OtherFormat)));
        let old = validate(br#"{"bomFormat":"CycloneDX","specVersion":"1.3"}"#);
        assert!(matches!(old, Err(NotABom::OtherVersion(version)) if version == "1.3"));
        let wrong = validate(br#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"nothing"}]}"#);
        let Err(NotABom::Invalid { faults, .. }) = wrong else { panic!("it is invalid") };
        assert!(faults.iter().any(|fault| fault.at == "/components/0/type"), "{faults:?}");
    }
}
