//! Whether to believe that an image is signed, or what is attested of it. Pure: what was found, whom we trust and the time are
//! arguments.
//!
//! Every carrier is judged alone, with a reason; then the requirement decides over all of them. A signature counts only if its
//! predicate says that it is one, and an attestation only for the predicate that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use crypto::key::PublicKey;
use serde_json::Value;

use crate::bundle::{Bundle, Content};
use crate::digest::Digest;
use crate::dsse::{self, Envelope, IN_TOTO};
use crate::hybrid::{self, HybridSet, REPOSITORY, fingerprint};
use crate::reference::{Reference, Repository};
use crate::simple_signing::SimpleSigning;
use crate::statement::Statement;
use crate::trusted_key::{Purpose, TrustedKey, Unusable};

/// For questions that want nothing in particular to be signed with the image.
pub static NO_ANNOTATIONS: BTreeMap<String, String> = BTreeMap::new();
/// The predicate of a bundle that is a signature and says nothing else.
pub const SIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// One signed thing that was found beside an image.
#[derive(Clone, Debug)]
pub enum Carrier {
    /// A layer of a legacy signature: the payload and a signature over it.
    Layer {
        /// The payload's bytes, as the registry holds them.
        payload: Vec<u8>,
        /// The signature that the layer's annotation holds.
        signature: Vec<u8>,
    },
    /// The envelope of a legacy attestation.
    Envelope(Envelope),
    /// A bundle.
    Bundle(Bundle),
}

impl Carrier {
    /// How many bytes it takes, about: payload and signatures.
    pub fn bytes(&self) -> usize {
        let envelope = |envelope: &Envelope| {
            let signatures: usize = envelope.signatures().iter().map(|signature| signature.sig.len()).sum();
            envelope.danger_unverified_payload().len() + signatures
        };
        match self {
            Self::Layer { payload, signature } => payload.len() + signature.len(),
            Self::Envelope(held) => envelope(held),
            Self::Bundle(Bundle { content: Content::Envelope(held), .. }) => envelope(held),
            Self::Bundle(Bundle { content: Content::Message { digest, signature }, .. }) => {
                digest.len() + signature.len()
            }
        }
    }
}

/// Which signatures an image has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// One of a trusted key. Where it says that it belongs to a hybrid set, the whole set.
    Any,
    /// One of a trusted post-quantum key.
    PostQuantum,
    /// A classical and a post-quantum one over the same payload.
    Hybrid,
    /// One of a trusted key, whatever it says of others: for the time in which an old verifier's habits are kept.
    DangerClassicalAlone,
}

/// What an image is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The image: what its manifest hashes to.
    pub image: &'q Digest,
    /// The repository for which it has to have been signed; without one, content signed for any is taken.
    pub repository: Option<&'q Repository>,
    /// Whom we trust.
    pub trusted: &'q [TrustedKey],
    /// What has to be signed with the image: cosign's `-a`. What is signed beside it does no harm.
    pub annotations: &'q BTreeMap<String, String>,
    /// Now, in Unix seconds.
    pub now: i64,
}

/// A carrier that is believed.
#[derive(Clone, Debug)]
pub struct Believed {
    /// Its place among those that were given.
    pub carrier: usize,
    /// The name of the key.
    pub key: String,
    /// Whether the key is post-quantum.
    pub is_post_quantum: bool,
    /// The hybrid set that it belongs to.
    pub set: Option<HybridSet>,
    /// What is said of the image; nothing for a legacy signature.
    pub predicate: Option<Value>,
    key_fingerprint: [u8; 32],
}

/// Why a carrier is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Disbelief {
    /// No trusted key has signed it.
    #[error("no trusted key has signed it")]
    NoTrustedKey,
    /// The key that signed it does not count.
    #[error("{key}: {why}")]
    Key {
        /// The name of the key.
        key: String,
        /// Why it does not count.
        why: Unusable,
    },
    /// What was signed is of another kind: an attestation is no signature, and one predicate no other.
    #[error("it says {found}, and what was asked for is {wanted}")]
    OtherPredicate {
        /// What it says.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// It is about another image.
    #[error("it was made for another image")]
    OtherImage,
    /// It was made for another repository.
    #[error("it was made for the repository {0}")]
    OtherRepository(String),
    /// It does not say of the image what it has to.
    #[error("it does not say {name}={wanted}")]
    OtherAnnotation {
        /// The name of the annotation.
        name: String,
        /// What it has to be.
        wanted: String,
    },
    /// What was signed cannot be read.
    #[error("what was signed is not usable: {0}")]
    Malformed(String),
    /// The carrier holds a file's signature.
    #[error("it is a signature over a file")]
    OfAFile,
}

