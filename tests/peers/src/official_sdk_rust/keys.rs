use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{Duration, Utc};
use quantumapi::models::keys::KeyType;
use quantumapi::{
    EncryptRequest, Error, GenerateDataKeyRequest, GenerateDataKeyResponse, GenerateKeyRequest, ImportKeyRequest,
    KeyResponse, KeyStatus, RotateKeyRequest, UpdateKeyRequest,
};
use uuid::Uuid;

use crate::tally::Tally;
use crate::{Sdk, ensure_eq, ensure_error};

pub async fn run(sdk: &Sdk, tally: &mut Tally) {
    tally.check("keys.generate", generated(sdk)).await;
    tally.check("keys.import_key", import(sdk)).await;
    tally.check("keys.list", list(sdk)).await;
    tally.check("keys.list_with_all_versions", list_with_all_versions(sdk)).await;
    tally.check("keys.list_versions", list_versions(sdk)).await;
    tally.check("keys.set_min_decryption_version", minimum(sdk)).await;
    tally.check("keys.get", get(sdk)).await;
    tally.check("keys.rotate", rotate(sdk)).await;
    tally.check("keys.delete", delete(sdk)).await;
    tally.check("keys.set_default", set_default(sdk)).await;
    tally.check("keys.update", update(sdk)).await;
    tally.check("keys.export_public", export_public(sdk)).await;
    tally.check("keys.get_public_key", get_public_key(sdk)).await;
    tally.check("keys.generate_data_key", data_key(sdk)).await;
    tally.check("keys.generate_data_key_without_plaintext", hidden_data_key(sdk)).await;
    tally.check("keys.generate_transit_data_key", transit_data_key(sdk)).await;
    tally.check("keys.generate_transit_data_key_without_plaintext", hidden_transit_data_key(sdk)).await;
    tally.check("keys.unwrap", unwrap(sdk)).await;
}

/// A fresh key of that kind, for whatever a method needs one.
pub async fn generate(sdk: &Sdk, label: &str, key_type: KeyType, algorithm: &str) -> Result<KeyResponse> {
    let request = GenerateKeyRequest::builder(sdk.name(label), key_type, algorithm).build();
    sdk.client.keys.generate(request).await.with_context(|| format!("could not make a {algorithm} key to work with"))
}

async fn generated(sdk: &Sdk) -> Result<()> {
    let kinds = [
        (KeyType::Encryption, "ML-KEM-768"),
        (KeyType::Encryption, "ML-KEM-1024"),
        (KeyType::Encryption, "AES-256-GCM"),
        (KeyType::Signing, "ML-DSA-44"),
        (KeyType::Signing, "ML-DSA-65"),
        (KeyType::Signing, "ML-DSA-87"),
        (KeyType::Signing, "Ed25519"),
        (KeyType::Signing, "ECDSA-P256"),
        (KeyType::Signing, "ECDSA-P384"),
        (KeyType::Hmac, "HMAC-SHA256"),
        (KeyType::Hmac, "HMAC-SHA512"),
    ];
    for (key_type, algorithm) in kinds {
        let expires_at = Utc::now() + Duration::days(30);
        let request = GenerateKeyRequest::builder(sdk.name(&format!("made-{algorithm}")), key_type.clone(), algorithm)
            .description("made by the official SDK")
            .labels(vec!["interop".into()])
            .expires_at(expires_at)
            .build();
        let key = sdk.client.keys.generate(request.clone()).await.context(algorithm)?;
        ensure_eq!(key.name, request.name);
        ensure_eq!(key.key_type, key_type);
        ensure_eq!(key.algorithm, algorithm);
        ensure_eq!(key.status, KeyStatus::Active);
        ensure_eq!(key.description, request.description);
        ensure_eq!(key.labels, request.labels);
        ensure_eq!(key.expires_at.map(|at| at.timestamp()), Some(expires_at.timestamp()));
        ensure_eq!((key.version, key.min_decryption_version, key.version_count), (1, 1, 1));
        let symmetric = algorithm.starts_with("AES") || algorithm.starts_with("HMAC");
        ensure!(key.public_key.is_none() == symmetric, "the public key of a {algorithm} key");
    }
    let taken = GenerateKeyRequest::builder(sdk.name("made-Ed25519"), KeyType::Signing, "ML-DSA-65").build();
    ensure_error!(sdk.client.keys.generate(taken).await, Error::Conflict { .. });
    let wrong = GenerateKeyRequest::builder(sdk.name("made-wrong"), KeyType::Encryption, "ML-DSA-65").build();
    ensure_error!(sdk.client.keys.generate(wrong).await, Error::Validation { .. });
    Ok(())
}

