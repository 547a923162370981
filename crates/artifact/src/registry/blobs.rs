//! Contents that are no manifests.

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};

use super::Client;
use super::authorization::Access;
use super::error::{Cause, Error};
use super::transport::{Answer, Body, Call, foreign, joined};
use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::reference::Repository;

const OCTETS: &str = "application/octet-stream";

impl Client {
    /// The content of a descriptor, of at most `limit` bytes: its announced length is judged before anything is asked, and the
    /// content against length and digest. What stands in the descriptor itself is not asked for.
    pub async fn blob(&self, repository: &Repository, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, Error> {
        let what = format!("{repository}@{}", descriptor.digest);
        if descriptor.size > limit {
            return Err(Error::TooLarge { what, limit });
        }
        if let Some(content) = descriptor.embedded() {
            return Ok(content);
        }
        let (_, answer) = self.open(repository, &descriptor.digest).await?;
        let content = self.transport().read(answer, descriptor.size, &what).await?;
        if !descriptor.digest.is_of(&content) {
            return Err(Error::OtherContent { what, found: Digest::of(&content) });
        }
        Ok(content)
    }

    /// Whether a repository holds a content.
    pub async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, Error> {
        let call = blob_call(Method::HEAD, repository, digest);
        let answer = self.transport().send(&call).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(self.transport().refusal("", &call, answer).await),
        }
    }

    /// Stores a content.
    pub async fn put_blob(&self, repository: &Repository, content: &[u8]) -> Result<(), Error> {
        let digest = Digest::of(content);
        let target = self.upload(repository, &digest).await?;
        let mut call = upload_call(repository, target, &digest);
        call.body = Bytes::copy_from_slice(content);
        let answer = self.transport().send(&call).await?;
        self.stored(&call, answer).await
    }

    /// Puts a content into another repository: not at all where it is there, by mounting within a registry, or by passing it
    /// on piece by piece, hashed on the way.
    pub async fn copy_blob(&self, from: &Repository, to: &Repository, descriptor: &Descriptor) -> Result<(), Error> {
        let digest = &descriptor.digest;
        if self.has_blob(to, digest).await? {
            return Ok(());
        }
        if from.registry() == to.registry() && self.mount(from, to, digest).await? {
            return Ok(());
        }
        // The way in is asked first, so that nothing is fetched in vain, and the proof of who we are is at hand.
        let target = self.upload(to, digest).await?;
        let (_, source) = self.open(from, digest).await?;
        let call = upload_call(to, target, digest).header(CONTENT_LENGTH, &descriptor.size.to_string());
        let answer = self.transport().send_once(&call, checked(source.body, descriptor)).await?;
        self.stored(&call, answer).await
    }

    async fn open<'c>(&self, repository: &'c Repository, digest: &Digest) -> Result<(Call<'c>, Answer), Error> {
        let call = blob_call(Method::GET, repository, digest);
        let answer = self.transport().send(&call).await?;
        match answer.status {
            StatusCode::OK => Ok((call, answer)),
            _ => Err(self.transport().refusal("", &call, answer).await),
        }
    }

    /// Where a content is to be put.
    async fn upload(&self, repository: &Repository, digest: &Digest) -> Result<String, Error> {
        let path = format!("/v2/{}/blobs/uploads/", repository.path());
        let call = Call::new(format!("store the content {digest}"), Method::POST, repository, path)
            .header(CONTENT_LENGTH, "0");
        let answer = self.transport().send(&call).await?;
        match answer.status {
            StatusCode::ACCEPTED => location(&answer, &call),
            _ => Err(self.transport().refusal("", &call, answer).await),
        }
    }

    /// Whether the registry took the content over from another repository of its own.
    async fn mount(&self, from: &Repository, to: &Repository, digest: &Digest) -> Result<bool, Error> {
        let path = format!("/v2/{}/blobs/uploads/?mount={digest}&from={}", to.path(), from.path());
        let mut call = Call::new(format!("take the content {digest} over from {from}"), Method::POST, to, path)
            .header(CONTENT_LENGTH, "0");
        call.access = Access::Mount(from);
        let answer = self.transport().send(&call).await?;
        // Whatever else it says, the content can still be put.
        Ok(answer.status == StatusCode::CREATED)
    }

    async fn stored(&self, call: &Call<'_>, answer: Answer) -> Result<(), Error> {
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(self.transport().refusal("", call, answer).await),
        }
    }
}

fn blob_call<'r>(method: Method, repository: &'r Repository, digest: &Digest) -> Call<'r> {
    let path = format!("/v2/{}/blobs/{digest}", repository.path());
    Call::new(format!("read the content {digest}"), method, repository, path)
}

fn upload_call<'r>(repository: &'r Repository, location: String, digest: &Digest) -> Call<'r> {
    let separator = if location.contains('?') { '&' } else { '?' };
    let target = format!("{location}{separator}digest={digest}");
    Call::new(format!("store the content {digest}"), Method::PUT, repository, target).header(CONTENT_TYPE, OCTETS)
}

fn location(answer: &Answer, call: &Call<'_>) -> Result<String, Error> {
    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| foreign(&answer.host, "it does not say where the content is to be put"))?;
    if location.starts_with('/') && !location.starts_with("//") {
        return Ok(location.to_owned());
    }
    // Only to be judged: the transport looks at the address again before it sends.
    let base = format!("https://{}{}", answer.host, call.target).parse();
    let base = base.map_err(|_| foreign(&answer.host, "its address is none"))?;
    joined(&base, location).map(|address| address.to_string())
}

/// A body that breaks off unless it is the content described: the last piece is held back until the whole was hashed.
fn checked(body: Incoming, descriptor: &Descriptor) -> Body {
    let wanted = descriptor.digest.clone();
    let state = Some((body, wanted.algorithm().hashing(), descriptor.size));
    let pieces = stream::unfold(state, move |state| {
        let wanted = wanted.clone();
        async move {
            let (mut body, mut hashing, left) = state?;
            let failed = |why: Cause| Some((Err(why), None));
            let data = match next_piece(&mut body).await {
                Ok(Some(data)) => data,
                Ok(None) if left == 0 => return None,
                Ok(None) => return failed("the content is shorter than announced".into()),
                Err(error) => return failed(error),
            };
            let Some(left) = left.checked_sub(data.len() as u64) else {
                return failed("the content is longer than announced".into());
            };
            hashing.update(&data);
            if left == 0 && hashing.digest() != wanted {
                return failed("the content is not the one that was asked for".into());
            }
            Some((Ok(Frame::data(data)), Some((body, hashing, left))))
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}

async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, Cause> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
