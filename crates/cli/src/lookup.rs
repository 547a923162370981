//! From what a person types, an id or a name, to the thing that is meant, without revealing any value.

pub mod identity;

use api::keys::{Key, ListKeys};
use api::limits::PAGE_SIZE_MAX;
use api::secrets::{ListSecrets, Secret};
use uuid::Uuid;

use crate::failure::Failure;

/// The id of a secret given by id or name.
pub async fn secret_id(client: &sdk::Client, reference: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = reference.parse() {
        return Ok(id);
    }
    let query =
        ListSecrets { search: Some(reference.to_owned()), include_inactive: Some(true), ..ListSecrets::default() };
    let found = all_secrets(client, query).await?;
    let ids: Vec<Uuid> = found.iter().filter(|secret| secret.name == reference).map(|secret| secret.id).collect();
    match ids.as_slice() {
        [id] => Ok(*id),
        [] => Err(Failure::failed(format!("no secret is called {reference}"), "`qapi secrets list`")),
        many => {
            let ids: Vec<String> = many.iter().map(Uuid::to_string).collect();
            Err(Failure::unusable(
                format!("several secrets are called {reference}"),
                format!("one of the ids {}", ids.join(" ")),
            ))
        }
    }
}

/// A key given by id or name; names are the same in any case.
pub async fn key(client: &sdk::Client, reference: &str) -> Result<Key, Failure> {
    if let Ok(id) = reference.parse() {
        return Ok(client.key(id).await?);
    }
    let query = ListKeys { search: Some(reference.to_owned()), ..ListKeys::default() };
    let found = all_keys(client, query).await?;
    let found = found.into_iter().find(|key| key.name.to_lowercase() == reference.to_lowercase());
    found.ok_or_else(|| Failure::failed(format!("no key is called {reference}"), "`qapi keys list`"))
}

/// The id of a key given by id or name.
pub async fn key_id(client: &sdk::Client, reference: &str) -> Result<Uuid, Failure> {
    match reference.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(key(client, reference).await?.id),
    }
}

/// All pages of a list of secrets.
pub async fn all_secrets(client: &sdk::Client, query: ListSecrets) -> Result<Vec<Secret>, Failure> {
    let mut all = Vec::new();
    for page in 1.. {
        let query = ListSecrets { page: Some(page), page_size: Some(PAGE_SIZE_MAX), ..query.clone() };
        let list = client.secrets(&query).await?;
        let is_empty = list.secrets.is_empty();
        all.extend(list.secrets);
        if !list.has_more || is_empty {
            break;
        }
    }
    Ok(all)
}

/// All pages of a list of keys.
pub async fn all_keys(client: &sdk::Client, query: ListKeys) -> Result<Vec<Key>, Failure> {
    let mut all = Vec::new();
    for page in 1.. {
        let query = ListKeys { page: Some(page), page_size: Some(PAGE_SIZE_MAX), ..query.clone() };
        let list = client.keys(&query).await?;
        let is_empty = list.keys.is_empty();
        all.extend(list.keys);
        if !list.has_more || is_empty {
            break;
        }
    }
    Ok(all)
}
