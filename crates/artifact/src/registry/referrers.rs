//! What belongs to a content (distribution specification 1.1, "Listing referrers" and "Referrers tag schema").
//!
//! A registry that knows referrers lists them by itself. For one that does not, the list is an index under the digest's tag,
//! which every writer has to keep up. What stands in either list beside the digests is a hint: artifact types are reported
//! wrongly, and annotations are missing from old entries.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, StatusCode};
use serde_json::Value;

use super::Client;
use super::error::Error;
use super::manifests::{Target, next_page};
use super::transport::{Call, foreign};
use crate::digest::Digest;
use crate::json;
use crate::manifest::{Content, Descriptor, INDEX, Index, LONGEST_BYTES, Manifest};
use crate::reference::Repository;

/// What belongs to a content, as far as its registry tells.
#[derive(Clone, Debug, Default)]
pub struct Referrers {
    /// The manifests.
    pub manifests: Vec<Descriptor>,
    /// Whether the registry keeps the list itself.
    pub is_native: bool,
}

const MOST_PAGES: usize = 100;
const MOST_REFERRERS: usize = 10_000;

impl Client {
    /// What belongs to a content: from the registry's own list, or from the index under the digest's tag where it keeps none.
    pub async fn referrers(&self, repository: &Repository, digest: &Digest) -> Result<Referrers, Error> {
        if !self.is_without_referrers(repository)
            && let Some(manifests) = self.native_referrers(repository, digest).await?
        {
            return Ok(Referrers { manifests, is_native: true });
        }
        let name = repository.tagged(&digest.as_tag()).map_err(|error| Error::Config(error.to_string()))?;
        let manifests = match self.find_manifest(&name).await? {
            Some(manifest) => manifest.manifests().to_vec(),
            None => Vec::new(),
        };
        Ok(Referrers { manifests, is_native: false })
    }

    /// Stores manifests that belong to something, and sees to it that they are listed as such, whoever writes at the same
    /// time. They are stored in the order given. Where the registry keeps no list, all are added to ours at once.
    pub async fn put_referrers(&self, repository: &Repository, manifests: &[Manifest]) -> Result<(), Error> {
        let mut unlisted = Vec::new();
        for manifest in manifests {
            let put = self.put_manifest(repository, Target::Digest, manifest).await?;
            if !put.subject_noted {
                unlisted.push(manifest);
            }
        }
        let subjects: BTreeSet<&Digest> =
            unlisted.iter().filter_map(|manifest| manifest.subject()).map(|subject| &subject.digest).collect();
        for subject in subjects {
            let of_subject =
                unlisted.iter().filter(|manifest| manifest.subject().is_some_and(|s| s.digest == *subject));
            let ours: Vec<&Descriptor> = of_subject.map(|manifest| manifest.descriptor()).collect();
            self.list(repository, subject, &ours).await?;
        }
        Ok(())
    }

    /// Adds manifests to the list of a registry that keeps none. Some keep one and do not say so when they store a manifest.
    async fn list(&self, repository: &Repository, subject: &Digest, ours: &[&Descriptor]) -> Result<(), Error> {
        if !self.is_without_referrers(repository)
            && let Some(listed) = self.native_referrers(repository, subject).await?
            && ours.iter().all(|ours| listed.iter().any(|listed| listed.digest == ours.digest))
        {
            return Ok(());
        }
        let changed = self.add_to_tag(repository, subject, ours, &BTreeSet::new()).await;
        // A registry that looks whether all entries are there stores no list with one that somebody has deleted since.
        if changed.as_ref().is_err_and(names_what_is_gone) {
            let gone = self.gone(repository, subject).await?;
            if !gone.is_empty() {
                return self.add_to_tag(repository, subject, ours, &gone).await;
            }
        }
        changed
    }

    async fn add_to_tag(
        &self,
        repository: &Repository,
        subject: &Digest,
        ours: &[&Descriptor],
        gone: &BTreeSet<Digest>,
    ) -> Result<(), Error> {
        let what = || format!("the list of what belongs to {repository}@{subject}");
        self.change_tag(repository, &subject.as_tag(), |present| {
            with_entries(present, ours, gone).map_err(|source| Error::Manifest { what: what(), source })
        })
        .await
    }

    /// The entries of a list that the registry says it does not have.
    async fn gone(&self, repository: &Repository, subject: &Digest) -> Result<BTreeSet<Digest>, Error> {
        let name = repository.tagged(&subject.as_tag()).map_err(|error| Error::Config(error.to_string()))?;
        let listed = self.find_manifest(&name).await?;
        let mut gone = BTreeSet::new();
        for entry in listed.iter().flat_map(|list| list.manifests()) {
            if self.find_manifest(&repository.at(entry.digest.clone())).await?.is_none() {
                gone.insert(entry.digest.clone());
            }
        }
        Ok(gone)
    }

