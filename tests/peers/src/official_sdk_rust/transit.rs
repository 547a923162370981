use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use quantumapi::models::keys::KeyType;
use quantumapi::{
    Error, GenerateDataKeyRequest, GenerateKeyRequest, KeyResponse, RotateKeyRequest, TransitBatchDecryptItem,
    TransitBatchDecryptRequest, TransitBatchEncryptItem, TransitBatchEncryptRequest, TransitDecryptRequest,
    TransitEncryptRequest, TransitHashRequest, TransitHmacRequest, TransitRandomRequest, TransitRewrapRequest,
    TransitSignRequest, TransitVerifyRequest,
};

use crate::keys::{generate, unwraps_to_32_bytes};
use crate::tally::Tally;
use crate::{Sdk, ensure_eq, ensure_error};

pub async fn run(sdk: &Sdk, tally: &mut Tally) {
    tally.check("transit.encrypt", encrypt(sdk)).await;
    tally.check("transit.decrypt", decrypt(sdk)).await;
    tally.check("transit.rewrap", rewrap(sdk)).await;
    tally.check("transit.sign", sign(sdk)).await;
    tally.check("transit.verify", verify(sdk)).await;
    tally.check("transit.hmac", hmac(sdk)).await;
    tally.check("transit.hash", hash(sdk)).await;
    tally.check("transit.random", random(sdk)).await;
    tally.check("transit.batch_encrypt", batch_encrypt(sdk)).await;
    tally.check("transit.batch_decrypt", batch_decrypt(sdk)).await;
    tally.check("transit.datakey", datakey(sdk)).await;
    tally.check("transit.datakey_without_plaintext", hidden_datakey(sdk)).await;
    tally.check("transit.create_key", create_key(sdk)).await;
    tally.check("transit.read_key", read_key(sdk)).await;
    tally.check("transit.rotate_key", rotate_key(sdk)).await;
    tally.check("transit.update_key_config", update_key_config(sdk)).await;
}

/// Names with a space, a slash and a percent sign, so that each call also proves the encoding of its path.
async fn named(sdk: &Sdk, label: &str) -> Result<KeyResponse> {
    generate(sdk, &format!("{label}/eu west 100%"), KeyType::Encryption, "ML-KEM-768").await
}

async fn sealed(sdk: &Sdk, key: &KeyResponse, text: &str) -> Result<String> {
    let request = TransitEncryptRequest { plaintext: BASE64.encode(text), encoding: None };
    Ok(sdk.client.transit.encrypt(&key.name, request).await.context("could not encrypt first")?.ciphertext)
}

async fn opened(sdk: &Sdk, key: &KeyResponse, ciphertext: &str) -> Result<String> {
    let request = TransitDecryptRequest { ciphertext: ciphertext.into() };
    let plaintext = sdk.client.transit.decrypt(&key.name, request).await?.plaintext;
    Ok(String::from_utf8(BASE64.decode(plaintext)?)?)
}

async fn encrypt(sdk: &Sdk) -> Result<()> {
    let key = named(sdk, "transit-encrypt").await?;
    let request = TransitEncryptRequest { plaintext: "Grüße".into(), encoding: Some("utf8".into()) };
    let answer = sdk.client.transit.encrypt(&key.name, request).await?;
    ensure_eq!((answer.key_name.as_str(), answer.key_version), (key.name.as_str(), 1));
    let body = answer.ciphertext.strip_prefix("vault:v1:").context("no vault:v1: prefix")?;
    BASE64.decode(body)?;
    ensure_eq!(opened(sdk, &key, &answer.ciphertext).await?, "Grüße");
    let garbled = TransitEncryptRequest { plaintext: "not base64!".into(), encoding: None };
    ensure_error!(sdk.client.transit.encrypt(&key.name, garbled).await, Error::Validation { .. });
    let request = TransitEncryptRequest { plaintext: "eA==".into(), encoding: None };
    ensure_error!(sdk.client.transit.encrypt("no such key", request).await, Error::NotFound { .. });
    Ok(())
}

async fn decrypt(sdk: &Sdk) -> Result<()> {
    let key = named(sdk, "transit-decrypt").await?;
    let other = named(sdk, "transit-other").await?;
    let ciphertext = sealed(sdk, &key, "4111 1111").await?;
    ensure_eq!(opened(sdk, &key, &ciphertext).await?, "4111 1111");
    let moved = TransitDecryptRequest { ciphertext: ciphertext.clone() };
    ensure_error!(sdk.client.transit.decrypt(&other.name, moved).await, Error::Validation { .. });
    let renumbered = TransitDecryptRequest { ciphertext: ciphertext.replace("vault:v1:", "vault:v2:") };
    ensure!(sdk.client.transit.decrypt(&key.name, renumbered).await.is_err(), "another version opens it");
    Ok(())
}

