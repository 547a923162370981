use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use chrono::{Duration, Utc};
use quantumapi::models::secrets::SecretResponse;
use quantumapi::{CreateSecretRequest, Error, SecretWithValueResponse, UpdateSecretRequest};
use serde_json::json;

use crate::tally::Tally;
use crate::{Sdk, ensure_eq, ensure_error};

pub async fn run(sdk: &Sdk, tally: &mut Tally) {
    tally.check("secrets.create", create(sdk)).await;
    tally.check("secrets.list", list(sdk)).await;
    tally.check("secrets.get", get(sdk)).await;
    tally.check("secrets.get_with_include", get_with_include(sdk)).await;
    tally.check("secrets.update", update(sdk)).await;
    tally.check("secrets.update_value", update_value(sdk)).await;
    tally.check("secrets.delete", delete(sdk)).await;
    tally.check("secrets.list_versions", list_versions(sdk)).await;
    tally.check("secrets.get_version", get_version(sdk)).await;
    tally.check("secrets.rollback", rollback(sdk)).await;
    tally.check("secrets.deactivate", deactivate(sdk)).await;
    tally.check("secrets.activate", activate(sdk)).await;
    tally.check("secrets.restore", restore(sdk)).await;
    tally.check("secrets.insights", insights(sdk)).await;
}

/// A plain secret of that name, for whatever a method needs one.
pub async fn stored(sdk: &Sdk, label: &str, value: &str) -> Result<SecretWithValueResponse> {
    let request = CreateSecretRequest::builder(sdk.name(label), value).build();
    sdk.client.secrets.create(request).await.context("could not store a secret to work on")
}

async fn create(sdk: &Sdk) -> Result<()> {
    let expires_at = Utc::now() + Duration::days(90);
    let mut request = CreateSecretRequest::builder(sdk.name("users-api/db-connection"), "Host=db;Password=p w")
        .description("connection of the users API")
        .content_type("login")
        .expires_at(expires_at)
        .labels(vec!["production".into(), "database".into()])
        .username("app")
        .notes("rotated every quarter")
        .totp_secret("JBSWY3DPEHPK3PXP")
        .metadata(HashMap::from([("snake_case_key".into(), "kept as it is".into())]))
        .build();
    request.urls = Some(vec![json!({"url": "https://db.example", "label": "console"})]);
    request.custom_fields = Some(vec![json!({"name": "Port_Number", "value": "5432", "hidden": false})]);
    let made = sdk.client.secrets.create(request.clone()).await?;
    let read = sdk.client.secrets.get(made.metadata.id).await?;
    for secret in [&made, &read] {
        let metadata = &secret.metadata;
        ensure_eq!(metadata.name, request.name);
        ensure_eq!(metadata.version, 1);
        ensure_eq!(metadata.description, request.description);
        ensure_eq!(metadata.content_type, request.content_type);
        ensure_eq!(metadata.labels, request.labels);
        ensure_eq!(metadata.username, request.username);
        ensure_eq!(metadata.notes, request.notes);
        ensure_eq!(metadata.urls, request.urls);
        ensure_eq!(metadata.custom_fields, request.custom_fields);
        ensure_eq!(metadata.expires_at.map(|at| at.timestamp()), Some(expires_at.timestamp()));
        ensure!(metadata.is_active && metadata.has_totp && !metadata.is_favorite, "flags of {metadata:?}");
        ensure_eq!(secret.value, request.value);
        ensure_eq!(secret.totp_secret, request.totp_secret);
    }
    let nameless = CreateSecretRequest::builder("", "value").build();
    ensure_error!(sdk.client.secrets.create(nameless).await, Error::Validation { .. });
    Ok(())
}

async fn list(sdk: &Sdk) -> Result<()> {
    let label = sdk.name("listed");
    for index in 0..3 {
        let request = CreateSecretRequest::builder(sdk.name(&format!("list-{index}")), "v")
            .content_type(if index == 0 { "token" } else { "password" })
            .labels(vec![label.clone()])
            .build();
        sdk.client.secrets.create(request).await?;
    }
    let first = sdk.client.secrets.list(None, Some(&label), None, 1, 2, false).await?;
    ensure_eq!((first.secrets.len(), first.total, first.page, first.page_size, first.has_more), (2, 3, 1, 2, true));
    let second = sdk.client.secrets.list(None, Some(&label), None, 2, 2, false).await?;
    ensure_eq!((second.secrets.len(), second.page, second.has_more), (1, 2, false));
    ensure!(first.secrets.iter().all(|secret| secret.id != second.secrets[0].id), "a page repeats a secret");
    let tokens = sdk.client.secrets.list(Some("token"), Some(&label), None, 1, 50, false).await?;
    ensure_eq!(names(&tokens.secrets), vec![sdk.name("list-0")]);
    let found = sdk.client.secrets.list(None, None, Some(&sdk.name("list-2")), 1, 50, false).await?;
    ensure_eq!(names(&found.secrets), vec![sdk.name("list-2")]);
    Ok(())
}