    /// The registry's own list; nothing if it keeps none.
    async fn native_referrers(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        let mut target = Some(format!("/v2/{}/referrers/{digest}", repository.path()));
        let mut found = Vec::new();
        for page in 0..MOST_PAGES {
            let Some(path) = target.take() else { return Ok(Some(found)) };
            let call = Call::new(format!("list what belongs to {digest}"), Method::GET, repository, path);
            let call = call.header(ACCEPT, INDEX);
            let answer = self.transport().send(&call).await?;
            let is_index = answer.headers.get(CONTENT_TYPE).is_some_and(|kind| {
                kind.to_str().is_ok_and(|kind| kind.split(';').next().unwrap_or_default().trim() == INDEX)
            });
            match answer.status {
                StatusCode::OK if is_index => {}
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    return Err(self.transport().refusal("", &call, answer).await);
                }
                // Specified is 404; other registries say in other ways that they do not know the question.
                _ if page == 0 => {
                    let is_unknown = answer.status == StatusCode::NOT_FOUND;
                    let body = self.transport().read(answer, LONGEST_BYTES as u64, "an error").await?;
                    // One that knows the question and not the repository says so in JSON.
                    if is_unknown && json::value(&body, LONGEST_BYTES).is_err() {
                        self.remember_without_referrers(repository);
                    }
                    return Ok(None);
                }
                _ => return Err(self.transport().refusal("", &call, answer).await),
            }
            target = next_page(&answer, &call)?;
            let what = format!("what belongs to {repository}@{digest}");
            let body = self.transport().read(answer, LONGEST_BYTES as u64, &what).await?;
            let page = Manifest::parse(INDEX, body).map_err(|source| Error::Manifest { what, source })?;
            found.extend_from_slice(page.manifests());
            if found.len() > MOST_REFERRERS {
                break;
            }
        }
        Err(foreign(repository.api_host(), "its list of referrers has no end"))
    }

    fn is_without_referrers(&self, repository: &Repository) -> bool {
        let known = self.shared.without_referrers.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(repository.api_host())
    }

    fn remember_without_referrers(&self, repository: &Repository) {
        let mut known = self.shared.without_referrers.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(repository.api_host().to_owned());
    }
}

/// Whether a registry refused a list because something that stands in it does not exist.
fn names_what_is_gone(error: &Error) -> bool {
    matches!(error, Error::Refused { message, .. } if message.contains("BLOB_UNKNOWN") || message.contains("MANIFEST_UNKNOWN"))
}

/// The index with our entries, or nothing if they are in it. What others have written stays as it is, whatever it says, unless it
/// is known to be gone.
fn with_entries(
    present: Option<&Manifest>,
    ours: &[&Descriptor],
    gone: &BTreeSet<Digest>,
) -> Result<Option<Manifest>, crate::manifest::NotAManifest> {
    let Some(present) = present else {
        return Index::new(ours.iter().map(|&entry| entry.clone()).collect()).to_manifest().map(Some);
    };
    let Content::Index(index) = present.content() else {
        return Err(crate::manifest::NotAManifest::OtherType(present.media_type().to_owned()));
    };
    let missing: Vec<_> =
        ours.iter().filter(|entry| !index.manifests.iter().any(|listed| listed.digest == entry.digest)).collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let malformed = |error| crate::manifest::NotAManifest::Malformed(json::Malformed::Json(error));
    let mut document = json::value(present.bytes(), LONGEST_BYTES).map_err(crate::manifest::NotAManifest::Malformed)?;
    let is_there = |entry: &Value| {
        let digest = entry.get("digest").and_then(Value::as_str);
        !gone.iter().any(|gone| digest == Some(gone.to_string().as_str()))
    };
    if let Some(Value::Array(entries)) = document.get_mut("manifests") {
        entries.retain(is_there);
    }
    for entry in missing {
        let entry = serde_json::to_value(entry).map_err(malformed)?;
        match document.get_mut("manifests") {
            Some(Value::Array(entries)) => entries.push(entry),
            _ => document["manifests"] = Value::Array(vec![entry]),
        }
    }
    Manifest::parse(present.media_type(), document.to_string().into_bytes()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{EMPTY, EMPTY_CONTENT, Image};

    #[test]
    fn what_others_have_listed_stays_as_it_is() {
        let entry = |text: &[u8]| {
            Image::new(Descriptor::of(EMPTY, EMPTY_CONTENT), vec![Descriptor::of("a/b", text)]).to_manifest().unwrap()
        };
        let (theirs, ours) = (entry(b"theirs"), entry(b"ours"));
        let document = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"mediaType":"x/y","digest":"{}","size":1,"urls":["u"]}}],"unknown":1}}"#,
            theirs.digest()
        );
        let present = Manifest::parse(INDEX, document.into_bytes()).unwrap();
        let none = BTreeSet::new();
        let merged = with_entries(Some(&present), &[ours.descriptor()], &none).unwrap().unwrap();
        let text = String::from_utf8(merged.bytes().to_vec()).unwrap();
        assert!(text.contains(r#""urls":["u"]"#) && text.contains(r#""unknown":1"#), "{text}");
        assert_eq!(merged.manifests().len(), 2);
        assert!(with_entries(Some(&merged), &[ours.descriptor()], &none).unwrap().is_none());
        let gone = BTreeSet::from([theirs.digest().clone()]);
        let healed = with_entries(Some(&present), &[ours.descriptor()], &gone).unwrap().unwrap();
        assert_eq!(healed.manifests(), [ours.descriptor().clone()]);
        let first = with_entries(None, &[ours.descriptor()], &none).unwrap().unwrap();
        assert_eq!(first.manifests(), [ours.descriptor().clone()]);
        assert!(with_entries(Some(&theirs), &[ours.descriptor()], &none).is_err());
    }
}