async fn rewrap(sdk: &Sdk) -> Result<()> {
    let key = named(sdk, "transit-rewrap").await?;
    let old = sealed(sdk, &key, "moved on").await?;
    sdk.client.transit.rotate_key(key.id, RotateKeyRequest::default()).await?;
    let new = sdk.client.transit.rewrap(&key.name, TransitRewrapRequest { ciphertext: old }).await?;
    ensure_eq!(new.key_version, 2);
    ensure!(new.ciphertext.starts_with("vault:v2:"), "still under the old version");
    ensure_eq!(opened(sdk, &key, &new.ciphertext).await?, "moved on");
    Ok(())
}

async fn sign(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "transit sign/eu", KeyType::Signing, "ML-DSA-65").await?;
    let request = TransitSignRequest { data: BASE64.encode("signed"), algorithm: None };
    let signed = sdk.client.transit.sign(&key.name, request).await?;
    ensure_eq!((signed.key_name.as_str(), signed.key_version), (key.name.as_str(), 1));
    ensure_eq!(signed.algorithm, "ML-DSA-65");
    let body = signed.signature.strip_prefix("vault:v1:").context("the signature does not name its version")?;
    ensure_eq!(BASE64.decode(body)?.len(), 3309);
    Ok(())
}

async fn verify(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "transit verify/eu", KeyType::Signing, "Ed25519").await?;
    let data = BASE64.encode("signed");
    let request = TransitSignRequest { data: data.clone(), algorithm: None };
    let signature = sdk.client.transit.sign(&key.name, request).await?.signature;
    sdk.client.transit.rotate_key(key.id, RotateKeyRequest::default()).await?;
    let request = TransitVerifyRequest { data, signature: signature.clone() };
    ensure!(sdk.client.transit.verify(&key.name, request).await?.valid, "refused after the rotation");
    let other = TransitVerifyRequest { data: BASE64.encode("other"), signature };
    ensure!(!sdk.client.transit.verify(&key.name, other).await?.valid, "other data is valid");
    Ok(())
}

async fn hmac(sdk: &Sdk) -> Result<()> {
    let request = quantumapi::ImportKeyRequest {
        name: sdk.name("transit hmac/eu"),
        description: None,
        key_type: KeyType::Hmac,
        algorithm: "HMAC-SHA256".into(),
        key_material: BASE64.encode([0x0b; 32]),
        format: "raw".into(),
        public_key_only: false,
        expires_at: None,
        set_as_default: false,
        labels: None,
    };
    let key = sdk.client.keys.import_key(request).await?;
    let mut seen = Vec::new();
    for algorithm in [None, Some("sha256"), Some("sha384"), Some("sha512")] {
        let request = TransitHmacRequest { data: BASE64.encode("Hi There"), algorithm: algorithm.map(Into::into) };
        let answer = sdk.client.transit.hmac(&key.name, request).await?;
        ensure_eq!(answer.key_version, 1);
        if let Some(asked) = algorithm {
            ensure_eq!(answer.algorithm, asked);
        }
        seen.push(answer.hmac);
    }
    ensure_eq!(seen[0], seen[1]);
    ensure!(seen[1] != seen[2] && seen[2] != seen[3], "every hash gives the same");
    Ok(())
}