/// Why an image is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is nothing to judge.
    #[error("it is not signed")]
    Nothing,
    /// Nothing that was found is believed.
    #[error("none of its {0} signatures is believed")]
    NothingBelieved(usize),
    /// A signature that was made is not there any more.
    #[error("its signature by {key} was made together with others, and not all of them are there")]
    Stripped {
        /// The key whose signature tells of the others.
        key: String,
    },
    /// Only classical signatures are believed.
    #[error("it has no post-quantum signature that is believed")]
    NoPostQuantum,
    /// There is no classical and post-quantum pair over one payload.
    #[error("it has no classical and post-quantum signature over the same payload")]
    NoPair,
}

/// What was found, carrier by carrier, and what follows from it.
#[derive(Debug)]
pub struct Verdict {
    /// What is believed.
    pub believed: Vec<Believed>,
    /// What is not, by its place among what was given.
    pub disbelieved: Vec<(usize, Disbelief)>,
    /// Whether the image passes.
    pub outcome: Result<(), Refusal>,
}

/// Judges whether an image is signed.
pub fn signature(question: &Question<'_>, carriers: &[Carrier], requirement: Requirement) -> Verdict {
    let mut verdict = judge(carriers, |carrier| signed(question, carrier));
    verdict.outcome = decide(&verdict.believed, carriers.len(), requirement);
    verdict
}

/// Judges whether a predicate is attested of an image by a trusted key: one is enough.
pub fn attestation(question: &Question<'_>, carriers: &[Carrier], predicate: &str, purpose: Purpose) -> Verdict {
    attestation_meeting(question, carriers, predicate, purpose, Requirement::Any)
}

/// Judges whether a predicate is attested of an image by trusted keys of the kinds that are required.
pub fn attestation_meeting(
    question: &Question<'_>,
    carriers: &[Carrier],
    predicate: &str,
    purpose: Purpose,
    requirement: Requirement,
) -> Verdict {
    let mut verdict = judge(carriers, |carrier| stated(question, carrier, predicate, purpose));
    verdict.outcome = decide(&verdict.believed, carriers.len(), requirement);
    verdict
}

fn judge(carriers: &[Carrier], mut believe: impl FnMut(&Carrier) -> Result<Believed, Disbelief>) -> Verdict {
    let (mut believed, mut disbelieved) = (Vec::new(), Vec::new());
    for (place, carrier) in carriers.iter().enumerate() {
        match believe(carrier) {
            Ok(found) => believed.push(Believed { carrier: place, ..found }),
            Err(why) => disbelieved.push((place, why)),
        }
    }
    Verdict { believed, disbelieved, outcome: Err(Refusal::Nothing) }
}

/// What follows from what is believed.
fn decide(believed: &[Believed], found: usize, requirement: Requirement) -> Result<(), Refusal> {
    if found == 0 {
        return Err(Refusal::Nothing);
    }
    if believed.is_empty() {
        return Err(Refusal::NothingBelieved(found));
    }
    if requirement == Requirement::DangerClassicalAlone {
        return Ok(());
    }
    // A post-quantum signature needs no other one: what was made beside it is for readers that cannot read it.
    if requirement == Requirement::PostQuantum && believed.iter().any(|one| one.is_post_quantum) {
        return Ok(());
    }
    // What tells of others that are not there was stripped, and counts for nothing. After a rotation an image has a whole
    // set beside an old one whose keys are not believed any more.
    let whole: Vec<&Believed> = believed.iter().filter(|one| is_whole(one, believed)).collect();
    let Some(first) = believed.first().filter(|_| whole.is_empty()) else {
        return match requirement {
            Requirement::PostQuantum if !whole.iter().any(|one| one.is_post_quantum) => Err(Refusal::NoPostQuantum),
            Requirement::Hybrid if !whole.iter().any(|one| is_paired(one, believed)) => Err(Refusal::NoPair),
            _ => Ok(()),
        };
    };
    Err(Refusal::Stripped { key: first.key.clone() })
}

/// Whether every key of its set has signed, as far as we believe.
fn is_whole(one: &Believed, believed: &[Believed]) -> bool {
    let Some(set) = &one.set else { return true };
    let signers: BTreeSet<_> =
        believed.iter().filter(|other| other.set.as_ref() == Some(set)).map(|other| other.key_fingerprint).collect();
    set.keys.is_subset(&signers)
}

