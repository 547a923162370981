//! The vectors of `docs/formats.md`: made anew from fixed randomness, compared with the file, and opened from it.
//!
//! When a format changes on purpose, the failing test prints the new file between two marks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{bytes, private};
use crate::Refused;
use crate::algorithm::Algorithm;
use crate::context::Context;
use crate::import::{Format, Imported, import};
use crate::key::{PrivateKey, PublicKey};
use crate::message::{self, Encoding, EpochKey, Message, Mode, Place, Purpose, Seal};
use crate::random::Seeded;
use crate::secret::{Key32, SecretBytes};
use crate::{shamir, symmetric, wrap};

const FILE: &str = include_str!("../../../../tests/vectors/formats/formats.json");
const PLACE: Place = Place { tenant: *b"tenant-id-sixtee", key: *b"key-id-sixteen-b", version: 7 };
const KEMS: [Algorithm; 3] = [Algorithm::MlKem768, Algorithm::MlKem1024, Algorithm::XWing];

#[test]
fn the_vectors_are_made_again_byte_for_byte() {
    let made = serde_json::to_string_pretty(&file()).unwrap() + "\n";
    if made != FILE {
        println!("---8<---\n{made}---8<---");
        panic!("tests/vectors/formats/formats.json differs from what is made now");
    }
}

#[test]
fn the_vectors_open() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let mut opened = 0;
    for case in file["messages"].as_array().unwrap() {
        let plaintext = open(case, &Message::parse(&bytes(&case["message"])).unwrap()).unwrap();
        assert_eq!(plaintext.expose(), bytes(&case["plaintext"]), "{}", case["name"]);
        opened += 1;
    }
    for case in file["wraps"].as_array().unwrap() {
        let key = key_of(case);
        let plaintext = wrap::unwrap(&key, &context(case), &bytes(&case["blob"])).unwrap();
        assert_eq!(plaintext.expose(), bytes(&case["plaintext"]));
        opened += 1;
    }
    for case in file["symmetric"].as_array().unwrap() {
        let key = Key32::copy_from(&bytes(&case["secret"])).unwrap();
        let plaintext = symmetric::open_with_key(&key, &context(case), &bytes(&case["blob"])).unwrap();
        assert_eq!(plaintext.expose(), bytes(&case["plaintext"]));
        opened += 1;
    }
    for case in file["shares"].as_array().unwrap() {
        let texts = case["shares"].as_array().unwrap();
        let shares: Vec<_> =
            texts.iter().skip(1).map(|text| shamir::Share::parse(text.as_str().unwrap()).unwrap()).collect();
        assert_eq!(shamir::combine(&shares).unwrap().expose(), bytes(&case["secret"]));
        opened += 1;
    }
    for case in file["keys"].as_array().unwrap() {
        let algorithm = case["algorithm"].as_str().unwrap().parse().unwrap();
        let Ok(Imported::Private(key)) = import(algorithm, Format::Pkcs8, &bytes(&case["pkcs8"]), false) else {
            panic!()
        };
        let public = PublicKey::from_spki_der(&bytes(&case["spki"])).unwrap();
        assert_eq!((key.public_key().unwrap(), public.raw()), (public.clone(), &bytes(&case["public"])[..]));
        let signature = bytes(&case["signature"]);
        assert!(signature.is_empty() || public.verify(&bytes(&case["message"]), &signature));
        opened += 1;
    }
    println!("formats/formats.json: opened {opened} of {opened}");
    assert_eq!(opened, 26);
}