/// The digests of `abc`, FIPS 180-4.
async fn hash(sdk: &Sdk) -> Result<()> {
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let request = |algorithm: Option<&str>, format: Option<&str>| TransitHashRequest {
        data: BASE64.encode("abc"),
        algorithm: algorithm.map(Into::into),
        format: format.map(Into::into),
    };
    let answer = sdk.client.transit.hash(request(Some("sha256"), Some("hex"))).await?;
    ensure_eq!((answer.hash.as_str(), answer.algorithm.as_str()), (sha256, "sha256"));
    let answer = sdk.client.transit.hash(request(Some("sha256"), Some("base64"))).await?;
    ensure_eq!(answer.hash, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    let answer = sdk.client.transit.hash(request(Some("sha512"), Some("hex"))).await?;
    ensure!(answer.hash.starts_with("ddaf35a193617aba"), "{}", answer.hash);
    ensure!(sdk.client.transit.hash(request(Some("md5"), None)).await.is_err(), "md5 is offered");
    Ok(())
}

async fn random(sdk: &Sdk) -> Result<()> {
    let request = TransitRandomRequest { bytes: Some(48), format: Some("hex".into()) };
    let answer = sdk.client.transit.random(request.clone()).await?;
    ensure_eq!((answer.bytes, answer.format.as_str(), answer.data.len()), (48, "hex", 96));
    ensure!(!answer.source.is_empty(), "no source");
    ensure!(sdk.client.transit.random(request).await?.data != answer.data, "the same bytes twice");
    let answer =
        sdk.client.transit.random(TransitRandomRequest { bytes: Some(33), format: Some("base64".into()) }).await?;
    ensure_eq!(BASE64.decode(answer.data)?.len(), 33);
    Ok(())
}

async fn batch_encrypt(sdk: &Sdk) -> Result<()> {
    let key = named(sdk, "transit-batch").await?;
    let item = |plaintext: &str, encoding: Option<&str>| TransitBatchEncryptItem {
        plaintext: plaintext.into(),
        encoding: encoding.map(Into::into),
    };
    let items = vec![item("eA==", None), item("not base64!", None), item("plain", Some("utf8"))];
    let answer = sdk.client.transit.batch_encrypt(&key.name, TransitBatchEncryptRequest { items }).await?;
    ensure_eq!((answer.key_name.as_str(), answer.key_version), (key.name.as_str(), 1));
    ensure_eq!(answer.results.iter().map(|result| result.index).collect::<Vec<_>>(), vec![0, 1, 2]);
    ensure!(answer.results[1].ciphertext.is_none() && answer.results[1].error.is_some(), "the bad item passed");
    let last = answer.results[2].ciphertext.clone().context("the third item failed")?;
    ensure_eq!(opened(sdk, &key, &last).await?, "plain");
    let items = vec![item("eA==", None); 101];
    let refused = sdk.client.transit.batch_encrypt(&key.name, TransitBatchEncryptRequest { items }).await;
    ensure_error!(refused, Error::Validation { .. });
    Ok(())
}

async fn batch_decrypt(sdk: &Sdk) -> Result<()> {
    let key = named(sdk, "transit-unbatch").await?;
    let old = sealed(sdk, &key, "old").await?;
    sdk.client.transit.rotate_key(key.id, RotateKeyRequest::default()).await?;
    let new = sealed(sdk, &key, "new").await?;
    let items = [old.as_str(), "vault:v1:AAAA", new.as_str()]
        .map(|ciphertext| TransitBatchDecryptItem { ciphertext: ciphertext.into() })
        .to_vec();
    let answer = sdk.client.transit.batch_decrypt(&key.name, TransitBatchDecryptRequest { items }).await?;
    let plaintexts: Vec<_> = answer.results.iter().map(|result| result.plaintext.clone()).collect();
    ensure_eq!(plaintexts, vec![Some(BASE64.encode("old")), None, Some(BASE64.encode("new"))]);
    ensure!(answer.results[1].error.is_some(), "no reason for the second item");
    Ok(())
}

async fn datakey(sdk: &Sdk) -> Result<()> {
    let key = named(sdk, "transit-datakey").await?;
    let request = GenerateDataKeyRequest { key_bytes: Some(16), ..GenerateDataKeyRequest::default() };
    let made = sdk.client.transit.datakey(&key.name, request).await?;
    let plain = made.plaintext_key.context("no plaintext")?;
    ensure_eq!(BASE64.decode(&plain)?.len(), 16);
    ensure_eq!(sdk.client.keys.unwrap(key.id, &made.encrypted_key, None).await?.key_material, plain);
    Ok(())
}

async fn hidden_datakey(sdk: &Sdk) -> Result<()> {
    let key = named(sdk, "transit-hidden").await?;
    let request = GenerateDataKeyRequest::default();
    let made = sdk.client.transit.datakey_without_plaintext(&key.name, request).await?;
    unwraps_to_32_bytes(sdk, key.id, &made).await
}

async fn create_key(sdk: &Sdk) -> Result<()> {
    let request = GenerateKeyRequest::builder(sdk.name("transit create"), KeyType::Encryption, "X-Wing").build();
    let key = sdk.client.transit.create_key(request).await?;
    ensure_eq!((key.algorithm.as_str(), key.version), ("X-Wing", 1));
    let ciphertext = sealed(sdk, &key, "hybrid").await?;
    ensure_eq!(opened(sdk, &key, &ciphertext).await?, "hybrid");
    Ok(())
}

async fn read_key(sdk: &Sdk) -> Result<()> {
    let key = named(sdk, "transit-read").await?;
    let read = sdk.client.transit.read_key(key.id).await?;
    ensure_eq!((read.id, read.name, read.algorithm), (key.id, key.name, key.algorithm));
    Ok(())
}

async fn rotate_key(sdk: &Sdk) -> Result<()> {
    let key = named(sdk, "transit-rotate").await?;
    let request = RotateKeyRequest { name: None, set_as_default: false };
    let rotated = sdk.client.transit.rotate_key(key.id, request).await?;
    ensure_eq!((rotated.id, rotated.version), (key.id, 2));
    ensure!(sealed(sdk, &key, "x").await?.starts_with("vault:v2:"), "encrypts with the old version");
    Ok(())
}

async fn update_key_config(sdk: &Sdk) -> Result<()> {
    let key = named(sdk, "transit-config").await?;
    let old = sealed(sdk, &key, "old").await?;
    sdk.client.transit.rotate_key(key.id, RotateKeyRequest::default()).await?;
    let policy = sdk.client.transit.update_key_config(&key.name, 2).await?;
    ensure_eq!((policy.key_name, policy.latest_version, policy.min_decryption_version), (key.name.clone(), 2, 2));
    let refused = sdk.client.transit.decrypt(&key.name, TransitDecryptRequest { ciphertext: old }).await;
    ensure_error!(refused, Error::KeyVersionBelowMinimum { .. });
    ensure_error!(sdk.client.transit.update_key_config(&key.name, 9).await, Error::Validation { .. });
    Ok(())
}