/// The example key of RFC 8410 section 10.3, and its public half of section 10.1.
const ED25519_PEM: &str = concat!(
    "-----BEGIN PRIVATE KEY-----\n",
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n",
    "-----END PRIVATE KEY-----\n"
);
const ED25519_PUBLIC: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

async fn import(sdk: &Sdk) -> Result<()> {
    let aes = imported(sdk, "aes", KeyType::Encryption, "AES-256-GCM", &[7; 32], "raw").await?;
    let sealed = EncryptRequest::builder("under a key of my own").key_id(aes.id).build();
    let sealed = sdk.client.encryption.encrypt(sealed).await?;
    let opened = sdk.client.encryption.decrypt_payload(sealed.encrypted_payload).await?;
    ensure_eq!(opened.plaintext, "under a key of my own");

    let pem = imported(sdk, "pem", KeyType::Signing, "Ed25519", ED25519_PEM.as_bytes(), "pem").await?;
    let public = sdk.client.keys.get_public_key(pem.id, &[], Some("der")).await?;
    ensure_eq!(public.public_key, ED25519_PUBLIC);

    let signer = generate(sdk, "import-signer", KeyType::Signing, "ML-DSA-65").await?;
    let spki = sdk.client.keys.export_public(signer.id, "pem").await?;
    let mut request = import_request(sdk, "public", KeyType::Signing, "ML-DSA-65", spki.as_bytes(), "pem");
    request.public_key_only = true;
    let verifier = sdk.client.keys.import_key(request).await?;
    let data = BASE64.encode("checked with a public half");
    let signed = sdk.client.encryption.sign(data.clone(), signer.id, None).await?;
    let verdict = sdk.client.encryption.verify(data.clone(), signed.signature, verifier.id).await?;
    ensure!(verdict.is_valid, "the imported public key does not verify");
    ensure!(sdk.client.encryption.sign(data, verifier.id, None).await.is_err(), "a public key signs");
    Ok(())
}

async fn imported(
    sdk: &Sdk,
    label: &str,
    key_type: KeyType,
    algorithm: &str,
    material: &[u8],
    format: &str,
) -> Result<KeyResponse> {
    let request = import_request(sdk, label, key_type.clone(), algorithm, material, format);
    let key = sdk.client.keys.import_key(request).await.with_context(|| format!("{algorithm} as {format}"))?;
    ensure_eq!((key.algorithm.as_str(), key.key_type.clone(), key.version), (algorithm, key_type, 1));
    Ok(key)
}

fn import_request(
    sdk: &Sdk,
    label: &str,
    key_type: KeyType,
    algorithm: &str,
    material: &[u8],
    format: &str,
) -> ImportKeyRequest {
    ImportKeyRequest {
        name: sdk.name(&format!("import-{label}")),
        description: None,
        key_type,
        algorithm: algorithm.into(),
        key_material: BASE64.encode(material),
        format: format.into(),
        public_key_only: false,
        expires_at: None,
        set_as_default: false,
        labels: None,
    }
}

async fn list(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "list", KeyType::Hmac, "HMAC-SHA384").await?;
    sdk.client.keys.rotate(key.id, RotateKeyRequest::default()).await?;
    let mut found = Vec::new();
    for page in 1.. {
        let listed = sdk.client.keys.list(Some(KeyType::Hmac), Some("active"), page, 2).await?;
        ensure_eq!((listed.page, listed.page_size), (page, 2));
        ensure!(listed.keys.iter().all(|row| row.key_type == KeyType::Hmac), "a key of another type");
        found.extend(listed.keys.into_iter().filter(|row| row.id == key.id));
        if !listed.has_more {
            break;
        }
    }
    ensure_eq!(found.len(), 1);
    ensure_eq!((found[0].version, found[0].version_count), (2, 2));
    Ok(())
}

