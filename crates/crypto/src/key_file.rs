//! Private keys under a passphrase, in the file format of cosign: PEM `ENCRYPTED SIGSTORE PRIVATE KEY` around JSON that names
//! scrypt (RFC 7914) and NaCl's secretbox (XSalsa20 and Poly1305). What is sealed is the key's PKCS#8.
//!
//! The format is another's, kept because keys move between the tools. Our own keys rest under AES-256-GCM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Error;
use crate::encoding::{pem, pkcs8};
use crate::hash::ct_eq;
use crate::key::PrivateKey;
use crate::random::Random;
use crate::secret::{Key32, SecretArray, SecretBytes};

const LABEL: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// What the label was before the tool's makers renamed themselves.
const OLD_LABEL: &str = "ENCRYPTED COSIGN PRIVATE KEY";
/// What new files cost to open: 64 MiB.
const LOG_N: u8 = 16;
/// Files that cost more than a GiB to open are not tried.
const MOST_LOG_N: u32 = 20;
const R: u32 = 8;
const P: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Cost,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Cost {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// The file of a key. An empty passphrase is one.
pub fn seal(key: &PrivateKey, passphrase: &SecretBytes, random: &dyn Random) -> Result<SecretBytes, Error> {
    let (mut salt, mut nonce) = ([0; 32], [0; 24]);
    random.fill(&mut salt);
    random.fill(&mut nonce);
    let cost = Cost { n: 1 << LOG_N, r: R, p: P };
    let sealing = stretch(passphrase, &cost, &salt)?;
    let ciphertext = seal_box(&sealing, &nonce, key.to_pkcs8_der()?.expose());
    let file = File {
        kdf: Kdf { name: "scrypt".to_owned(), params: cost, salt: STANDARD.encode(salt) },
        cipher: Cipher { name: "nacl/secretbox".to_owned(), nonce: STANDARD.encode(nonce) },
        ciphertext: STANDARD.encode(ciphertext),
    };
    let json = serde_json::to_vec(&file).map_err(|_| Error::Provider)?;
    Ok(SecretBytes::copy_from(pem::encode(LABEL, &json).as_bytes()))
}

/// Whether a text says of itself that it is such a file.
pub fn is_key_file(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    [LABEL, OLD_LABEL].iter().any(|label| text.starts_with(format!("-----BEGIN {label}-----").as_bytes()))
}

/// The key in a file. A wrong passphrase and a changed file are one refusal.
pub fn open(text: &str, passphrase: &SecretBytes) -> Result<PrivateKey, Error> {
    let block = pem::decode(text)?;
    if ![LABEL, OLD_LABEL].contains(&block.label) {
        return Err(MALFORMED);
    }
    let file: File = serde_json::from_slice(&block.der).map_err(|_| MALFORMED)?;
    if file.kdf.name != "scrypt" || file.cipher.name != "nacl/secretbox" {
        return Err(MALFORMED);
    }
    let bytes = |text: &str| STANDARD.decode(text).map_err(|_| MALFORMED);
    let (salt, nonce, sealed) = (bytes(&file.kdf.salt)?, bytes(&file.cipher.nonce)?, bytes(&file.ciphertext)?);
    let nonce: [u8; 24] = nonce.try_into().map_err(|_| MALFORMED)?;
    let opening = stretch(passphrase, &file.kdf.params, &salt)?;
    let pkcs8 =
        open_box(&opening, &nonce, &sealed).ok_or(Error::MalformedKey("another passphrase, or a changed file"))?;
    pkcs8::decode(pkcs8.expose())
}

const MALFORMED: Error = Error::MalformedKey("not a key file of cosign");
const OUT_OF_RANGE: Error = Error::BadArgument("the cost of the key file is out of range");

fn stretch(passphrase: &SecretBytes, cost: &Cost, salt: &[u8]) -> Result<Key32, Error> {
    if !cost.n.is_power_of_two() || cost.n.ilog2() > MOST_LOG_N || cost.r > 32 || cost.p > 16 {
        return Err(OUT_OF_RANGE);
    }
    let log_n = u8::try_from(cost.n.ilog2()).map_err(|_| OUT_OF_RANGE)?;
    let params = scrypt::Params::new(log_n, cost.r, cost.p).map_err(|_| OUT_OF_RANGE)?;
    let mut result = Ok(());
    let key = SecretArray::filled(|out| result = scrypt::scrypt(passphrase.expose(), salt, &params, out));
    result.map(|()| key).map_err(|_| OUT_OF_RANGE)
}

const TAG_LEN: usize = 16;

/// NaCl's `crypto_secretbox`: the first 32 bytes of the stream are the key of Poly1305, the rest is what encrypts.
fn seal_box(key: &Key32, nonce: &[u8; 24], plaintext: &[u8]) -> Vec<u8> {
    let mut padded = Zeroizing::new(vec![0; 32 + plaintext.len()]);
    padded[32..].copy_from_slice(plaintext);
    XSalsa20::new(key.expose().into(), nonce.into()).apply_keystream(&mut padded);
    let (mac_key, ciphertext) = padded.split_at(32);
    [tag(mac_key, ciphertext).as_slice(), ciphertext].concat()
}

fn open_box(key: &Key32, nonce: &[u8; 24], sealed: &[u8]) -> Option<SecretBytes> {
    let (sent, ciphertext) = sealed.split_first_chunk::<TAG_LEN>()?;
    let mut stream = XSalsa20::new(key.expose().into(), nonce.into());
    let mut mac_key = Zeroizing::new([0; 32]);
    stream.apply_keystream(&mut *mac_key);
    if !ct_eq(&tag(&*mac_key, ciphertext), sent) {
        return None;
    }
    let mut plaintext = ciphertext.to_vec();
    stream.apply_keystream(&mut plaintext);
    Some(SecretBytes::new(plaintext))
}

fn tag(mac_key: &[u8], ciphertext: &[u8]) -> [u8; TAG_LEN] {
    let mut key = poly1305::Key::default();
    key.copy_from_slice(mac_key);
    Poly1305::new(&key).compute_unpadded(ciphertext).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::random::Seeded;

    /// The known answer of NaCl's own tests (`secretbox.c`), first 32 bytes of its message.
    #[test]
    fn a_box_is_the_one_of_nacl() {
        let key = Key32::new(bytes("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389"));
        let nonce = bytes("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
        let plaintext = hex::decode(concat!(
            "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c6129",
            "6cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde",
            "048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705"
        ))
        .unwrap();
        let expected = concat!(
            "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a",
            "c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae",
            "90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74",
            "e355a5"
        );
        let sealed = seal_box(&key, &nonce, &plaintext);
        assert_eq!(hex::encode(&sealed), expected);
        assert_eq!(open_box(&key, &nonce, &sealed).unwrap().expose(), plaintext);
        let mut changed = sealed;
        changed[40] ^= 1;
        assert!(open_box(&key, &nonce, &changed).is_none());
    }

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn a_key_comes_back_under_its_passphrase_alone() {
        let random = Seeded::new(b"key file");
        for algorithm in [Algorithm::EcdsaP256, Algorithm::MlDsa65] {
            let key = PrivateKey::generate(algorithm, &random).unwrap();
            let file = seal(&key, &SecretBytes::copy_from(b"open"), &random).unwrap();
            assert!(is_key_file(file.expose()));
            let text = std::str::from_utf8(file.expose()).unwrap();
            let opened = open(text, &SecretBytes::copy_from(b"open")).unwrap();
            assert_eq!(opened.public_key().unwrap().raw(), key.public_key().unwrap().raw());
            assert!(open(text, &SecretBytes::copy_from(b"")).is_err());
            assert!(open(&text.replace("SIGSTORE", "OTHER"), &SecretBytes::copy_from(b"open")).is_err());
        }
    }
}
