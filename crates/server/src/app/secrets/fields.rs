//! What a caller may give of a secret, checked before anything is looked up.

use std::collections::BTreeMap;

use api::limits::{CONTENT_TYPE_CHARS, LABEL_CHARS, LABELS, SECRET_DESCRIPTION_CHARS, USERNAME_CHARS};
use api::secret::SecretText;
use api::secrets as wire;
use domain::name::SecretName;
use domain::time::Timestamp;
use serde_json::Value;
use store::secrets::StoredSecret;

use super::sealed::Meta;
use crate::problem::{Outcome, Problem};

/// Addresses or custom fields of one secret.
const LIST_ITEMS: usize = 100;

/// Fields to set. What is absent stays; an empty text takes the old one away.
#[derive(Default)]
pub struct Fields {
    pub name: Option<SecretName>,
    pub description: Option<String>,
    pub content_type: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub labels: Option<Vec<String>>,
    pub username: Option<SecretText>,
    pub notes: Option<SecretText>,
    pub urls: Option<Vec<Value>>,
    pub custom_fields: Option<Vec<Value>>,
    pub metadata: Option<BTreeMap<String, String>>,
    pub totp_secret: Option<SecretText>,
    pub is_favorite: Option<bool>,
}

impl Fields {
    /// Takes a creation apart into its fields and the value.
    pub fn of_creation(request: wire::CreateSecret) -> Outcome<(Self, SecretText)> {
        let fields = Self {
            name: Some(SecretName::parse(&request.name)?),
            description: request.description,
            content_type: request.content_type,
            expires_at: request.expires_at.map(Timestamp::from),
            labels: request.labels,
            username: request.username,
            notes: request.notes,
            urls: request.urls,
            custom_fields: request.custom_fields,
            metadata: request.metadata,
            totp_secret: request.totp_secret,
            is_favorite: None,
        };
        Ok((fields.checked()?, request.value))
    }

    /// Takes an item of an import apart.
    pub fn of_import(item: wire::ImportSecret) -> Outcome<(Self, SecretText)> {
        let fields = Self {
            name: Some(SecretName::parse(&item.name)?),
            description: item.description,
            content_type: item.content_type,
            labels: item.labels,
            ..Self::default()
        };
        Ok((fields.checked()?, item.value))
    }

    /// Checks a change.
    pub fn of_update(request: wire::UpdateSecret) -> Outcome<Self> {
        let fields = Self {
            name: request.name.as_deref().map(SecretName::parse).transpose()?,
            description: request.description,
            content_type: request.content_type,
            expires_at: request.expires_at.map(Timestamp::from),
            labels: request.labels,
            username: request.username,
            notes: request.notes,
            urls: request.urls,
            custom_fields: request.custom_fields,
            metadata: None,
            totp_secret: request.totp_secret,
            is_favorite: request.is_favorite,
        };
        fields.checked()
    }

    fn checked(mut self) -> Outcome<Self> {
        at_most("description", self.description.as_deref(), SECRET_DESCRIPTION_CHARS)?;
        at_most("contentType", self.content_type.as_deref(), CONTENT_TYPE_CHARS)?;
        at_most("username", self.username.as_ref().map(SecretText::expose), USERNAME_CHARS)?;
        if self.content_type.as_deref().is_some_and(|text| text.chars().any(char::is_control)) {
            return Err(Problem::invalid("contentType must not hold control characters."));
        }
        self.labels = self.labels.map(checked_labels).transpose()?;
        self.urls = self.urls.map(textual).transpose()?;
        if [&self.urls, &self.custom_fields]
            .iter()
            .any(|list| list.as_ref().is_some_and(|list| list.len() > LIST_ITEMS))
        {
            return Err(Problem::invalid(format!("urls and customFields have at most {LIST_ITEMS} items each.")));
        }
        Ok(self)
    }

    /// Sets the fields of a secret that was read before.
    pub fn apply(&self, secret: &mut StoredSecret, meta: &mut Meta) -> Outcome<()> {
        if let Some(name) = &self.name {
            name.as_str().clone_into(&mut secret.name);
        }
        if let Some(content_type) = &self.content_type {
            secret.content_type = Some(content_type.clone()).filter(|text| !text.is_empty());
        }
        if let Some(labels) = &self.labels {
            secret.labels =
                serde_json::to_string(labels).map_err(|error| Problem::internal("storing labels", error))?;
        }
        secret.expires_at = self.expires_at.or(secret.expires_at);
        secret.is_favorite = self.is_favorite.unwrap_or(secret.is_favorite);
        self.apply_sealed(meta);
        secret.has_totp = meta.totp_secret.is_some();
        Ok(())
    }