fn file() -> Value {
    let random = Seeded::new(b"the vectors of docs/formats.md");
    let seal = |purpose, encoding, aad| Seal { place: &PLACE, purpose, encoding, aad };
    let text = seal(Purpose::Message, Encoding::Utf8, b"invoice 4711");
    let mut messages = Vec::new();
    for algorithm in KEMS {
        messages.push(sealed(&format!("{algorithm} sealed"), algorithm, &text, "Zoë's address".as_bytes(), &random));
    }
    messages.push(sealed(
        "no plaintext, no associated data",
        Algorithm::MlKem768,
        &seal(Purpose::Message, Encoding::Base64, b""),
        b"",
        &random,
    ));
    messages.push(sealed(
        "a data key",
        Algorithm::MlKem768,
        &seal(Purpose::DataKey, Encoding::Base64, b"context"),
        &[0x5a; 32],
        &random,
    ));
    for algorithm in [Algorithm::MlKem768, Algorithm::MlKem1024, Algorithm::XWing, Algorithm::Aes256Gcm] {
        messages.push(fast(&format!("{algorithm} fast"), algorithm, &text, "Zoë's address".as_bytes(), &random));
    }
    messages.push(fast(
        "a long one",
        Algorithm::Aes256Gcm,
        &seal(Purpose::Message, Encoding::Base64, b""),
        &[0xc3; 1000],
        &random,
    ));
    let wraps: Vec<_> = KEMS.iter().map(|algorithm| wrapped(*algorithm, &random)).collect();
    let symmetric: Vec<_> = [b"".as_slice(), b"a value at rest"].iter().map(|plain| cell(plain, &random)).collect();
    json!({
        "description": "Test vectors of docs/formats.md. Bytes are hex.",
        "messages": messages,
        "wraps": wraps,
        "symmetric": symmetric,
        "shares": [shares(3, 2, &random), shares(5, 4, &random)],
        "keys": Algorithm::ALL.iter().filter(|algorithm| algorithm.is_asymmetric()).map(|algorithm| key(*algorithm, &random)).collect::<Vec<_>>(),
    })
}

fn sealed(name: &str, algorithm: Algorithm, seal: &Seal<'_>, plaintext: &[u8], random: &Seeded) -> Value {
    let key = PrivateKey::generate(algorithm, random).unwrap();
    let public = key.public_key().unwrap();
    let message = message::seal_with(&public, &m(algorithm), seal, plaintext, random).unwrap();
    case(name, &key, seal, plaintext, &message, &[])
}

fn fast(name: &str, algorithm: Algorithm, seal: &Seal<'_>, plaintext: &[u8], random: &Seeded) -> Value {
    let key = PrivateKey::generate(algorithm, random).unwrap();
    let (epoch, encapsulation) = match key.public_key() {
        Some(public) => EpochKey::establish_with(&public, &m(algorithm), &PLACE, random).unwrap(),
        None => (EpochKey::from_symmetric(&key, &PLACE, *b"epoch-id").unwrap(), Vec::new()),
    };
    let message = message::seal_fast(&epoch, seal, plaintext, random).unwrap();
    case(name, &key, seal, plaintext, &message, &encapsulation)
}

/// The randomness of an encapsulation: `m`, and for X-Wing the ephemeral scalar after it.
fn m(algorithm: Algorithm) -> Vec<u8> {
    vec![0x42; if algorithm == Algorithm::XWing { 64 } else { 32 }]
}

fn case(name: &str, key: &PrivateKey, seal: &Seal<'_>, plaintext: &[u8], message: &Message, epoch: &[u8]) -> Value {
    let header = message.header();
    let encoding = if seal.encoding == Encoding::Utf8 { "utf8" } else { "base64" };
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    // The order in which the server writes the members; reading does not depend on it.
    let payload = format!(
        r#"{{"c":"{}","ek":"{}","n":"{}","t":"{}","k":"{}","kv":{},"e":"{encoding}","v":1}}"#,
        base64(&message.c()),
        base64(message.encapsulation()),
        base64(message.nonce()),
        base64(message.tag()),
        uuid(&header.key),
        header.version
    );
    json!({
        "name": name,
        "algorithm": key.algorithm().as_str(),
        "secret": hex::encode(key.material().expose()),
        "public": key.public_key().map(|public| hex::encode(public.raw())).unwrap_or_default(),
        "mode": if header.mode == Mode::Sealed { "sealed" } else { "fast" },
        "tenant": hex::encode(PLACE.tenant),
        "key": hex::encode(header.key),
        "version": header.version,
        "epoch": hex::encode(header.epoch),
        "epoch_encapsulation": hex::encode(epoch),
        "purpose": if seal.purpose == Purpose::Message { "message" } else { "data key" },
        "encoding": encoding,
        "aad": hex::encode(seal.aad),
        "plaintext": hex::encode(plaintext),
        "message": hex::encode(message.as_bytes()),
        "payload": base64(payload.as_bytes()),
        "transit": format!("vault:v{}:{}", header.version, base64(message.as_bytes())),
    })
}

