//! Sharing a secret: any k of n shares give it back, fewer say nothing about it (Shamir, over GF(256)).
//!
//! Shares are authenticated. Beside the secret a random check key is shared, and every share carries the HMAC of the
//! secret and the set under that key: a changed share, or one of another set, makes combining fail instead of giving a
//! wrong secret. A checksum in the text form finds typing errors in a single share.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::Error;
use crate::context::Context;
use crate::hash::{ct_eq, hmac_sha256, sha256};
use crate::random::Random;
use crate::secret::SecretBytes;

const PREFIX: &str = "qapi-share-1-";
const SET_LEN: usize = 8;
const CHECK_KEY_LEN: usize = 32;
const CHECK_LEN: usize = 32;
const CHECKSUM_LEN: usize = 4;
const SECRET_MAX: usize = 256;

/// One share.
pub struct Share {
    set: [u8; SET_LEN],
    threshold: u8,
    index: u8,
    check: [u8; CHECK_LEN],
    /// The values at `index` of the polynomials of secret and check key.
    values: SecretBytes,
}

/// Splits a secret of 1 to 256 bytes into `shares`, of which `threshold` are needed: 2 <= threshold <= shares.
pub fn split(secret: &[u8], shares: u8, threshold: u8, random: &dyn Random) -> Result<Vec<Share>, Error> {
    if threshold < 2 || shares < threshold {
        return Err(Error::BadArgument("at least two shares must be needed, and no more than are made"));
    }
    if secret.is_empty() || secret.len() > SECRET_MAX {
        return Err(Error::BadArgument("a secret to share has 1 to 256 bytes"));
    }
    let mut set = [0; SET_LEN];
    random.fill(&mut set);
    let mut shared = Zeroizing::new(vec![0; secret.len() + CHECK_KEY_LEN]);
    let (secret_part, check_key) = shared.split_at_mut(secret.len());
    secret_part.copy_from_slice(secret);
    random.fill(check_key);
    let check = check(&set, threshold, secret, check_key);
    // One row of coefficients for each power of x above zero.
    let mut coefficients = Zeroizing::new(vec![0; shared.len() * usize::from(threshold - 1)]);
    random.fill(&mut coefficients);
    let share = |index| {
        let values = evaluate(&shared, &coefficients, index);
        Share { set, threshold, index, check, values: SecretBytes::new(values) }
    };
    Ok((1..=shares).map(share).collect())
}

/// The secret of at least as many distinct shares of one set as its threshold says.
pub fn combine(shares: &[Share]) -> Result<SecretBytes, Error> {
    let first = shares.first().ok_or(UNFIT)?;
    let same = |share: &Share| share.goes_with(first);
    let mut seen = BTreeSet::new();
    let distinct: Vec<&Share> = shares.iter().filter(|share| seen.insert(share.index)).collect();
    let needed = usize::from(first.threshold);
    if !shares.iter().all(same) || distinct.len() < needed || first.values.len() <= CHECK_KEY_LEN {
        return Err(UNFIT);
    }
    let (base, more) = distinct.split_at(needed);
    let shared = interpolate(base, 0);
    let (secret, check_key) = shared.split_at(shared.len() - CHECK_KEY_LEN);
    let fits = more.iter().all(|share| ct_eq(&interpolate(base, share.index), share.values.expose()));
    if !fits || !ct_eq(&check(&first.set, first.threshold, secret, check_key), &first.check) {
        return Err(UNFIT);
    }
    Ok(SecretBytes::copy_from(secret))
}

/// Every share of a set, made of at least as many of them as its threshold says.
pub fn complete(shares: &[Share], count: u8) -> Result<Vec<Share>, Error> {
    combine(shares)?;
    let first = shares.first().ok_or(UNFIT)?;
    let mut seen = BTreeSet::new();
    let base: Vec<&Share> =
        shares.iter().filter(|share| seen.insert(share.index)).take(first.threshold.into()).collect();
    let share = |index| {
        let values = SecretBytes::copy_from(&interpolate(&base, index));
        Share { set: first.set, threshold: first.threshold, index, check: first.check, values }
    };
    Ok((1..=count).map(share).collect())
}

