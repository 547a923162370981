//! Hybrid signatures: one payload, signed by several keys of different kinds, each signature readable alone.
//!
//! The signed payload says which keys sign it. A verifier that knows no ML-DSA sees further annotations and ignores them; ours
//! sees from the classical signature alone that another one was made, and refuses the image when that one was taken away.

use std::collections::{BTreeMap, BTreeSet};

use crypto::algorithm::Algorithm;
use crypto::hash::sha256;
use crypto::key::PublicKey;
use serde_json::Value;

/// The annotation that names the set: all signatures of one signing have the same.
pub const SET: &str = "dev.qapi.hybrid.set";
/// The annotation that names the keys of the set.
pub const KEYS: &str = "dev.qapi.hybrid.keys";
/// The annotation that says which of the keys have to have signed. There is one word so far: `all`.
pub const REQUIRE: &str = "dev.qapi.hybrid.require";
/// The annotation that names the repository for which an image was signed.
pub const REPOSITORY: &str = "dev.qapi.repository";
const ALL: &str = "all";
const MOST_KEYS: usize = 8;

/// What a signed payload says about the signatures over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HybridSet {
    /// The name of the set.
    pub id: String,
    /// The keys that all have to have signed, by the SHA-256 of their SubjectPublicKeyInfo.
    pub keys: BTreeSet<[u8; 32]>,
}

/// The payload speaks of a set in a way that we do not understand: then nobody can say that nothing was taken away.
#[derive(Debug, thiserror::Error)]
#[error("the signed annotations about its hybrid set are not understood: {0}")]
pub struct NotUnderstood(&'static str);

impl HybridSet {
    /// A set of these keys. The id is sixteen random bytes.
    pub fn new(id: [u8; 16], keys: &[&PublicKey]) -> Self {
        Self { id: hex::encode(id), keys: keys.iter().map(|key| fingerprint(key)).collect() }
    }

    /// The set that signed annotations tell of, if they tell of one.
    pub fn from_annotations(annotations: &BTreeMap<String, Value>) -> Result<Option<Self>, NotUnderstood> {
        let found = [SET, KEYS, REQUIRE].map(|name| annotations.get(name));
        let [Some(id), Some(keys), Some(require)] = found else {
            return match found.iter().any(Option::is_some) {
                true => Err(NotUnderstood("some of them are missing")),
                false => Ok(None),
            };
        };
        let (Some(id), Some(keys), Some(ALL)) = (id.as_str(), keys.as_str(), require.as_str()) else {
            return Err(NotUnderstood("they are of another form"));
        };
        let parsed: Option<BTreeSet<_>> = keys.split(',').map(parsed_key).collect();
        let keys = parsed.filter(|keys| (1..=MOST_KEYS).contains(&keys.len()));
        Ok(Some(Self { id: id.to_owned(), keys: keys.ok_or(NotUnderstood("its keys are none"))? }))
    }

    /// The annotations that tell of the set. `keys` are those it was made of.
    pub fn to_annotations(&self, keys: &[&PublicKey]) -> BTreeMap<String, Value> {
        let keys: Vec<String> =
            keys.iter().map(|key| format!("{}={}", key.algorithm().as_str(), hex::encode(fingerprint(key)))).collect();
        [(SET, self.id.clone()), (KEYS, keys.join(",")), (REQUIRE, ALL.to_owned())]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect()
    }
}

/// The SHA-256 of the key's SubjectPublicKeyInfo.
pub fn fingerprint(key: &PublicKey) -> [u8; 32] {
    sha256(&[&key.to_spki_der()])
}

/// `ML-DSA-65=<64 hexadecimal digits>`. The algorithm is for people, and has to be one all the same.
fn parsed_key(text: &str) -> Option<[u8; 32]> {
    let (algorithm, digits) = text.split_once('=')?;
    algorithm.parse::<Algorithm>().ok()?;
    hex::decode(digits).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use crypto::key::PrivateKey;
    use crypto::random::Seeded;

    use super::*;

    #[test]
    fn a_set_reads_back_and_half_a_set_is_none() {
        let random = Seeded::new(b"hybrid");
        let key = |algorithm| PrivateKey::generate(algorithm, &random).unwrap().public_key().unwrap();
        let (classical, quantum_safe) = (key(Algorithm::EcdsaP256), key(Algorithm::MlDsa65));
        let keys = [&classical, &quantum_safe];
        let set = HybridSet::new([7; 16], &keys);
        let annotations = set.to_annotations(&keys);
        assert_eq!(HybridSet::from_annotations(&annotations).unwrap(), Some(set));
        assert_eq!(HybridSet::from_annotations(&BTreeMap::new()).unwrap(), None);
        for (name, value) in [
            (SET, None),
            (KEYS, None),
            (REQUIRE, None),
            (REQUIRE, Some(Value::from("any"))),
            (KEYS, Some(Value::from(""))),
            (KEYS, Some(Value::from("ML-DSA-65=00"))),
            (KEYS, Some(Value::from(1))),
        ] {
            let mut changed = annotations.clone();
            match value.clone() {
                Some(value) => changed.insert(name.to_owned(), value),
                None => changed.remove(name),
            };
            assert!(HybridSet::from_annotations(&changed).is_err(), "{name} {value:?}");
        }
    }
}
