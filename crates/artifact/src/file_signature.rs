//! Whether to believe that a file is signed: bundles with a message signature. Pure, as `verification` is for images.
//!
//! What is signed is the file itself, so no payload could tell of a sibling signature. Who wants both kinds asks for both.

use crypto::hash::{ct_eq, sha256};

use crate::bundle::{Bundle, Content};
use crate::trusted_key::{Purpose, TrustedKey};
use crate::verification::{Disbelief, Refusal, Requirement};

/// A bundle that is believed.
#[derive(Clone, Debug)]
pub struct Believed {
    /// Its place among those that were given.
    pub bundle: usize,
    /// The name of the key.
    pub key: String,
    /// Whether the key is post-quantum.
    pub is_post_quantum: bool,
}

/// What was found, bundle by bundle, and what follows from it.
#[derive(Debug)]
pub struct Verdict {
    /// What is believed.
    pub believed: Vec<Believed>,
    /// What is not, by its place among what was given.
    pub disbelieved: Vec<(usize, Disbelief)>,
    /// Whether the file passes.
    pub outcome: Result<(), Refusal>,
}

/// Judges whether a file is signed. `now` is in Unix seconds.
pub fn judge(file: &[u8], bundles: &[Bundle], trusted: &[TrustedKey], now: i64, requirement: Requirement) -> Verdict {
    let digest = sha256(&[file]);
    let (mut believed, mut disbelieved) = (Vec::new(), Vec::new());
    for (place, bundle) in bundles.iter().enumerate() {
        match signer(file, &digest, bundle, trusted, now) {
            Ok(key) => believed.push(Believed {
                bundle: place,
                key: key.name.clone(),
                is_post_quantum: key.key.algorithm().is_post_quantum(),
            }),
            Err(why) => disbelieved.push((place, why)),
        }
    }
    let outcome = decide(&believed, bundles.len(), requirement);
    Verdict { believed, disbelieved, outcome }
}

fn decide(believed: &[Believed], found: usize, requirement: Requirement) -> Result<(), Refusal> {
    let any = |quantum_safe| believed.iter().any(|one| one.is_post_quantum == quantum_safe);
    match requirement {
        _ if found == 0 => Err(Refusal::Nothing),
        _ if believed.is_empty() => Err(Refusal::NothingBelieved(found)),
        Requirement::PostQuantum if !any(true) => Err(Refusal::NoPostQuantum),
        Requirement::Hybrid if !any(true) || !any(false) => Err(Refusal::NoPair),
        _ => Ok(()),
    }
}

fn signer<'k>(
    file: &[u8],
    expected: &[u8; 32],
    bundle: &Bundle,
    trusted: &'k [TrustedKey],
    now: i64,
) -> Result<&'k TrustedKey, Disbelief> {
    let Content::Message { digest, signature } = &bundle.content else {
        return Err(Disbelief::OtherPredicate {
            found: "a statement".into(),
            wanted: "a signature over a file".into(),
        });
    };
    if !ct_eq(digest, expected) {
        return Err(Disbelief::Malformed("it was made for another file".to_owned()));
    }
    let mut refusal = Disbelief::NoTrustedKey;
    for key in trusted.iter().filter(|key| key.key.verify(file, signature)) {
        match key.usable(Purpose::Signature, now) {
            Ok(()) => return Ok(key),
            Err(why) => refusal = Disbelief::Key { key: key.name.clone(), why },
        }
    }
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use crypto::algorithm::Algorithm;
    use crypto::key::PrivateKey;
    use crypto::random::Seeded;

    use super::*;
    use crate::trusted_key::State;

    #[test]
    fn a_file_is_believed_as_far_as_its_bundles_go() {
        let random = Seeded::new(b"file");
        let keys = [Algorithm::EcdsaP256, Algorithm::MlDsa65].map(|kind| PrivateKey::generate(kind, &random).unwrap());
        let trusted = |state: State| -> Vec<TrustedKey> {
            let key = |key: &PrivateKey| TrustedKey {
                name: "k".to_owned(),
                key: key.public_key().unwrap(),
                purpose: Purpose::Signature,
                state,
            };
            keys.iter().map(key).collect()
        };
        let bundles: Vec<Bundle> = keys
            .iter()
            .map(|key| Bundle::of_message(b"file", key.sign(b"file", &random).unwrap(), &key.public_key().unwrap()))
            .collect();
        let judged = |file: &[u8], bundles: &[Bundle], state, requirement| {
            judge(file, bundles, &trusted(state), 10, requirement).outcome
        };
        let active = State::Active;
        assert_eq!(judged(b"file", &bundles, active, Requirement::Hybrid), Ok(()));
        assert_eq!(judged(b"file", &bundles[..1], active, Requirement::Hybrid), Err(Refusal::NoPair));
        assert_eq!(judged(b"file", &bundles[..1], active, Requirement::PostQuantum), Err(Refusal::NoPostQuantum));
        assert_eq!(judged(b"file", &bundles[..1], active, Requirement::Any), Ok(()));
        assert_eq!(judged(b"other", &bundles, active, Requirement::Any), Err(Refusal::NothingBelieved(2)));
        assert_eq!(judged(b"file", &bundles, State::Revoked, Requirement::Any), Err(Refusal::NothingBelieved(2)));
        let retired = State::VerifyOnlyUntil(10);
        assert_eq!(judged(b"file", &bundles, retired, Requirement::Any), Err(Refusal::NothingBelieved(2)));
        assert_eq!(judged(b"file", &[], active, Requirement::Any), Err(Refusal::Nothing));
    }
}