fn names(secrets: &[SecretResponse]) -> Vec<String> {
    secrets.iter().map(|secret| secret.name.clone()).collect()
}

async fn get(sdk: &Sdk) -> Result<()> {
    let made = stored(sdk, "get", "s3cr\"et\\ \u{7f}\n\tü").await?;
    let read = sdk.client.secrets.get(made.metadata.id).await?;
    ensure_eq!(read.value, "s3cr\"et\\ \u{7f}\n\tü");
    ensure_eq!(read.metadata.created_at, made.metadata.created_at);
    ensure_error!(sdk.client.secrets.get(uuid::Uuid::new_v4()).await, Error::NotFound { .. });
    Ok(())
}

async fn get_with_include(sdk: &Sdk) -> Result<()> {
    let request = CreateSecretRequest::builder(sdk.name("include"), "v").notes("a note").description("words").build();
    let id = sdk.client.secrets.create(request).await?.metadata.id;
    for include in [&["all"][..], &["metadata"], &["description", "notes", "createdAt", "isActive"]] {
        let read = sdk.client.secrets.get_with_include(id, include).await?;
        ensure_eq!(read.metadata.notes.as_deref(), Some("a note"));
        ensure_eq!(read.metadata.description.as_deref(), Some("words"));
        ensure_eq!(read.value, "v");
    }
    Ok(())
}

async fn update(sdk: &Sdk) -> Result<()> {
    let id = stored(sdk, "update", "stays").await?.metadata.id;
    let request = UpdateSecretRequest {
        name: Some(sdk.name("updated")),
        description: Some("new words".into()),
        content_type: Some("config".into()),
        labels: Some(vec!["one".into()]),
        notes: Some("new notes".into()),
        username: Some("root".into()),
        urls: Some(vec![json!({"url": "https://new.example"})]),
        custom_fields: Some(vec![json!({"name": "team_name", "value": "core"})]),
        is_favorite: Some(true),
        totp_secret: Some("JBSWY3DPEHPK3PXP".into()),
        expires_at: None,
    };
    let changed = sdk.client.secrets.update(id, request.clone()).await?;
    ensure_eq!(changed.id, id);
    ensure_eq!(Some(changed.name), request.name);
    ensure_eq!(changed.description, request.description);
    ensure_eq!(changed.content_type, request.content_type);
    ensure_eq!(changed.labels, request.labels);
    ensure_eq!(changed.notes, request.notes);
    ensure_eq!(changed.username, request.username);
    ensure_eq!(changed.urls, request.urls);
    ensure_eq!(changed.custom_fields, request.custom_fields);
    ensure!(changed.is_favorite && changed.has_totp, "neither flag was set");
    let partial = UpdateSecretRequest { notes: Some("only these".into()), ..UpdateSecretRequest::default() };
    let changed = sdk.client.secrets.update(id, partial).await?;
    ensure_eq!(changed.notes.as_deref(), Some("only these"));
    ensure_eq!(changed.username.as_deref(), Some("root"));
    let read = sdk.client.secrets.get(id).await?;
    ensure_eq!(read.value, "stays");
    ensure_eq!(read.totp_secret.as_deref(), Some("JBSWY3DPEHPK3PXP"));
    Ok(())
}

async fn update_value(sdk: &Sdk) -> Result<()> {
    let id = stored(sdk, "value", "one").await?.metadata.id;
    let changed = sdk.client.secrets.update_value(id, "two").await?;
    ensure_eq!((changed.id, changed.version), (id, 2));
    ensure!(changed.updated_at.is_some(), "no date of the change");
    ensure_eq!(sdk.client.secrets.get(id).await?.value, "two");
    Ok(())
}

async fn delete(sdk: &Sdk) -> Result<()> {
    let id = stored(sdk, "delete", "gone").await?.metadata.id;
    sdk.client.secrets.delete(id).await?;
    ensure_error!(sdk.client.secrets.get(id).await, Error::NotFound { .. });
    ensure_error!(sdk.client.secrets.delete(id).await, Error::NotFound { .. });
    Ok(())
}

