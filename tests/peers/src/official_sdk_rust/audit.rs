use anyhow::{Context as _, Result, ensure};
use chrono::{Duration, Utc};
use quantumapi::models::audit::{AuditEntry, AuditListParams};
use quantumapi::models::keys::KeyType;
use quantumapi::{AuditLogsOptions, EncryptRequest, TenantAuditLogEntry};
use uuid::Uuid;

use crate::keys::generate;
use crate::tally::Tally;
use crate::{Sdk, ensure_eq};

/// How often to look again; with the pause between, events have the 10 s they are granted.
const LOOKS: u32 = 100;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

pub async fn run(sdk: &Sdk, tally: &mut Tally) {
    tally.check("audit.list", list(sdk)).await;
    tally.check("audit.logs", logs(sdk)).await;
}

async fn used_key(sdk: &Sdk, label: &str) -> Result<Uuid> {
    let key = generate(sdk, label, KeyType::Encryption, "ML-KEM-768").await?;
    let sealed = sdk.client.encryption.encrypt(EncryptRequest::builder("x").key_id(key.id).build()).await?;
    sdk.client.encryption.decrypt_payload(sealed.encrypted_payload).await?;
    Ok(key.id)
}

async fn list(sdk: &Sdk) -> Result<()> {
    let key_id = used_key(sdk, "audit-list").await?;
    let params =
        AuditListParams { resource_id: Some(key_id), page: Some(1), page_size: Some(50), ..Default::default() };
    let mut entries: Vec<AuditEntry> = Vec::new();
    for _ in 0..LOOKS {
        let answer = sdk.client.audit.list(params.clone()).await?;
        ensure_eq!((answer.page, answer.page_size), (1, 50));
        entries = answer.entries;
        if entries.len() >= 3 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let mut kinds: Vec<_> = entries.iter().map(|entry| entry.event_type.as_str()).collect();
    kinds.sort_unstable();
    ensure_eq!(kinds, vec!["Decrypt", "Encrypt", "KeyCreated"]);
    for entry in &entries {
        ensure_eq!(entry.resource_id, Some(key_id));
        ensure_eq!(entry.status, "success");
        ensure!(entry.actor_id.is_some() && entry.ip_address.is_some(), "who and whence: {entry:?}");
    }
    ensure!(entries.windows(2).all(|pair| pair[0].created_at >= pair[1].created_at), "not newest first");
    let only = AuditListParams { event_type: Some("Encrypt".into()), ..params };
    ensure_eq!(sdk.client.audit.list(only).await?.total, 1);
    Ok(())
}

async fn logs(sdk: &Sdk) -> Result<()> {
    let from = Utc::now() - Duration::seconds(2);
    let key_id = used_key(sdk, "audit-logs").await?;
    let options = || AuditLogsOptions::new().key_id(key_id).actions(["Encrypt", "Decrypt"]).from(from);
    let mut items: Vec<TenantAuditLogEntry> = Vec::new();
    for _ in 0..LOOKS {
        items = sdk.client.audit.logs(options()).await?.items;
        if items.len() >= 2 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    ensure_eq!(items.len(), 2);
    let encrypt = items.iter().find(|item| item.action == "Encrypt").context("no Encrypt")?;
    ensure_eq!((encrypt.category.as_str(), encrypt.outcome.as_str()), ("keys", "success"));
    ensure_eq!((encrypt.resource_type.as_str(), encrypt.resource_id), ("CryptoKey", key_id));
    ensure_eq!((encrypt.algorithm.as_deref(), encrypt.key_version), (Some("ML-KEM-768"), Some(1)));
    ensure_eq!((encrypt.channel.as_deref(), encrypt.actor_type.as_str()), (Some("eaas"), "apiKey"));
    ensure!(encrypt.actor.starts_with("apikey:"), "actor {:?}", encrypt.actor);
    ensure!(encrypt.user_agent.as_deref().unwrap_or_default().starts_with("quantumapi-rust/"), "user agent");
    let page = sdk.client.audit.logs(options().page(2).page_size(1)).await?;
    ensure_eq!((page.items.len(), page.total_count, page.page, page.page_size), (1, 2, 2, 1));
    let nobody = sdk.client.audit.logs(options().actor("nobody of that name")).await?;
    ensure_eq!(nobody.total_count, 0);
    Ok(())
}