async fn list_with_all_versions(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "list-all", KeyType::Hmac, "HMAC-SHA256").await?;
    sdk.client.keys.rotate(key.id, RotateKeyRequest::default()).await?;
    let mut versions = BTreeSet::new();
    for page in 1.. {
        let listed = sdk.client.keys.list_with_all_versions(Some(KeyType::Hmac), None, page, 50, true).await?;
        versions.extend(listed.keys.iter().filter(|row| row.name == key.name).map(|row| row.version));
        if !listed.has_more {
            break;
        }
    }
    ensure_eq!(versions, BTreeSet::from([1, 2]));
    Ok(())
}

async fn list_versions(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "versions", KeyType::Encryption, "ML-KEM-768").await?;
    for _ in 0..2 {
        sdk.client.keys.rotate(key.id, RotateKeyRequest::default()).await?;
    }
    let history = sdk.client.keys.list_versions(key.id).await?;
    ensure_eq!((history.key_name.as_str(), history.min_decryption_version), (key.name.as_str(), 1));
    ensure_eq!(history.versions.iter().map(|row| row.version).collect::<Vec<_>>(), vec![1, 2, 3]);
    ensure_eq!(history.versions.iter().map(|row| row.id).collect::<BTreeSet<_>>().len(), 3);
    ensure_eq!(history.versions[2].state, "active");
    ensure!(history.versions.iter().all(|row| row.revoked_at.is_none()), "a version nobody revoked is revoked");
    ensure!(history.versions[1].rotated_at.is_some(), "no date of the rotation");
    Ok(())
}

async fn minimum(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "minimum", KeyType::Encryption, "ML-KEM-768").await?;
    let old = sdk.client.encryption.encrypt(EncryptRequest::builder("old").key_id(key.id).build()).await?;
    sdk.client.keys.rotate(key.id, RotateKeyRequest::default()).await?;
    let policy = sdk.client.keys.set_min_decryption_version(key.id, 2).await?;
    ensure_eq!((policy.latest_version, policy.min_decryption_version), (2, 2));
    ensure_eq!(policy.key_name, key.name);
    let refused = sdk.client.encryption.decrypt_payload(old.encrypted_payload.clone()).await;
    ensure_error!(refused, Error::KeyVersionBelowMinimum { .. });
    ensure_error!(sdk.client.keys.set_min_decryption_version(key.id, 3).await, Error::Validation { .. });
    ensure_error!(sdk.client.keys.set_min_decryption_version(key.id, 0).await, Error::Validation { .. });
    sdk.client.keys.set_min_decryption_version(key.id, 1).await?;
    ensure_eq!(sdk.client.encryption.decrypt_payload(old.encrypted_payload).await?.plaintext, "old");
    Ok(())
}

async fn get(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "get", KeyType::Encryption, "ML-KEM-768").await?;
    let read = sdk.client.keys.get(key.id).await?;
    ensure_eq!((read.id, read.name, read.version), (key.id, key.name, 1));
    ensure_eq!((read.purpose.as_str(), read.status), ("encryption", KeyStatus::Active));
    ensure_eq!(read.created_at, key.created_at);
    ensure_error!(sdk.client.keys.get(Uuid::new_v4()).await, Error::NotFound { .. });
    Ok(())
}

async fn rotate(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "rotate", KeyType::Encryption, "ML-KEM-768").await?;
    let before = sdk.client.encryption.encrypt(EncryptRequest::builder("before").key_id(key.id).build()).await?;
    let rotated = sdk.client.keys.rotate(key.id, RotateKeyRequest::default()).await?;
    ensure_eq!((rotated.id, rotated.version, rotated.version_count), (key.id, 2, 2));
    ensure!(!rotated.is_default, "a rotation that does not ask for it makes the key a default");
    ensure!(rotated.public_key != key.public_key, "the same public key as before");
    let after = sdk.client.encryption.encrypt(EncryptRequest::builder("after").key_id(key.id).build()).await?;
    ensure_eq!((before.key_version, after.key_version), (1, 2));
    ensure_eq!(sdk.client.encryption.decrypt_payload(before.encrypted_payload).await?.plaintext, "before");
    ensure_eq!(sdk.client.encryption.decrypt_payload(after.encrypted_payload).await?.plaintext, "after");
    Ok(())
}

