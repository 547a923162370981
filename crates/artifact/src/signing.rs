//! Signing software: what each key has to sign, and what is written beside the software then.
//!
//! No key is held here. A [`Plan`] says which messages each key signs; whoever holds the keys signs them, all at once, so that
//! a key that lies elsewhere is asked once for an image with all its platforms. [`Plan::finish`] checks every signature before
//! it becomes a carrier: a key that was rotated meanwhile, or a vault that errs, writes nothing into a registry.

use std::collections::BTreeMap;

use crypto::algorithm::Algorithm;
use crypto::key::PublicKey;
use serde_json::{Map, Value};

use crate::bundle::Bundle;
use crate::dsse::{Envelope, IN_TOTO, Signature, pae};
use crate::hybrid::{HybridSet, REPOSITORY};
use crate::image::Image;
use crate::simple_signing::SimpleSigning;
use crate::statement::{Statement, Subject};
use crate::verification::{Carrier, SIGN_PREDICATE};

/// The keys of one signing: a classical one, a post-quantum one, or one of each.
#[derive(Clone, Debug)]
pub struct Signers(Vec<PublicKey>);

/// Keys that do not sign together.
#[derive(Debug, thiserror::Error)]
pub enum NotSigners {
    /// There is none.
    #[error("no key was given")]
    None,
    /// A key that signs nothing.
    #[error("{0} keys do not sign")]
    NotSigning(Algorithm),
    /// Two keys of one kind: whoever verifies could not tell which of them was meant.
    #[error("{0} and {1} are keys of one kind; a classical and a post-quantum key sign together")]
    SameKind(Algorithm, Algorithm),
}

/// Which carriers of a classical signature are written. A post-quantum signature has one carrier, the bundle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carriers {
    /// The layer that every version of cosign, podman and the older controllers read, and the bundle that newer ones read.
    #[default]
    Both,
    /// The layer alone. Refused beside a post-quantum key: a reader that finds any bundle looks at no layer.
    LayerAlone,
    /// The bundle alone.
    BundleAlone,
}

/// What is to be signed, and by which of the keys.
#[derive(Debug)]
pub struct Plan {
    signers: Signers,
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    /// The image, by its place among those that were given.
    image: usize,
    /// The key, by its place among the signers.
    signer: usize,
    form: Form,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Layer,
    LegacyEnvelope,
    Bundle,
}

/// A carrier to write beside an image.
#[derive(Clone, Debug)]
pub struct Written {
    /// The image, by its place among those that were given.
    pub image: usize,
    /// What to write.
    pub carrier: Carrier,
}

/// Signatures that are not those that were asked for.
#[derive(Debug, thiserror::Error)]
pub enum NotAsPlanned {
    /// There are too few or too many of a key.
    #[error("{found} signatures came back, and {wanted} were asked for")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// One is none of the key's.
    #[error("a signature that came back is not one of the {0} key that was asked for it")]
    Invalid(Algorithm),
}

impl Signers {
    /// Keys that sign together.
    pub fn new(keys: Vec<PublicKey>) -> Result<Self, NotSigners> {
        if let Some(other) = keys.iter().map(PublicKey::algorithm).find(|algorithm| !signs(*algorithm)) {
            return Err(NotSigners::NotSigning(other));
        }
        match keys.as_slice() {
            [] => Err(NotSigners::None),
            [_] => Ok(Self(keys)),
            [a, b] if is_post_quantum(a) != is_post_quantum(b) => Ok(Self(keys)),
            [a, b, ..] => Err(NotSigners::SameKind(a.algorithm(), b.algorithm())),
        }
    }

    /// The keys, in the order that they were given in.
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// Whether a classical and a post-quantum key sign together.
    pub fn is_hybrid(&self) -> bool {
        self.0.len() > 1
    }

    /// Whether one of them is post-quantum.
    pub fn is_post_quantum(&self) -> bool {
        self.0.iter().any(is_post_quantum)
    }

    /// The annotations that a payload of all of them carries: with two keys, the set that they form.
    fn annotations(&self, set_id: [u8; 16]) -> BTreeMap<String, Value> {
        if !self.is_hybrid() {
            return BTreeMap::new();
        }
        let keys: Vec<&PublicKey> = self.0.iter().collect();
        HybridSet::new(set_id, &keys).to_annotations(&keys)
    }

    /// The keys by their place, classical ones first: a reader that finds the post-quantum bundle has to find the classical one.
    fn in_order(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.0.len()).collect();
        places.sort_by_key(|place| self.0.get(*place).is_some_and(is_post_quantum));
        places
    }
}

impl Plan {
    /// Signatures of images. `annotations` are signed with them; `set_id` names what is signed together, and is random.
    pub fn signatures(
        signers: Signers,
        images: &[Image],
        annotations: &BTreeMap<String, Value>,
        set_id: [u8; 16],
        carriers: Carriers,
    ) -> Result<Self, serde_json::Error> {
        let mut signed = annotations.clone();
        signed.extend(signers.annotations(set_id));
        let mut items = Vec::new();
        for (image, subject) in images.iter().enumerate() {
            let mut with_repository = signed.clone();
            with_repository.insert(REPOSITORY.to_owned(), subject.repository().to_string().into());
            let statement = Statement {
                subjects: vec![Subject {
                    name: None,
                    digests: vec![subject.digest().clone()],
                    annotations: with_repository,
                }],
                predicate_type: SIGN_PREDICATE.to_owned(),
                predicate: Value::Object(Map::new()),
            };
            let simple = SimpleSigning {
                digest: subject.digest().clone(),
                reference: subject.repository().to_string(),
                optional: signed.clone(),
            };
            for signer in signers.in_order() {
                let classical = signers.0.get(signer).is_some_and(|key| !is_post_quantum(key));
                if classical && carriers != Carriers::BundleAlone {
                    items.push(Item { image, signer, form: Form::Layer, payload: simple.to_payload()? });
                }
                if !classical || carriers != Carriers::LayerAlone {
                    items.push(Item { image, signer, form: Form::Bundle, payload: statement.to_payload() });
                }
            }
        }
        Ok(Self { signers, items })
    }

