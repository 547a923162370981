//! In-toto statements (in-toto attestation framework, `statement.md`, versions 0.1 and 1): what is said of which contents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{Algorithm, Digest, NotADigest};
use crate::json::{self, Malformed};

/// `_type` of version 1.
const V1: &str = "https://in-toto.io/Statement/v1";
/// `_type` of version 0.1, which cosign writes for attestations.
const V0_1: &str = "https://in-toto.io/Statement/v0.1";

/// A statement that was read. Make one of a verified payload only.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it is about.
    pub subjects: Vec<Subject>,
    /// What kind of thing it says.
    pub predicate_type: String,
    /// What it says.
    pub predicate: Value,
}

/// A content that a statement is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subject {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Its digests of the algorithms that we know.
    pub digests: Vec<Digest>,
    /// Further facts about it that were signed.
    pub annotations: BTreeMap<String, Value>,
}

/// Why a payload is no statement.
#[derive(Debug, thiserror::Error)]
pub enum NotAStatement {
    /// It is no JSON, or has another shape.
    #[error("the statement is malformed")]
    Malformed(#[source] Malformed),
    /// It is something else.
    #[error("it is of type {0:?}, not an in-toto statement")]
    OtherType(String),
    /// It says nothing of anything.
    #[error("it has no {0}")]
    Lacks(&'static str),
    /// A digest of an algorithm that we know is not one.
    #[error("a subject has a digest that is none")]
    Digest(#[source] NotADigest),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(default)]
    subject: Vec<WrittenSubject>,
    #[serde(default)]
    predicate_type: String,
    #[serde(default)]
    predicate: Value,
}

#[derive(Deserialize, Serialize)]
struct WrittenSubject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default)]
    digest: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, Value>>,
}

impl Statement {
    /// Reads a statement of either version.
    pub fn parse(payload: &[u8]) -> Result<Self, NotAStatement> {
        let written: Written = json::read(payload, crate::dsse::LONGEST_BYTES).map_err(NotAStatement::Malformed)?;
        if ![V1, V0_1].contains(&written.kind.as_str()) {
            return Err(NotAStatement::OtherType(written.kind.chars().take(200).collect()));
        }
        if written.subject.is_empty() {
            return Err(NotAStatement::Lacks("subject"));
        }
        if written.predicate_type.is_empty() {
            return Err(NotAStatement::Lacks("predicateType"));
        }
        let subjects = written.subject.into_iter().map(Subject::try_from).collect::<Result<_, _>>()?;
        Ok(Self { subjects, predicate_type: written.predicate_type, predicate: written.predicate })
    }

    /// The payload to sign, of version 1.
    pub fn to_payload(&self) -> Vec<u8> {
        self.written(V1)
    }

    /// The payload to sign, of version 0.1: the one that `cosign verify-attestation` of the 2.x line reads.
    pub fn to_payload_v0_1(&self) -> Vec<u8> {
        self.written(V0_1)
    }

    fn written(&self, kind: &str) -> Vec<u8> {
        let subjects: Vec<Value> = self.subjects.iter().map(Subject::to_json).collect();
        let members = [
            ("_type", kind.into()),
            ("subject", subjects.into()),
            ("predicateType", self.predicate_type.as_str().into()),
            ("predicate", self.predicate.clone()),
        ];
        let statement: Value = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        statement.to_string().into_bytes()
    }

    /// The subject that is the content of this digest: algorithm and value have to be equal, names do not matter.
    pub fn subject_of(&self, content: &Digest) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.digests.contains(content))
    }
}

impl TryFrom<WrittenSubject> for Subject {
    type Error = NotAStatement;

    fn try_from(written: WrittenSubject) -> Result<Self, NotAStatement> {
        if written.digest.is_empty() {
            return Err(NotAStatement::Lacks("digest of a subject"));
        }
        // Digests of algorithms that we do not know identify nothing for us.
        let known = |(name, hex): (&String, &String)| {
            Algorithm::named(name).map(|algorithm| Digest::from_parts(algorithm, hex).map_err(NotAStatement::Digest))
        };
        let digests = written.digest.iter().filter_map(known).collect::<Result<_, _>>()?;
        Ok(Self { name: written.name, digests, annotations: written.annotations.unwrap_or_default() })
    }
}

impl Subject {
    fn to_json(&self) -> Value {
        let digest: Value = self
            .digests
            .iter()
            .map(|digest| (digest.algorithm().as_str().to_owned(), Value::from(digest.hex())))
            .collect();
        let name = self.name.as_deref().map(|name| ("name", name.into()));
        let annotations: Option<Value> =
            (!self.annotations.is_empty()).then(|| self.annotations.clone().into_iter().collect());
        let members = [name, Some(("digest", digest)), annotations.map(|value| ("annotations", value))];
        members.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_reads_back_as_it_was_written() {
        let statement = Statement {
            subjects: vec![Subject {
                name: Some("registry.example/team/api".to_owned()),
                digests: vec![Digest::of(b"image")],
                annotations: BTreeMap::from([("a".to_owned(), Value::from("b"))]),
            }],
            predicate_type: "https://cyclonedx.org/bom".to_owned(),
            predicate: serde_json::json!({"bomFormat": "CycloneDX"}),
        };
        for payload in [statement.to_payload(), statement.to_payload_v0_1()] {
            assert_eq!(Statement::parse(&payload).unwrap(), statement);
        }
        assert!(statement.subject_of(&Digest::of(b"image")).is_some());
        assert!(statement.subject_of(&Digest::of(b"other")).is_none());
    }
}