fn is_paired(one: &Believed, believed: &[Believed]) -> bool {
    one.set.is_some()
        && one.is_post_quantum
        && believed.iter().any(|other| !other.is_post_quantum && other.set == one.set)
}

fn signed(question: &Question<'_>, carrier: &Carrier) -> Result<Believed, Disbelief> {
    let Carrier::Layer { payload, signature } = carrier else {
        return stated(question, carrier, SIGN_PREDICATE, Purpose::Signature);
    };
    let key = signer(question, Purpose::Signature, |key| key.verify(payload, signature))?;
    let payload = SimpleSigning::parse(payload).map_err(malformed)?;
    if payload.digest != *question.image {
        return Err(Disbelief::OtherImage);
    }
    let signed_for = Some(payload.reference.as_str());
    believed(question, key, signed_for, &payload.optional, None)
}

fn stated(question: &Question<'_>, carrier: &Carrier, wanted: &str, purpose: Purpose) -> Result<Believed, Disbelief> {
    let envelope = match carrier {
        Carrier::Envelope(envelope) => envelope,
        Carrier::Bundle(Bundle { content: Content::Envelope(envelope), .. }) => envelope,
        Carrier::Bundle(_) => return Err(Disbelief::OfAFile),
        Carrier::Layer { .. } => {
            return Err(Disbelief::OtherPredicate { found: "an image signature".into(), wanted: wanted.into() });
        }
    };
    let mut refused = None;
    let key = signer(question, purpose, |key| match envelope.verify(IN_TOTO, std::slice::from_ref(key), 1) {
        Ok(_) => true,
        Err(error) => {
            refused = Some(error);
            false
        }
    });
    let key = match (key, refused) {
        (
            Err(Disbelief::NoTrustedKey),
            Some(error @ (dsse::Refused::OtherType { .. } | dsse::Refused::Signatures(_))),
        ) => {
            return Err(malformed(error));
        }
        (key, _) => key?,
    };
    let statement = Statement::parse(envelope.danger_unverified_payload()).map_err(malformed)?;
    if statement.predicate_type != wanted {
        return Err(Disbelief::OtherPredicate { found: statement.predicate_type, wanted: wanted.to_owned() });
    }
    let subject = statement.subject_of(question.image).ok_or(Disbelief::OtherImage)?;
    let repository = subject.annotations.get(REPOSITORY).and_then(Value::as_str).or(subject.name.as_deref());
    believed(question, key, repository, &subject.annotations, Some(&statement.predicate))
}

/// The trusted key that signed, if it counts for the purpose.
fn signer<'k>(
    question: &Question<'k>,
    purpose: Purpose,
    mut has_signed: impl FnMut(&PublicKey) -> bool,
) -> Result<&'k TrustedKey, Disbelief> {
    let mut refusal = Disbelief::NoTrustedKey;
    for trusted in question.trusted.iter().filter(|trusted| has_signed(&trusted.key)) {
        match trusted.usable(purpose, question.now) {
            Ok(()) => return Ok(trusted),
            Err(why) => refusal = Disbelief::Key { key: trusted.name.clone(), why },
        }
    }
    Err(refusal)
}

fn believed(
    question: &Question<'_>,
    key: &TrustedKey,
    signed_for: Option<&str>,
    annotations: &BTreeMap<String, Value>,
    predicate: Option<&Value>,
) -> Result<Believed, Disbelief> {
    if let Some(wanted) = question.repository {
        let is_same = |text: &str| text.parse::<Reference>().is_ok_and(|signed_for| signed_for.repository() == wanted);
        match signed_for {
            Some(text) if is_same(text) => {}
            other => {
                return Err(Disbelief::OtherRepository(other.unwrap_or("nobody named").chars().take(300).collect()));
            }
        }
    }
    let said = |name: &String| annotations.get(name).and_then(Value::as_str);
    if let Some((name, wanted)) = question.annotations.iter().find(|(name, wanted)| said(name) != Some(wanted.as_str()))
    {
        return Err(Disbelief::OtherAnnotation { name: name.clone(), wanted: wanted.clone() });
    }
    let set = HybridSet::from_annotations(annotations).map_err(|error: hybrid::NotUnderstood| malformed(error))?;
    Ok(Believed {
        carrier: 0,
        key: key.name.clone(),
        is_post_quantum: key.key.algorithm().is_post_quantum(),
        set,
        predicate: predicate.cloned(),
        key_fingerprint: fingerprint(&key.key),
    })
}

fn malformed(error: impl std::error::Error) -> Disbelief {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Disbelief::Malformed(format!("{error}{source}"))
}

#[cfg(test)]
mod tests;