    /// Attestations of one predicate of images. The statement is of version 0.1, which all verifiers read.
    pub fn attestations(
        signers: Signers,
        images: &[Image],
        predicate_type: &str,
        predicate: &Value,
        set_id: [u8; 16],
        carriers: Carriers,
    ) -> Self {
        let annotations = signers.annotations(set_id);
        let mut items = Vec::new();
        for (image, subject) in images.iter().enumerate() {
            let statement = Statement {
                subjects: vec![Subject {
                    name: Some(subject.repository().to_string()),
                    digests: vec![subject.digest().clone()],
                    annotations: annotations.clone(),
                }],
                predicate_type: predicate_type.to_owned(),
                predicate: predicate.clone(),
            };
            let payload = statement.to_payload_v0_1();
            for signer in signers.in_order() {
                let classical = signers.0.get(signer).is_some_and(|key| !is_post_quantum(key));
                if classical && carriers != Carriers::BundleAlone {
                    items.push(Item { image, signer, form: Form::LegacyEnvelope, payload: payload.clone() });
                }
                // One signature over the envelope serves both carriers.
                if !classical || carriers != Carriers::LayerAlone {
                    items.push(Item { image, signer, form: Form::Bundle, payload: payload.clone() });
                }
            }
        }
        Self { signers, items }
    }

    /// The keys.
    pub fn signers(&self) -> &Signers {
        &self.signers
    }

    /// The messages that a key has to sign, in the order that their signatures are expected in. `signer` is its place.
    pub fn messages(&self, signer: usize) -> Vec<Vec<u8>> {
        self.items.iter().filter(|item| item.signer == signer).map(Item::message).collect()
    }

    /// The carriers, in the order in which they are to be written. `signatures` has one list a key.
    pub fn finish(self, signatures: Vec<Vec<Vec<u8>>>) -> Result<Vec<Written>, NotAsPlanned> {
        let wanted = self.items.len();
        let found = signatures.iter().map(Vec::len).sum();
        let count = NotAsPlanned::Count { found, wanted };
        let mut left: Vec<_> = signatures.into_iter().map(Vec::into_iter).collect();
        let mut written = Vec::with_capacity(wanted);
        for item in self.items {
            let (Some(key), Some(signature)) =
                (self.signers.0.get(item.signer), left.get_mut(item.signer).and_then(Iterator::next))
            else {
                return Err(count);
            };
            if !key.verify(&item.message(), &signature) {
                return Err(NotAsPlanned::Invalid(key.algorithm()));
            }
            written.push(Written { image: item.image, carrier: item.carried(key, signature) });
        }
        match left.iter_mut().any(|more| more.next().is_some()) {
            true => Err(count),
            false => Ok(written),
        }
    }
}

impl Item {
    fn message(&self) -> Vec<u8> {
        match self.form {
            Form::Layer => self.payload.clone(),
            Form::LegacyEnvelope | Form::Bundle => pae(IN_TOTO, &self.payload),
        }
    }

    fn carried(self, key: &PublicKey, signature: Vec<u8>) -> Carrier {
        let envelope = |payload, sig| Envelope::new(IN_TOTO, payload, Signature { key_id: None, sig });
        match self.form {
            Form::Layer => Carrier::Layer { payload: self.payload, signature },
            Form::LegacyEnvelope => Carrier::Envelope(envelope(self.payload, signature)),
            Form::Bundle => Carrier::Bundle(Bundle::of_envelope(envelope(self.payload, signature), key)),
        }
    }
}

/// What of a message a key has to see to sign it. The signature is the same as over the whole message, and a message of many
/// megabytes need not travel to where the key lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// All of it.
    Message(Vec<u8>),
    /// ML-DSA: its representative (FIPS 204, algorithm 7, line 6).
    Representative([u8; 64]),
    /// ECDSA: its digest by the hash of the curve.
    Digest(Vec<u8>),
}

impl Input {
    /// The shortest form that a key signs a message in.
    pub fn shortest(key: &PublicKey, message: &[u8]) -> Result<Self, crypto::Error> {
        use crypto::hash::Hash;
        match key.algorithm() {
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
                key.mu(b"", message).map(Self::Representative)
            }
            Algorithm::EcdsaP256 => Ok(Self::Digest(Hash::Sha256.digest(message))),
            Algorithm::EcdsaP384 => Ok(Self::Digest(Hash::Sha384.digest(message))),
            _ => Ok(Self::Message(message.to_vec())),
        }
    }
}

fn is_post_quantum(key: &PublicKey) -> bool {
    key.algorithm().is_post_quantum()
}

fn signs(algorithm: Algorithm) -> bool {
    algorithm.purpose() == crypto::algorithm::Purpose::Signing
}

#[cfg(test)]
mod tests;