impl Share {
    /// What may be kept in the open to recognise this share by: its values have hundreds of random bits, so it says nothing
    /// about them.
    pub fn commitment(&self) -> [u8; 32] {
        let context = Context::new("qapi/share/commitment/v1")
            .bytes(&self.set)
            .u32(self.threshold.into())
            .u32(self.index.into())
            .bytes(&self.check);
        sha256(&[context.as_bytes(), self.values.expose()])
    }

    /// Whether the two say that they are of one set.
    pub fn goes_with(&self, other: &Self) -> bool {
        self.set == other.set
            && self.threshold == other.threshold
            && self.check == other.check
            && self.values.len() == other.values.len()
    }

    /// Which share of its set this is, from 1.
    pub fn index(&self) -> u8 {
        self.index
    }

    /// How many shares of its set are needed.
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// The share as one word of text, with a checksum.
    pub fn to_text(&self) -> SecretBytes {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 + SET_LEN + CHECK_LEN + self.values.len() + CHECKSUM_LEN));
        bytes.extend_from_slice(&self.set);
        bytes.extend_from_slice(&[self.threshold, self.index]);
        bytes.extend_from_slice(&self.check);
        bytes.extend_from_slice(self.values.expose());
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        let mut text = String::with_capacity(PREFIX.len() + bytes.len() * 4 / 3 + 4);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(&*bytes, &mut text);
        SecretBytes::new(text.into_bytes())
    }

    /// The inverse of [`Share::to_text`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(NO_SHARE)?;
        if encoded.len() > 2 * SECRET_MAX {
            return Err(NO_SHARE);
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).map_err(|_| NO_SHARE)?);
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM_LEN>().ok_or(NO_SHARE)?;
        if checksum(body) != *sum {
            return Err(NO_SHARE);
        }
        let (set, rest) = body.split_first_chunk().ok_or(NO_SHARE)?;
        let (&[threshold, index], rest) = rest.split_first_chunk().ok_or(NO_SHARE)?;
        let (check, values) = rest.split_first_chunk().ok_or(NO_SHARE)?;
        if threshold < 2 || index == 0 || values.len() <= CHECK_KEY_LEN {
            return Err(NO_SHARE);
        }
        Ok(Self { set: *set, threshold, index, check: *check, values: SecretBytes::copy_from(values) })
    }
}

fn check(set: &[u8; SET_LEN], threshold: u8, secret: &[u8], check_key: &[u8]) -> [u8; CHECK_LEN] {
    let context = Context::new("qapi/shamir/v1").bytes(set).u32(threshold.into());
    hmac_sha256(check_key, &[context.as_bytes(), secret])
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_LEN] {
    sha256(&[b"qapi/share/v1", bytes]).first_chunk().copied().unwrap_or_default()
}

/// The polynomials at `x`, by Horner's rule from the highest power down.
fn evaluate(constants: &[u8], coefficients: &[u8], x: u8) -> Vec<u8> {
    let mut values = vec![0; constants.len()];
    for row in coefficients.chunks_exact(constants.len()).rev().chain([constants]) {
        for (value, coefficient) in values.iter_mut().zip(row) {
            *value = multiply(*value, x) ^ coefficient;
        }
    }
    values
}

/// The polynomials through the shares, at `x` (Lagrange).
fn interpolate(shares: &[&Share], x: u8) -> Zeroizing<Vec<u8>> {
    let mut values = Zeroizing::new(vec![0; shares.first().map_or(0, |share| share.values.len())]);
    for share in shares {
        let others = shares.iter().filter(|other| other.index != share.index);
        let weight = others
            .fold(1, |weight, other| multiply(weight, multiply(x ^ other.index, invert(share.index ^ other.index))));
        for (value, part) in values.iter_mut().zip(share.values.expose()) {
            *value ^= multiply(weight, *part);
        }
    }
    values
}

/// Multiplication modulo x^8 + x^4 + x^3 + x + 1, without branches or tables that secrets would steer.
fn multiply(left: u8, right: u8) -> u8 {
    let (mut left, mut product) = (left, 0);
    for bit in 0..8 {
        product ^= left & 0_u8.wrapping_sub(right >> bit & 1);
        left = left << 1 ^ (0x1b & 0_u8.wrapping_sub(left >> 7));
    }
    product
}

