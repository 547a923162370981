//! Manifests and tags.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LINK};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::Client;
use super::authorization::Access;
use super::error::Error;
use super::transport::{Answer, Call, foreign, joined};
use crate::digest::Digest;
use crate::json;
use crate::manifest::{ACCEPTED, LONGEST_BYTES, Manifest};
use crate::reference::{Reference, Repository};

/// Under what a manifest is stored.
#[derive(Clone, Copy, Debug)]
pub enum Target<'t> {
    /// Under its digest.
    Digest,
    /// Under a tag, and its digest.
    Tag(&'t str),
}

/// What a registry said to a manifest that it stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// It has noted what the manifest belongs to, so that it is among the referrers of that.
    pub subject_noted: bool,
}

/// What must hold for a manifest to be stored.
pub(super) enum Condition<'c> {
    None,
    /// The tag does not exist.
    Absent,
    /// The tag still has this entity tag.
    Unchanged(&'c str),
}

/// A tag's manifest, and the entity tag by which a change of it can be told.
pub(super) struct Tagged {
    pub manifest: Manifest,
    pub etag: Option<String>,
}

const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// Registries that keep links in files read those that somebody else is just writing (Distribution 2), and then call the digest invalid. What is
/// named by its digest can be sent again.
const AGAIN: Duration = Duration::from_millis(200);
const MOST_PAGES: usize = 1_000;
const LONGEST_PAGE_BYTES: u64 = 4 << 20;