async fn list_versions(sdk: &Sdk) -> Result<()> {
    let id = stored(sdk, "history", "v1").await?.metadata.id;
    for version in 2..=7 {
        sdk.client.secrets.update_value(id, format!("v{version}")).await?;
    }
    let default = sdk.client.secrets.list_versions(id, None).await?;
    ensure_eq!(default.secret_id, Some(id));
    ensure_eq!(default.versions.iter().map(|entry| entry.version).collect::<Vec<_>>(), vec![7, 6, 5, 4, 3]);
    let two = sdk.client.secrets.list_versions(id, Some(2)).await?;
    ensure_eq!(two.versions.len(), 2);
    ensure_eq!(two.versions[0].value.as_deref(), Some("v7"));
    ensure_eq!(two.versions[1].value.as_deref(), Some("v6"));
    let writer = two.versions[0].changed_by.as_deref().unwrap_or_default();
    ensure!(writer.starts_with("apikey:"), "changed by {writer:?}");
    ensure_eq!(sdk.client.secrets.list_versions(id, Some(20)).await?.versions.len(), 7);
    Ok(())
}

async fn get_version(sdk: &Sdk) -> Result<()> {
    let id = stored(sdk, "at-version", "first").await?.metadata.id;
    sdk.client.secrets.update_value(id, "second").await?;
    let first = sdk.client.secrets.get_version(id, 1).await?;
    ensure_eq!((first.version, first.value.as_str(), first.id), (1, "first", Some(id)));
    let second = sdk.client.secrets.get_version(id, 2).await?;
    ensure_eq!((second.version, second.value.as_str()), (2, "second"));
    ensure_error!(sdk.client.secrets.get_version(id, 3).await, Error::NotFound { .. });
    Ok(())
}

async fn rollback(sdk: &Sdk) -> Result<()> {
    let id = stored(sdk, "rollback", "good").await?.metadata.id;
    sdk.client.secrets.update_value(id, "bad").await?;
    let restored = sdk.client.secrets.rollback(id, 1).await?;
    ensure_eq!(restored.version, 3);
    ensure_eq!(sdk.client.secrets.get(id).await?.value, "good");
    Ok(())
}

async fn deactivate(sdk: &Sdk) -> Result<()> {
    let secret = stored(sdk, "deactivate", "hidden").await?.metadata;
    sdk.client.secrets.deactivate(secret.id).await?;
    ensure!(sdk.client.secrets.get(secret.id).await.is_err(), "an inactive secret shows its value");
    let listed = sdk.client.secrets.list(None, None, Some(&secret.name), 1, 50, false).await?;
    ensure_eq!(listed.total, 0);
    let kept = sdk.client.secrets.list(None, None, Some(&secret.name), 1, 50, true).await?;
    ensure_eq!(kept.total, 1);
    ensure!(!kept.secrets[0].is_active, "listed as active");
    Ok(())
}

async fn activate(sdk: &Sdk) -> Result<()> {
    let id = stored(sdk, "activate", "back").await?.metadata.id;
    sdk.client.secrets.deactivate(id).await?;
    sdk.client.secrets.activate(id).await?;
    ensure_eq!(sdk.client.secrets.get(id).await?.value, "back");
    Ok(())
}

async fn restore(sdk: &Sdk) -> Result<()> {
    let id = stored(sdk, "restore", "again").await?.metadata.id;
    sdk.client.secrets.deactivate(id).await?;
    #[expect(deprecated, reason = "the deprecated name is one of the methods")]
    sdk.client.secrets.restore(id).await?;
    let read = sdk.client.secrets.get(id).await?;
    ensure!(read.metadata.is_active && read.value == "again", "not restored");
    Ok(())
}

async fn insights(sdk: &Sdk) -> Result<()> {
    let weak = stored(sdk, "insights-weak", "password").await?.metadata;
    let advice = sdk.client.secrets.insights(weak.id).await?;
    ensure_eq!(advice.secret_name, weak.name);
    ensure_eq!(advice.strength, "weak");
    ensure!(!advice.recommendations.is_empty(), "nothing to recommend for the password `password`");
    ensure!(!advice.analyzed_at.is_empty(), "no date");
    let strong = stored(sdk, "insights-strong", "pX9#vQ2!mR7$kL4@wZ8%tN3^cB6&yH1*").await?.metadata;
    let advice = sdk.client.secrets.insights(strong.id).await?;
    ensure_eq!(advice.strength, "strong");
    ensure!(["low", "medium", "high"].contains(&advice.risk_level.as_str()), "risk {:?}", advice.risk_level);
    Ok(())
}