fn wrapped(algorithm: Algorithm, random: &Seeded) -> Value {
    let key = PrivateKey::generate(algorithm, random).unwrap();
    let public = key.public_key().unwrap();
    let context = Context::new("qapi/example/v1").bytes(&PLACE.tenant).u32(3);
    let blob = wrap::wrap_with(&public, &m(algorithm), &context, &[0x77; 33]).unwrap();
    json!({
        "algorithm": algorithm.as_str(),
        "secret": hex::encode(key.material().expose()),
        "public": hex::encode(public.raw()),
        "context": {"label": "qapi/example/v1", "parts": [hex::encode(PLACE.tenant), "00000003"]},
        "plaintext": hex::encode([0x77; 33]),
        "blob": hex::encode(blob),
    })
}

fn cell(plaintext: &[u8], random: &Seeded) -> Value {
    let key = Key32::random(random);
    let context = Context::new("qapi/cell/v1").bytes(b"secrets").bytes(b"value");
    let blob = symmetric::seal_with_key(&key, &context, plaintext, random).unwrap();
    json!({
        "secret": hex::encode(key.expose()),
        "context": {"label": "qapi/cell/v1", "parts": [hex::encode("secrets"), hex::encode("value")]},
        "plaintext": hex::encode(plaintext),
        "blob": hex::encode(blob),
    })
}

fn shares(n: u8, k: u8, random: &Seeded) -> Value {
    let secret = Key32::random(random);
    let shares = shamir::split(secret.expose(), n, k, random).unwrap();
    let texts: Vec<_> =
        shares.iter().map(|share| String::from_utf8(share.to_text().expose().to_vec()).unwrap()).collect();
    json!({"secret": hex::encode(secret.expose()), "threshold": k, "shares": texts})
}

/// A key pair in its encodings, with a signature where signing gives the same bytes every time.
fn key(algorithm: Algorithm, random: &Seeded) -> Value {
    let key = PrivateKey::generate(algorithm, random).unwrap();
    let public = key.public_key().unwrap();
    let signature = match algorithm {
        Algorithm::Ed25519 => key.sign(b"a message", random).unwrap(),
        _ if algorithm.is_ml_dsa() => key.sign_with_context(b"", b"a message", random).unwrap(),
        _ => Vec::new(),
    };
    json!({
        "algorithm": algorithm.as_str(),
        "public": hex::encode(public.raw()),
        "pkcs8": hex::encode(key.to_pkcs8_der().unwrap().expose()),
        "spki": hex::encode(public.to_spki_der()),
        "thumbprint": public.thumbprint(),
        "message": hex::encode("a message"),
        "signature": hex::encode(signature),
    })
}

fn open(case: &Value, message: &Message) -> Result<SecretBytes, Refused> {
    let key = key_of(case);
    let array = |name: &str| <[u8; 16]>::try_from(bytes(&case[name])).unwrap();
    let place = Place { tenant: array("tenant"), key: array("key"), version: case["version"].as_u64().unwrap() as u32 };
    let purpose = if case["purpose"] == "message" { Purpose::Message } else { Purpose::DataKey };
    let aad = bytes(&case["aad"]);
    if case["mode"] == "sealed" {
        return message::open(&key, &place, purpose, &aad, message);
    }
    let id = bytes(&case["epoch"]).try_into().unwrap();
    let epoch = match key.public_key() {
        Some(_) => EpochKey::recover(&key, &place, id, &bytes(&case["epoch_encapsulation"])).unwrap(),
        None => EpochKey::from_symmetric(&key, &place, id).unwrap(),
    };
    message::open_fast(&epoch, &place, purpose, &aad, message)
}

fn key_of(case: &Value) -> PrivateKey {
    private(case["algorithm"].as_str().unwrap().parse().unwrap(), &bytes(&case["secret"])).unwrap()
}

fn context(case: &Value) -> Context {
    let parts = case["context"]["parts"].as_array().unwrap();
    parts
        .iter()
        .fold(Context::new(case["context"]["label"].as_str().unwrap()), |context, part| context.bytes(&bytes(part)))
}

fn uuid(bytes: &[u8; 16]) -> String {
    let text = hex::encode(bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
