//! Keys out of passphrases: Argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Version};

use crate::Error;
use crate::random::Random;
use crate::secret::{Key32, SecretArray, SecretBytes};

/// What a derivation costs, and its salt. Kept beside what the key seals; none of it is secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Params {
    /// Memory in KiB.
    pub m_kib: u32,
    /// Passes over it.
    pub t: u32,
    /// Lanes.
    pub p: u32,
    /// Sixteen random bytes.
    pub salt: [u8; 16],
}

impl Params {
    /// What new seals take: 256 MiB, three passes, one lane, about a second of one core. With a fresh salt.
    pub fn new(random: &dyn Random) -> Self {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        Self { m_kib: 256 * 1024, t: 3, p: 1, salt }
    }
}

/// The key of a passphrase. Parameters come from storage, so they are bounded: what would take more than 4 GiB or 64
/// passes is refused rather than tried.
pub fn derive(passphrase: &SecretBytes, params: &Params) -> Result<Key32, Error> {
    if params.m_kib > 4 * 1024 * 1024 || params.t > 64 || params.p > 16 {
        return Err(OUT_OF_RANGE);
    }
    let cost = argon2::Params::new(params.m_kib, params.t, params.p, Some(32)).map_err(|_| OUT_OF_RANGE)?;
    let mut result = Ok(());
    let key = SecretArray::filled(|out| {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost);
        result = argon2.hash_password_into(passphrase.expose(), &params.salt, out);
    });
    result.map(|()| key).map_err(|_| Error::BadArgument("the passphrase cannot be used"))
}

const OUT_OF_RANGE: Error = Error::BadArgument("the cost of the passphrase is out of range");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;

    #[test]
    fn every_parameter_changes_the_key() {
        let params = Params { m_kib: 64, t: 1, p: 1, salt: [3; 16] };
        let passphrase = SecretBytes::copy_from(b"correct horse");
        let key = |params: &Params| derive(&passphrase, params).unwrap().expose().to_vec();
        let base = key(&params);
        assert_eq!(base, key(&params));
        for other in [Params { m_kib: 65, ..params }, Params { t: 2, ..params }, Params { salt: [4; 16], ..params }] {
            assert_ne!(base, key(&other));
        }
        let other = SecretBytes::copy_from(b"correct horsf");
        assert_ne!(base, derive(&other, &params).unwrap().expose());
    }

    #[test]
    fn costs_out_of_range_are_refused() {
        let params = Params::new(&Seeded::new(b"salt"));
        assert_eq!((params.m_kib, params.t, params.p), (262_144, 3, 1));
        for params in [Params { m_kib: u32::MAX, ..params }, Params { t: 0, ..params }, Params { p: 0, ..params }] {
            assert!(derive(&SecretBytes::copy_from(b"x"), &params).is_err());
        }
    }
}