    fn apply_sealed(&self, meta: &mut Meta) {
        if let Some(description) = &self.description {
            meta.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
        set_text(&mut meta.username, self.username.as_ref());
        set_text(&mut meta.notes, self.notes.as_ref());
        set_text(&mut meta.totp_secret, self.totp_secret.as_ref());
        for (given, kept) in [(&self.urls, &mut meta.urls), (&self.custom_fields, &mut meta.custom_fields)] {
            if given.is_some() {
                kept.clone_from(given);
            }
        }
        if self.metadata.is_some() {
            meta.metadata.clone_from(&self.metadata);
        }
    }
}

fn set_text(kept: &mut Option<SecretText>, given: Option<&SecretText>) {
    if let Some(given) = given {
        *kept = (!given.is_empty()).then(|| SecretText::copy_from(given.expose()));
    }
}

fn at_most(field: &str, text: Option<&str>, chars: usize) -> Outcome<()> {
    if text.is_some_and(|text| text.chars().count() > chars) {
        return Err(Problem::invalid(format!("{field} has at most {chars} characters.")));
    }
    Ok(())
}

/// Labels are a set: said twice is said once.
fn checked_labels(labels: Vec<String>) -> Outcome<Vec<String>> {
    let mut set: Vec<String> = Vec::with_capacity(labels.len());
    for label in labels {
        let length = label.chars().count();
        if length == 0 || length > LABEL_CHARS || label.chars().any(char::is_control) {
            return Err(Problem::invalid(format!(
                "A label has 1 to {LABEL_CHARS} characters and no control characters."
            )));
        }
        if !set.contains(&label) {
            set.push(label);
        }
    }
    if set.len() > LABELS {
        return Err(Problem::invalid(format!("A secret has at most {LABELS} labels.")));
    }
    Ok(set)
}

/// One installed client reads `urls` as objects of texts and nothing else: numbers and flags are stored as texts, deeper
/// things are refused (contract 4.3).
fn textual(urls: Vec<Value>) -> Outcome<Vec<Value>> {
    urls.into_iter().map(textual_url).collect()
}

fn textual_url(url: Value) -> Outcome<Value> {
    let members = match url {
        Value::String(address) => return Ok(serde_json::json!({ "url": address })),
        Value::Object(members) => members,
        _ => return Err(Problem::invalid("urls holds objects of texts.")),
    };
    let texts = members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| match value {
        Value::String(text) => Ok((name, Value::String(text))),
        Value::Bool(_) | Value::Number(_) => Ok((name, Value::String(value.to_string()))),
        _ => Err(Problem::invalid("urls holds objects of texts.")),
    });
    texts.collect::<Outcome<serde_json::Map<_, _>>>().map(Value::Object)
}

#[cfg(test)]
mod tests {
    use api::error::ErrorCode;
    use serde_json::json;

    use super::*;

    fn update(body: &str) -> Outcome<Fields> {
        Fields::of_update(api::casing::from_slice_any_case(body.as_bytes()).unwrap())
    }

    #[test]
    fn fields_outside_their_limits_are_refused() {
        let long = "x".repeat(256);
        for body in [
            format!(r#"{{"name":"{long}"}}"#),
            format!(r#"{{"username":"{long}"}}"#),
            format!(r#"{{"contentType":"{long}"}}"#),
            r#"{"name":""}"#.to_owned(),
            r#"{"contentType":"a\u0000b"}"#.to_owned(),
            r#"{"labels":[""]}"#.to_owned(),
            r#"{"urls":[3]}"#.to_owned(),
            r#"{"urls":[{"a":{}}]}"#.to_owned(),
        ] {
            let refused = update(&body).err().unwrap();
            assert_eq!(refused.code, ErrorCode::InvalidRequest, "{body}");
        }
    }

    #[test]
    fn urls_become_objects_of_texts_and_labels_a_set() {
        let fields =
            update(r#"{"urls":["https://a",{"url":"https://b","main":true,"none":null}],"labels":["a","b","a"]}"#)
                .unwrap();
        assert_eq!(fields.urls, Some(vec![json!({"url": "https://a"}), json!({"url": "https://b", "main": "true"})]));
        assert_eq!(fields.labels, Some(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn absent_stays_and_empty_takes_away() {
        let mut meta =
            Meta { description: Some("old".into()), notes: Some(SecretText::copy_from("old")), ..Meta::default() };
        update("{}").unwrap().apply_sealed(&mut meta);
        assert_eq!(meta.description.as_deref(), Some("old"));
        update(r#"{"description":"","notes":""}"#).unwrap().apply_sealed(&mut meta);
        assert!(meta.description.is_none() && meta.notes.is_none());
    }
}