/// The inverse, as the power of 254; zero stays zero.
fn invert(value: u8) -> u8 {
    let (mut power, mut result) = (value, 1);
    for _ in 0..7 {
        power = multiply(power, power);
        result = multiply(result, power);
    }
    result
}

const UNFIT: Error = Error::BadArgument("the shares do not give a secret together");
const NO_SHARE: Error = Error::BadArgument("this is not a share, or it is damaged");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;

    fn made(n: u8, k: u8) -> Vec<Share> {
        split(b"the root key", n, k, &Seeded::new(&[n, k])).unwrap()
    }

    fn text(share: &Share) -> String {
        String::from_utf8(share.to_text().expose().to_vec()).unwrap()
    }

    fn again(share: &Share) -> Share {
        Share::parse(&text(share)).unwrap()
    }

    #[test]
    fn the_field_is_a_field() {
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        for value in 1..=255 {
            assert_eq!(multiply(value, invert(value)), 1, "{value}");
        }
    }

    #[test]
    fn any_threshold_of_them_combine_and_fewer_do_not() {
        for (n, k) in [(2, 2), (3, 2), (5, 3), (255, 20)] {
            let shares = made(n, k);
            let from = |at: usize, count: u8| -> Vec<Share> {
                shares.iter().cycle().skip(at).take(count.into()).map(again).collect()
            };
            for at in [0, 1, usize::from(n) - 1] {
                assert_eq!(combine(&from(at, k)).unwrap().expose(), b"the root key", "{k} of {n} from {at}");
                assert!(combine(&from(at, k - 1)).is_err());
            }
            assert_eq!(combine(&from(0, n)).unwrap().expose(), b"the root key");
        }
    }

    #[test]
    fn a_threshold_of_them_tells_all_the_others() {
        let shares = made(5, 3);
        let all = complete(&[again(&shares[4]), again(&shares[0]), again(&shares[2])], 5).unwrap();
        let commitments = |shares: &[Share]| shares.iter().map(Share::commitment).collect::<Vec<_>>();
        assert_eq!(commitments(&all), commitments(&shares));
        assert_eq!(commitments(&shares).iter().collect::<BTreeSet<_>>().len(), 5);
        assert!(complete(&[again(&shares[0]), again(&shares[2])], 5).is_err());
    }

    #[test]
    fn a_share_given_twice_counts_once() {
        let shares = made(3, 2);
        assert!(combine(&[again(&shares[0]), again(&shares[0])]).is_err());
    }

    #[test]
    fn shares_of_two_sets_and_changed_values_are_refused() {
        let (ours, theirs) = (made(3, 2), split(b"the root key", 3, 2, &Seeded::new(b"other")).unwrap());
        assert!(combine(&[again(&ours[0]), again(&theirs[1])]).is_err());
        for at in 0..ours[1].values.len() {
            let mut values = ours[1].values.expose().to_vec();
            values[at] ^= 1;
            let changed = Share { values: SecretBytes::new(values), ..again(&ours[1]) };
            assert!(combine(&[again(&ours[0]), changed]).is_err(), "value {at}");
        }
        let extra = Share { values: again(&ours[0]).values, ..again(&ours[2]) };
        assert!(combine(&[again(&ours[0]), again(&ours[1]), extra]).is_err());
    }

    #[test]
    fn a_mistyped_share_is_found() {
        let good = text(&made(3, 2)[0]);
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let typed = String::from_utf8(bytes).unwrap();
            assert!(Share::parse(&typed).is_err(), "{typed}");
        }
        for bad in ["", PREFIX, "qapi-share-1-AAAA", &good[..good.len() - 1]] {
            assert!(Share::parse(bad).is_err());
        }
    }

    #[test]
    fn impossible_numbers_are_refused() {
        let random = Seeded::new(b"numbers");
        for (n, k) in [(0, 0), (1, 1), (2, 3), (3, 1)] {
            assert!(split(b"x", n, k, &random).is_err(), "{k} of {n}");
        }
        assert!(split(b"", 3, 2, &random).is_err());
    }
}
