use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use quantumapi::models::keys::KeyType;
use quantumapi::{DecryptRequest, EncryptRequest, EncryptResponse, Error};

use crate::keys::generate;
use crate::tally::Tally;
use crate::{Sdk, ensure_eq, ensure_error};

pub async fn run(sdk: &Sdk, tally: &mut Tally) {
    tally.check("encryption.encrypt", encrypt(sdk)).await;
    tally.check("encryption.encrypt_string", encrypt_string(sdk)).await;
    tally.check("encryption.decrypt", decrypt(sdk)).await;
    tally.check("encryption.decrypt_payload", decrypt_payload(sdk)).await;
    tally.check("encryption.sign", sign(sdk)).await;
    tally.check("encryption.verify", verify(sdk)).await;
}

async fn encrypt(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "eaas-encrypt", KeyType::Encryption, "ML-KEM-768").await?;
    let request = EncryptRequest::builder("4111 1111 1111 1111").key_id(key.id).additional_data("row 7").build();
    let sealed = sdk.client.encryption.encrypt(request).await?;
    ensure_eq!(sealed.key_id, key.id);
    ensure_eq!(sealed.key_version, 1);
    ensure_eq!(sealed.algorithm, "ML-KEM-768");
    ensure_eq!(BASE64.decode(&sealed.encapsulated_key)?.len(), 1088);
    ensure_eq!(BASE64.decode(&sealed.nonce)?.len(), 12);
    ensure_eq!(BASE64.decode(&sealed.tag)?.len(), 16);
    ensure!(!sealed.ciphertext.is_empty(), "no ciphertext");
    ensure!(!sealed.encrypted_payload.contains("4111"), "the payload shows its plaintext");

    let without = DecryptRequest::from_payload(&sealed.encrypted_payload);
    ensure_error!(sdk.client.encryption.decrypt(without).await, Error::Validation { .. });
    let mut with = DecryptRequest::from_payload(&sealed.encrypted_payload);
    with.additional_data = Some("row 7".into());
    ensure_eq!(sdk.client.encryption.decrypt(with).await?.plaintext, "4111 1111 1111 1111");
    encrypt_with_aes(sdk).await
}

/// A key without an encapsulation still answers with a string, and the default algorithm of the request is no refusal.
async fn encrypt_with_aes(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "eaas-aes", KeyType::Encryption, "AES-256-GCM").await?;
    let bytes = BASE64.encode([0u8, 255, 128, 7]);
    let request = EncryptRequest::builder(&bytes).encoding("base64").key_id(key.id).build();
    let sealed = sdk.client.encryption.encrypt(request).await?;
    ensure_eq!(sealed.algorithm, "AES-256-GCM");
    ensure_eq!(sealed.encapsulated_key, "");
    ensure_eq!(sdk.client.encryption.decrypt_payload(&sealed.encrypted_payload).await?.plaintext, bytes);
    Ok(())
}

async fn encrypt_string(sdk: &Sdk) -> Result<()> {
    let text = "Grüße, 量子, \u{1F510}";
    let sealed = sdk.client.encryption.encrypt_string(text).await?;
    ensure_eq!(sealed.algorithm, "ML-KEM-768");
    ensure_eq!(sdk.client.encryption.decrypt_payload(&sealed.encrypted_payload).await?.plaintext, text);
    let long = "x".repeat(200_000);
    let sealed = sdk.client.encryption.encrypt_string(long.clone()).await?;
    ensure!(
        sdk.client.encryption.decrypt_payload(&sealed.encrypted_payload).await?.plaintext == long,
        "200,000 characters come back different"
    );
    Ok(())
}

/// The parts open the same message as the payload, and not one of them may be changed.
async fn decrypt(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "eaas-parts", KeyType::Encryption, "ML-KEM-1024").await?;
    let request = EncryptRequest::builder("by its parts").key_id(key.id).algorithm("ML-KEM-1024").build();
    let sealed = sdk.client.encryption.encrypt(request).await?;
    ensure_eq!(BASE64.decode(&sealed.encapsulated_key)?.len(), 1568);
    ensure_eq!(sdk.client.encryption.decrypt(parts(&sealed)).await?.plaintext, "by its parts");
    let changed = |field: &str| -> Result<String> {
        let mut bytes = BASE64.decode(field)?;
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        Ok(BASE64.encode(bytes))
    };
    let mut tampered = [parts(&sealed), parts(&sealed), parts(&sealed), parts(&sealed)];
    tampered[0].ciphertext = Some(changed(&sealed.ciphertext)?);
    tampered[1].encapsulated_key = Some(changed(&sealed.encapsulated_key)?);
    tampered[2].nonce = Some(changed(&sealed.nonce)?);
    tampered[3].tag = Some(changed(&sealed.tag)?);
    for request in tampered {
        ensure_error!(sdk.client.encryption.decrypt(request).await, Error::Validation { .. });
    }
    Ok(())
}

fn parts(sealed: &EncryptResponse) -> DecryptRequest {
    DecryptRequest {
        ciphertext: Some(sealed.ciphertext.clone()),
        encapsulated_key: Some(sealed.encapsulated_key.clone()),
        nonce: Some(sealed.nonce.clone()),
        tag: Some(sealed.tag.clone()),
        key_id: Some(sealed.key_id),
        key_version: Some(sealed.key_version),
        ..DecryptRequest::default()
    }
}

async fn decrypt_payload(sdk: &Sdk) -> Result<()> {
    let sealed = sdk.client.encryption.encrypt_string("").await?;
    ensure_eq!(sdk.client.encryption.decrypt_payload(&sealed.encrypted_payload).await?.plaintext, "");
    ensure_error!(sdk.client.encryption.decrypt_payload("bm90IGEgcGF5bG9hZA==").await, Error::Validation { .. });
    Ok(())
}

async fn sign(sdk: &Sdk) -> Result<()> {
    let data = BASE64.encode("the release of today");
    for (algorithm, length) in [("ML-DSA-44", 2420), ("ML-DSA-65", 3309), ("ML-DSA-87", 4627), ("Ed25519", 64)] {
        let key = generate(sdk, &format!("eaas-sign-{algorithm}"), KeyType::Signing, algorithm).await?;
        let signed = sdk.client.encryption.sign(data.clone(), key.id, None).await?;
        ensure_eq!(signed.key_id, key.id);
        ensure_eq!(signed.algorithm, algorithm);
        ensure_eq!(BASE64.decode(&signed.signature)?.len(), length);
    }
    Ok(())
}

/// No version travels with a signature, so that of a version before the rotation must still verify.
async fn verify(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "eaas-verify", KeyType::Signing, "ML-DSA-65").await?;
    let data = BASE64.encode("signed before the rotation");
    let signed = sdk.client.encryption.sign(data.clone(), key.id, Some("ML-DSA-65")).await?;
    sdk.client.keys.rotate(key.id, quantumapi::RotateKeyRequest::default()).await?;
    ensure!(sdk.client.encryption.verify(data, signed.signature.clone(), key.id).await?.is_valid, "refused");
    let other = BASE64.encode("something else");
    ensure!(!sdk.client.encryption.verify(other, signed.signature, key.id).await?.is_valid, "other data is valid");
    Ok(())
}
