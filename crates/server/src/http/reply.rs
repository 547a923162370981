//! Answers: a body in the caller's casing, and the headers that go with it.

use api::casing::{Casing, to_vec, to_vec_of};
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::ctx::Origin;
use crate::problem::{Outcome, Problem};

/// What every handler returns.
pub type Answer = Result<Reply, Problem>;

/// A successful answer.
pub struct Reply(Response);

/// Marks an answer of a route that may show a value once, and did not this time: it may be given again.
#[derive(Clone, Copy, Debug)]
pub struct ShowsNothing;

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Reply {
    /// 200 with a body.
    pub fn ok<T: Serialize>(origin: &Origin, body: &T) -> Answer {
        Self::json(StatusCode::OK, origin.casing(), body)
    }

    /// 201 with a body and where to find it again.
    pub fn created<T: Serialize>(origin: &Origin, location: String, body: &T) -> Answer {
        Self::json(StatusCode::CREATED, origin.casing(), body)?.header(LOCATION, &location)
    }

    /// 204: clients that expect nothing fail on anything else (rule 5).
    pub fn empty() -> Answer {
        Ok(Self(StatusCode::NO_CONTENT.into_response()))
    }

    /// A file, made for this caller alone.
    pub fn download(content_type: &'static str, name: &'static str, body: Body) -> Answer {
        let mut reply = Self::raw(content_type, body);
        reply.0.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply.header(CONTENT_DISPOSITION, &format!("attachment; filename={name}"))
    }

    /// A body of another media type.
    pub fn raw(content_type: &'static str, body: impl Into<Body>) -> Self {
        let mut response = Response::new(body.into());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self(response)
    }

    /// A JSON body of any status.
    pub fn json<T: Serialize>(status: StatusCode, casing: Casing, body: &T) -> Answer {
        Self::written(status, to_vec(body, casing))
    }

    /// 201 with a long body, of about so many bytes.
    pub fn created_long<T: Serialize>(origin: &Origin, location: String, length: usize, body: &T) -> Answer {
        Self::written(StatusCode::CREATED, to_vec_of(length, body, origin.casing()))?.header(LOCATION, &location)
    }

    fn written(status: StatusCode, body: serde_json::Result<Vec<u8>>) -> Answer {
        let bytes = body.map_err(|error| Problem::internal("writing an answer", error))?;
        let mut reply = Self::raw("application/json", bytes);
        *reply.0.status_mut() = status;
        // Values, keys and plaintexts are in these bodies: no cache may keep them.
        reply.0.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(reply)
    }

    /// Adds the entity tag of a revision (RFC 9110, 8.8.3).
    pub fn tagged(self, revision: i64) -> Answer {
        self.header(ETAG, &format!("\"{revision}\""))
    }

    /// The same with another status.
    pub fn status(mut self, status: StatusCode) -> Self {
        *self.0.status_mut() = status;
        self
    }

    /// Says that nothing in the body is shown only this once.
    pub fn shows_nothing(mut self) -> Self {
        self.0.extensions_mut().insert(ShowsNothing);
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: &str) -> Answer {
        let value = HeaderValue::from_str(value).map_err(|error| Problem::internal("writing a header", error))?;
        self.0.headers_mut().insert(name, value);
        Ok(self)
    }
}

/// The revision that `If-Match` asks for, if it asks (RFC 9110, 13.1.1).
pub fn if_match(headers: &axum::http::HeaderMap) -> Outcome<Option<i64>> {
    let Some(value) = headers.get("if-match") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let tag = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    tag.map(Some).ok_or_else(|| Problem::invalid("If-Match must be an entity tag that this server gave, or *."))
}
