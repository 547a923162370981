//! Whose signatures are believed, for what, and when.
//!
//! Each key has one purpose. Verifiers that we did not write take any bundle of a trusted key for a signature, so a key that
//! attests must not be one that signs.

use crypto::key::PublicKey;

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// That an image is ours.
    Signature,
    /// What is known of an image: its bill of materials, a scan.
    Attestation,
    /// What a gate found.
    Verdict,
    /// That an emergency may pass a gate.
    Ticket,
}

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It signs, and what it signed is believed.
    Active,
    /// It was made ahead of a rotation. What it signed is believed from then on, in Unix seconds.
    NotBefore(i64),
    /// It has been replaced. What it signed is believed until then, in Unix seconds.
    VerifyOnlyUntil(i64),
    /// It may have been in other hands. Nothing of it is believed: who took it can write any date.
    Revoked,
}

/// A key whose signatures are believed.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// What people call it.
    pub name: String,
    /// It.
    pub key: PublicKey,
    /// What it signs.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: State,
}

/// Why a key's signature is not believed, although it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It has been replaced, and the time to sign anew is over.
    #[error("the key was replaced, and what it signed had to be signed anew")]
    Retired,
    /// Its time has not come.
    #[error("the key is not in use yet")]
    NotYet,
    /// It was revoked.
    #[error("the key was revoked")]
    Revoked,
    /// It is for something else.
    #[error("the key signs something else")]
    OtherPurpose,
}

impl TrustedKey {
    /// Whether what this key signed for `purpose` is believed at `now`, in Unix seconds.
    pub fn usable(&self, purpose: Purpose, now: i64) -> Result<(), Unusable> {
        match self.state {
            State::Revoked => Err(Unusable::Revoked),
            State::VerifyOnlyUntil(until) if now >= until => Err(Unusable::Retired),
            State::NotBefore(from) if now < from => Err(Unusable::NotYet),
            _ if self.purpose != purpose => Err(Unusable::OtherPurpose),
            State::Active | State::VerifyOnlyUntil(_) | State::NotBefore(_) => Ok(()),
        }
    }
}