impl Client {
    /// The digest that a name stands for, if there is something of that name. A name that holds a digest is not asked about.
    ///
    /// The registry's word on what a tag means is all there is, so its header is enough here; contents that are fetched by the
    /// digest are compared with it. Without such a header the manifest is fetched and hashed.
    pub async fn resolve(&self, reference: &Reference) -> Result<Option<Digest>, Error> {
        if let Some(digest) = reference.digest() {
            return Ok(Some(digest.clone()));
        }
        let call = self.manifest_call(Method::HEAD, reference);
        let answer = self.transport().send(&call).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(self.transport().refusal("", &call, answer).await);
            }
            // Whoever cannot do HEAD can do GET.
            _ => return Ok(self.find_manifest(reference).await?.map(|manifest| manifest.digest().clone())),
        }
        match said_digest(&answer.headers) {
            Some(digest) => Ok(Some(digest)),
            None => Ok(self.find_manifest(reference).await?.map(|manifest| manifest.digest().clone())),
        }
    }

    /// The manifest of a name, hashed, if there is one.
    pub async fn find_manifest(&self, reference: &Reference) -> Result<Option<Manifest>, Error> {
        Ok(self.find_tagged(reference).await?.map(|tagged| tagged.manifest))
    }

    /// The manifest of a name, hashed. That there is none is an error.
    pub async fn manifest(&self, reference: &Reference) -> Result<Manifest, Error> {
        self.find_manifest(reference).await?.ok_or_else(|| Error::Absent(reference.to_string()))
    }

    pub(super) async fn find_tagged(&self, reference: &Reference) -> Result<Option<Tagged>, Error> {
        let call = self.manifest_call(Method::GET, reference);
        let answer = self.transport().send(&call).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.transport().refusal("", &call, answer).await),
        }
        let what = reference.to_string();
        let text = |name: HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (media_type, etag) = (text(CONTENT_TYPE).unwrap_or_default(), text(ETAG));
        let said = said_digest(&answer.headers);
        let bytes = self.transport().read(answer, LONGEST_BYTES as u64, &what).await?;
        let wanted = [reference.digest(), said.as_ref()];
        if !wanted.into_iter().flatten().all(|digest| digest.is_of(&bytes)) {
            return Err(Error::OtherContent { what, found: Digest::of(&bytes) });
        }
        let manifest = Manifest::parse(&media_type, bytes).map_err(|source| Error::Manifest { what, source })?;
        Ok(Some(Tagged { manifest, etag }))
    }

    /// Stores a manifest.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        target: Target<'_>,
        manifest: &Manifest,
    ) -> Result<Put, Error> {
        let put = self.put_manifest_if(repository, target, manifest, &Condition::None).await?;
        put.ok_or_else(|| foreign(repository.api_host(), "it speaks of a condition where there was none"))
    }

    /// Stores a manifest if the condition holds; nothing if the registry says that it does not.
    pub(super) async fn put_manifest_if(
        &self,
        repository: &Repository,
        target: Target<'_>,
        manifest: &Manifest,
        condition: &Condition<'_>,
    ) -> Result<Option<Put>, Error> {
        let is_by_digest = matches!(target, Target::Digest);
        let name = match target {
            Target::Digest => manifest.digest().to_string(),
            Target::Tag(tag) => tag.to_owned(),
        };
        let what = format!("store the manifest {name}");
        let path = format!("/v2/{}/manifests/{name}", repository.path());
        let mut call = Call::new(what, Method::PUT, repository, path).header(CONTENT_TYPE, manifest.media_type());
        call = match condition {
            Condition::None => call,
            Condition::Absent => call.header(IF_NONE_MATCH, "*"),
            Condition::Unchanged(etag) => call.header(IF_MATCH, etag),
        };
        call.body = Bytes::copy_from_slice(manifest.bytes());
        let mut answer = self.transport().send(&call).await?;
        if answer.status == StatusCode::BAD_REQUEST && is_by_digest {
            tokio::time::sleep(AGAIN).await;
            answer = self.transport().send(&call).await?;
        }
        match answer.status {
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => return Ok(None),
            status if status.is_success() => {}
            _ => return Err(self.transport().refusal("", &call, answer).await),
        }
        if let Some(digest) = said_digest(&answer.headers).filter(|digest| !digest.is_of(manifest.bytes())) {
            return Err(Error::OtherContent { what: call.what, found: digest });
        }
        let subject = answer.headers.get(OCI_SUBJECT).and_then(|value| value.to_str().ok());
        let noted = subject.zip(manifest.subject()).is_some_and(|(said, ours)| said == ours.digest.to_string());
        Ok(Some(Put { subject_noted: noted }))
    }

    /// Removes what a name stands for. Whether there was something.
    pub async fn delete_manifest(&self, reference: &Reference) -> Result<bool, Error> {
        let mut call = self.manifest_call(Method::DELETE, reference);
        call.access = Access::Push;
        let answer = self.transport().send(&call).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(self.transport().refusal("", &call, answer).await),
        }
    }

    /// Every tag of a repository; none if there is no such repository.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<String>, Error> {
        #[derive(serde::Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let mut target = Some(format!("/v2/{}/tags/list", repository.path()));
        let mut tags = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(path) = target.take() else { return Ok(tags) };
            let call = Call::new("list the tags".to_owned(), Method::GET, repository, path);
            let answer = self.transport().send(&call).await?;
            match answer.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(Vec::new()),
                _ => return Err(self.transport().refusal("", &call, answer).await),
            }
            target = next_page(&answer, &call)?;
            let body = self.transport().read(answer, LONGEST_PAGE_BYTES, "a list of tags").await?;
            let page: Page = json::read(&body, LONGEST_PAGE_BYTES as usize)
                .map_err(|_| foreign(repository.api_host(), "its list of tags is malformed"))?;
            tags.extend(page.tags.unwrap_or_default());
        }
        Err(foreign(repository.api_host(), "its list of tags has no end"))
    }

    fn manifest_call<'r>(&self, method: Method, reference: &'r Reference) -> Call<'r> {
        let name = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or_default().to_owned(),
        };
        let repository = reference.repository();
        let what = match method {
            Method::DELETE => format!("remove {reference}"),
            _ => format!("read {reference}"),
        };
        let path = format!("/v2/{}/manifests/{name}", repository.path());
        Call::new(what, method, repository, path).header(ACCEPT, ACCEPTED)
    }
}

fn said_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(DOCKER_CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

/// Where the next page of a list lies (RFC 8288), if there is one: a path of the same registry.
pub(super) fn next_page(answer: &Answer, call: &Call<'_>) -> Result<Option<String>, Error> {
    let Some(link) = answer.headers.get(LINK).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let wrong = || foreign(&answer.host, "its link to the next page leads elsewhere");
    let (target, parameters) = link.trim().strip_prefix('<').and_then(|link| link.split_once('>')).ok_or_else(wrong)?;
    if !parameters.contains("rel=\"next\"") && !parameters.contains("rel=next") {
        return Ok(None);
    }
    let base = format!("https://{}{}", answer.host, call.target).parse().map_err(|_| wrong())?;
    let next = joined(&base, target).map_err(|_| wrong())?;
    let is_same_list = next.path() == call.target.split('?').next().unwrap_or_default();
    let is_same_host = next.authority().is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(&answer.host));
    let path = next.path_and_query().map(|path| path.as_str().to_owned());
    path.filter(|_| is_same_list && is_same_host).map(Some).ok_or_else(wrong)
}