async fn delete(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "delete", KeyType::Encryption, "ML-KEM-768").await?;
    sdk.client.keys.delete(key.id, 7).await?;
    ensure_eq!(sdk.client.keys.get(key.id).await?.status, KeyStatus::ScheduledDeletion);
    let request = EncryptRequest::builder("too late").key_id(key.id).build();
    ensure!(sdk.client.encryption.encrypt(request).await.is_err(), "a key that is to be deleted still encrypts");
    Ok(())
}

async fn set_default(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "default", KeyType::Encryption, "ML-KEM-768").await?;
    ensure!(!key.is_default, "a default nobody asked for");
    sdk.client.keys.set_default(key.id, KeyType::Encryption).await?;
    ensure!(sdk.client.keys.get(key.id).await?.is_default, "not the default");
    ensure_eq!(sdk.client.encryption.encrypt_string("by default").await?.key_id, key.id);
    ensure!(sdk.client.keys.set_default(key.id, KeyType::Signing).await.is_err(), "an encryption key signs by default");
    Ok(())
}

async fn update(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "update", KeyType::Encryption, "ML-KEM-768").await?;
    let request = UpdateKeyRequest {
        name: Some(sdk.name("renamed")),
        description: Some("new words".into()),
        status: Some("disabled".into()),
    };
    let changed = sdk.client.keys.update(key.id, request).await?;
    ensure_eq!((changed.name, changed.status), (sdk.name("renamed"), KeyStatus::Inactive));
    ensure_eq!(changed.description.as_deref(), Some("new words"));
    let refused = sdk.client.encryption.encrypt(EncryptRequest::builder("no").key_id(key.id).build()).await;
    ensure!(refused.is_err(), "a disabled key encrypts");
    let enable = UpdateKeyRequest { status: Some("active".into()), ..UpdateKeyRequest::default() };
    ensure_eq!(sdk.client.keys.update(key.id, enable).await?.status, KeyStatus::Active);
    sdk.client.encryption.encrypt(EncryptRequest::builder("yes").key_id(key.id).build()).await?;
    Ok(())
}

async fn export_public(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "export", KeyType::Signing, "ML-DSA-65").await?;
    let pem = sdk.client.keys.export_public(key.id, "pem").await?;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    ensure!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "no PEM: {pem:.40}");
    let der = sdk.client.keys.export_public(key.id, "der").await?;
    ensure!(BASE64.decode(&body)? == BASE64.decode(&der)?, "PEM and DER are different keys");
    ensure!(sdk.client.keys.export_public(key.id, "rtf").await.is_err(), "any format will do");
    Ok(())
}

async fn get_public_key(sdk: &Sdk) -> Result<()> {
    let request = GenerateKeyRequest::builder(sdk.name("public"), KeyType::Encryption, "ML-KEM-768")
        .labels(vec!["exported".into()])
        .build();
    let key = sdk.client.keys.generate(request).await?;
    let raw = sdk.client.keys.get_public_key(key.id, &[], None).await?;
    ensure_eq!((raw.key_id, raw.version, raw.format.as_str()), (key.id, 1, "raw"));
    ensure_eq!(raw.algorithm, "ML-KEM-768");
    ensure_eq!(BASE64.decode(&raw.public_key)?.len(), 1184);
    for format in ["pem", "der"] {
        let public = sdk.client.keys.get_public_key(key.id, &[], Some(format)).await?;
        ensure_eq!(public.format, format);
    }
    let full = sdk.client.keys.get_public_key(key.id, &["all"], Some("pem")).await?;
    ensure_eq!(full.name.as_deref(), Some(key.name.as_str()));
    ensure_eq!(full.key_type, Some(KeyType::Encryption));
    ensure_eq!((full.is_post_quantum, full.is_active, full.is_default), (Some(true), Some(true), Some(false)));
    ensure_eq!(full.labels, Some(vec!["exported".to_owned()]));
    ensure_eq!(full.state.as_deref(), Some("active"));
    Ok(())
}

