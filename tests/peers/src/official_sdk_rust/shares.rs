use anyhow::{Context as _, Result, ensure};
use quantumapi::clients::secrets::{DEFAULT_PORTAL_URL, build_share_url, portal_url_from_api_base};
use quantumapi::{CreateShareLinkRequest, Error};

use crate::secrets::stored;
use crate::tally::Tally;
use crate::{Sdk, ensure_eq, ensure_error};

pub async fn run(sdk: &Sdk, tally: &mut Tally) {
    tally.check("secrets.build_share_url", built_url()).await;
    tally.check("secrets.portal_url_from_api_base", portal_url()).await;
    tally.check("secrets.create_share_link", create(sdk)).await;
    tally.check("secrets.list_share_links", list(sdk)).await;
    tally.check("secrets.revoke_share_link", revoke(sdk)).await;
    tally.check("secrets.open_share_link", open(sdk)).await;
    tally.check("secrets.share_url", share_url(sdk)).await;
}

async fn built_url() -> Result<()> {
    ensure_eq!(build_share_url("a/b", "https://vault.example/"), "https://vault.example/share/a%2Fb");
    Ok(())
}

async fn portal_url() -> Result<()> {
    ensure_eq!(portal_url_from_api_base("https://api.example.eu"), "https://portal.example.eu");
    Ok(())
}

async fn create(sdk: &Sdk) -> Result<()> {
    let secret = stored(sdk, "share", "shared").await?.metadata;
    let request = CreateShareLinkRequest::builder().expires_in_hours(2).max_access(3).password("open").build();
    let link = sdk.client.secrets.create_share_link(secret.id, request).await?;
    ensure!(link.token.len() >= 22, "a token of {} characters can be guessed", link.token.len());
    ensure_eq!(link.secret_id, Some(secret.id));
    ensure_eq!(link.max_access, Some(3));
    ensure!(link.has_password, "the password was dropped");
    ensure_eq!((link.expires_at - link.created_at).num_minutes(), 120);
    let url = link.url.context("no url")?;
    ensure!(url.ends_with(&format!("/share/{}", link.token)), "the url {url} does not open the link");
    ensure!(!url.starts_with(DEFAULT_PORTAL_URL), "the url sends the token to the vendor's portal");
    let plain = sdk.client.secrets.create_share_link(secret.id, CreateShareLinkRequest::default()).await?;
    ensure_eq!((plain.expires_at - plain.created_at).num_hours(), 24);
    ensure_eq!((plain.max_access, plain.has_password), (None, false));
    Ok(())
}

async fn list(sdk: &Sdk) -> Result<()> {
    let secret = stored(sdk, "share-list", "shared").await?.metadata;
    let request = || CreateShareLinkRequest::builder().max_access(5).build();
    let older = sdk.client.secrets.create_share_link(secret.id, request()).await?;
    let newer = sdk.client.secrets.create_share_link(secret.id, request()).await?;
    sdk.client.secrets.open_share_link(&older.token, None).await?;
    let listed = sdk.client.secrets.list_share_links(secret.id).await?;
    ensure_eq!(listed.total, 2);
    ensure_eq!(listed.links.iter().map(|link| link.id).collect::<Vec<_>>(), vec![newer.id, older.id]);
    ensure_eq!(listed.links.iter().map(|link| link.access_count).collect::<Vec<_>>(), vec![0, 1]);
    for link in &listed.links {
        ensure_eq!(link.token, "");
        ensure_eq!(link.status.as_deref(), Some("Active"));
        ensure_eq!(link.max_access, Some(5));
        ensure!(link.created_by.is_some(), "nobody made it");
    }
    Ok(())
}

async fn revoke(sdk: &Sdk) -> Result<()> {
    let secret = stored(sdk, "share-revoke", "shared").await?.metadata;
    let link = sdk.client.secrets.create_share_link(secret.id, CreateShareLinkRequest::default()).await?;
    ensure!(sdk.client.secrets.revoke_share_link(link.id).await?, "not confirmed");
    ensure_error!(sdk.client.secrets.open_share_link(&link.token, None).await, Error::NotFound { .. });
    let listed = sdk.client.secrets.list_share_links(secret.id).await?;
    ensure_eq!(listed.links[0].status.as_deref(), Some("Revoked"));
    Ok(())
}

async fn open(sdk: &Sdk) -> Result<()> {
    let secret = stored(sdk, "share-open", "shared value").await?.metadata;
    let request = CreateShareLinkRequest::builder().max_access(1).password("p w").build();
    let link = sdk.client.secrets.create_share_link(secret.id, request).await?;
    ensure_eq!(refusal(sdk, &link.token, None).await?, ("password_required".to_owned(), 400));
    ensure_eq!(refusal(sdk, &link.token, Some("no")).await?, ("invalid_password".to_owned(), 400));
    let opened = sdk.client.secrets.open_share_link(&link.token, Some("p w")).await?;
    ensure_eq!((opened.value.as_str(), opened.access_count), ("shared value", 1));
    ensure_eq!(opened.expires_at.map(|at| at.timestamp()), Some(link.expires_at.timestamp()));
    ensure_eq!(refusal(sdk, &link.token, Some("p w")).await?, ("link_exhausted".to_owned(), 400));
    ensure_error!(sdk.client.secrets.open_share_link("no-such-token", None).await, Error::NotFound { .. });
    Ok(())
}

async fn refusal(sdk: &Sdk, token: &str, password: Option<&str>) -> Result<(String, u16)> {
    match sdk.client.secrets.open_share_link(token, password).await {
        Err(Error::ShareLink { code, status, .. }) => Ok((code, status)),
        other => anyhow::bail!("not a share link error: {other:?}"),
    }
}

/// What the SDK builds by itself; the server cannot change it, which is why the link also carries a `url`.
async fn share_url(sdk: &Sdk) -> Result<()> {
    let secret = stored(sdk, "share-url", "shared").await?.metadata;
    let link = sdk.client.secrets.create_share_link(secret.id, CreateShareLinkRequest::default()).await?;
    let url = sdk.client.secrets.share_url(&link.token, Some("https://vault.example"));
    ensure_eq!(url, format!("https://vault.example/share/{}", link.token));
    Ok(())
}
