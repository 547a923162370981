//! Secrets as the wire shows them.

use api::secret::SecretText;
use api::secrets as wire;
use api::time::WireTime;
use store::secrets::StoredSecret;

use super::sealed::Meta;
use crate::problem::{Outcome, Problem};

/// Something with the revision it was read at, for its entity tag.
pub struct Tagged<T> {
    pub body: T,
    pub revision: i64,
}

/// The fields that are sent on demand only (contract 2.7); everything else always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Include {
    created_by: bool,
    updated_by: bool,
}

impl Include {
    /// Reads comma-separated tokens; names of fields that are always sent change nothing.
    pub fn parse(text: Option<&str>) -> Self {
        let mut include = Self::default();
        for token in text.unwrap_or_default().split(',').map(str::trim) {
            let everything = token.eq_ignore_ascii_case("all") || token.eq_ignore_ascii_case("metadata");
            include.created_by |= everything || token.eq_ignore_ascii_case("createdBy");
            include.updated_by |= everything || token.eq_ignore_ascii_case("updatedBy");
        }
        include
    }
}

/// How much of what is sealed is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// All but value and seed.
    Everything,
    /// Description and user name: what a list needs to tell secrets apart.
    Overview,
    /// Nothing: the caller may write and not read.
    Plain,
}

/// A secret with a value of it.
pub fn with_value(
    secret: StoredSecret,
    meta: Meta,
    version: u32,
    value: SecretText,
    include: Include,
) -> Outcome<Tagged<wire::SecretWithValue>> {
    let body = wire::SecretWithValue {
        id: secret.id.uuid(),
        labels: Some(labels(&secret.labels)?),
        name: secret.name,
        value,
        version,
        created_at: secret.created_at.into(),
        is_active: secret.is_active,
        updated_at: Some(secret.updated_at.into()),
        expires_at: secret.expires_at.map(WireTime::from),
        description: meta.description,
        content_type: secret.content_type,
        username: meta.username,
        notes: meta.notes,
        urls: meta.urls,
        custom_fields: meta.custom_fields,
        metadata: meta.metadata,
        is_favorite: secret.is_favorite,
        has_totp: secret.has_totp,
        totp_secret: meta.totp_secret,
        created_by: include.created_by.then_some(meta.created_by),
        updated_by: include.updated_by.then_some(meta.updated_by),
    };
    Ok(Tagged { body, revision: secret.revision })
}

/// A secret without its value.
pub fn without_value(secret: StoredSecret, meta: Meta, depth: Depth) -> Outcome<wire::Secret> {
    let all = depth == Depth::Everything;
    let overview = depth != Depth::Plain;
    Ok(wire::Secret {
        id: secret.id.uuid(),
        labels: Some(labels(&secret.labels)?),
        name: secret.name,
        version: secret.version,
        created_at: secret.created_at.into(),
        is_active: secret.is_active,
        updated_at: Some(secret.updated_at.into()),
        expires_at: secret.expires_at.map(WireTime::from),
        description: meta.description.filter(|_| overview),
        content_type: secret.content_type,
        username: meta.username.filter(|_| overview),
        notes: meta.notes.filter(|_| all),
        urls: meta.urls.filter(|_| all),
        custom_fields: meta.custom_fields.filter(|_| all),
        metadata: meta.metadata.filter(|_| all),
        is_favorite: secret.is_favorite,
        has_totp: secret.has_totp,
        created_by: None,
        updated_by: None,
    })
}

/// Labels as they are stored.
pub fn labels(json: &str) -> Outcome<Vec<String>> {
    serde_json::from_str(json).map_err(|_| Problem::internal("reading a secret", "its labels are not a list of texts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_shown_on_demand_only() {
        for (text, created_by, updated_by) in [
            (None, false, false),
            (Some("description,notes"), false, false),
            (Some("createdBy, notes"), true, false),
            (Some("UPDATEDBY"), false, true),
            (Some("all"), true, true),
            (Some("metadata"), true, true),
        ] {
            assert_eq!(Include::parse(text), Include { created_by, updated_by }, "{text:?}");
        }
    }
}