/// Asks for data keys of every size and unwraps each one.
async fn data_key(sdk: &Sdk) -> Result<()> {
    for algorithm in ["ML-KEM-768", "AES-256-GCM"] {
        let key = generate(sdk, &format!("data-{algorithm}"), KeyType::Encryption, algorithm).await?;
        for key_bytes in [None, Some(16), Some(24), Some(32)] {
            let request = GenerateDataKeyRequest { key_bytes, ..GenerateDataKeyRequest::default() };
            let made = sdk.client.keys.generate_data_key(key.id, request).await?;
            ensure_eq!((made.key_id, made.key_version, made.algorithm.as_str()), (key.id, 1, "AES-256-GCM"));
            let plain = made.plaintext_key.context("no plaintext")?;
            ensure_eq!(BASE64.decode(&plain)?.len(), key_bytes.unwrap_or(32) as usize);
            let unwrapped = sdk.client.keys.unwrap(key.id, &made.encrypted_key, None).await?;
            ensure!(unwrapped.key_material == plain, "another key comes back");
        }
        let odd = GenerateDataKeyRequest { key_bytes: Some(20), ..GenerateDataKeyRequest::default() };
        ensure_error!(sdk.client.keys.generate_data_key(key.id, odd).await, Error::Validation { .. });
    }
    Ok(())
}

async fn hidden_data_key(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "data-hidden", KeyType::Encryption, "ML-KEM-768").await?;
    let made = sdk.client.keys.generate_data_key_without_plaintext(key.id, GenerateDataKeyRequest::default()).await?;
    unwraps_to_32_bytes(sdk, key.id, &made).await
}

async fn transit_data_key(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "data by name/eu", KeyType::Encryption, "ML-KEM-768").await?;
    let request = GenerateDataKeyRequest { algorithm: Some("AES-192-GCM".into()), key_bytes: Some(24), context: None };
    let made = sdk.client.keys.generate_transit_data_key(&key.name, request).await?;
    ensure_eq!((made.key_id, made.algorithm.as_str()), (key.id, "AES-192-GCM"));
    let plain = made.plaintext_key.context("no plaintext")?;
    ensure_eq!(sdk.client.keys.unwrap(key.id, &made.encrypted_key, None).await?.key_material, plain);
    Ok(())
}

async fn hidden_transit_data_key(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "hidden by name/eu", KeyType::Encryption, "ML-KEM-768").await?;
    let request = GenerateDataKeyRequest::default();
    let made = sdk.client.keys.generate_transit_data_key_without_plaintext(&key.name, request).await?;
    unwraps_to_32_bytes(sdk, key.id, &made).await
}

pub async fn unwraps_to_32_bytes(sdk: &Sdk, key_id: Uuid, made: &GenerateDataKeyResponse) -> Result<()> {
    ensure_eq!(made.plaintext_key, None::<String>);
    ensure_eq!((made.key_id, made.key_version), (key_id, 1));
    let unwrapped = sdk.client.keys.unwrap(key_id, &made.encrypted_key, None).await?;
    ensure_eq!(BASE64.decode(unwrapped.key_material)?.len(), 32);
    Ok(())
}

async fn unwrap(sdk: &Sdk) -> Result<()> {
    let key = generate(sdk, "unwrap", KeyType::Encryption, "ML-KEM-768").await?;
    let context = Some(BASE64.encode("table=people"));
    let request = GenerateDataKeyRequest { context: context.clone(), ..GenerateDataKeyRequest::default() };
    let made = sdk.client.keys.generate_data_key(key.id, request).await?;
    sdk.client.keys.rotate(key.id, RotateKeyRequest::default()).await?;
    let unwrapped = sdk.client.keys.unwrap(key.id, &made.encrypted_key, context.as_deref()).await?;
    ensure_eq!((unwrapped.key_id, unwrapped.key_version), (key.id, 1));
    ensure_eq!(Some(unwrapped.key_material), made.plaintext_key);
    let other = BASE64.encode("table=orders");
    ensure_error!(sdk.client.keys.unwrap(key.id, &made.encrypted_key, Some(&other)).await, Error::Validation { .. });
    ensure_error!(sdk.client.keys.unwrap(key.id, &made.encrypted_key, None).await, Error::Validation { .. });
    Ok(())
}
