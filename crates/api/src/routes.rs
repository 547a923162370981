//! Every route, once: method, path, who may call it, what goes in and out.
//!
//! The server mounts these constants, the SDK fills in their paths, the published document is made of them. A path
//! parameter is `{name}`; one that takes slashes is `{*name}`.

pub mod applications;
pub mod certificates;
pub mod encryption;
mod endpoint;
pub mod gate_tickets;
pub mod keys;
pub mod oidc;
pub mod people;
pub mod platform;
pub mod secrets;
pub mod transit;
pub mod trusts;

use schemars::{JsonSchema, Schema, SchemaGenerator};

pub use self::endpoint::Endpoint;
use crate::error::ErrorCode;

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or acts.
    Post,
    /// Replaces.
    Put,
    /// Changes what is given.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// As it stands on the request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Anonymous,
    /// Any valid credential.
    Authenticated,
    /// A service's own certificate, shown in the handshake of the mTLS listener.
    Certificate,
    /// A credential with this scope.
    Scope(&'static str),
}

/// Makes the schema of a body or query.
pub type SchemaFn = fn(&mut SchemaGenerator) -> Schema;

/// What a route answers with.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// Nothing: 204.
    Nothing,
    /// JSON of this schema.
    Json(SchemaFn),
    /// Another content type, or one of several with `, ` between them.
    Media(&'static str),
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its name in the published document.
    pub operation_id: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path, as the server's router spells it.
    pub path: &'static str,
    /// The product area it belongs to.
    pub tag: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Its query.
    pub query: Option<SchemaFn>,
    /// Its body.
    pub request: Option<SchemaFn>,
    /// Its answer.
    pub answer: Answer,
    /// The status of success.
    pub status: u16,
    /// Codes it can refuse with, beside those of every route.
    pub errors: &'static [ErrorCode],
    /// Whether it speaks OAuth: it takes forms, and refuses with OAuth's error object.
    pub is_oauth: bool,
}

impl Route {
    const fn new(method: Method, operation_id: &'static str, path: &'static str, tag: &'static str) -> Self {
        Self {
            operation_id,
            method,
            path,
            tag,
            access: Access::Authenticated,
            summary: "",
            query: None,
            request: None,
            answer: Answer::Nothing,
            status: 204,
            errors: &[],
            is_oauth: false,
        }
    }

    const fn get(operation_id: &'static str, path: &'static str, tag: &'static str) -> Self {
        Self::new(Method::Get, operation_id, path, tag)
    }

    const fn post(operation_id: &'static str, path: &'static str, tag: &'static str) -> Self {
        Self::new(Method::Post, operation_id, path, tag)
    }

    const fn put(operation_id: &'static str, path: &'static str, tag: &'static str) -> Self {
        Self::new(Method::Put, operation_id, path, tag)
    }

    const fn patch(operation_id: &'static str, path: &'static str, tag: &'static str) -> Self {
        Self::new(Method::Patch, operation_id, path, tag)
    }

    const fn delete(operation_id: &'static str, path: &'static str, tag: &'static str) -> Self {
        Self::new(Method::Delete, operation_id, path, tag)
    }

    const fn anonymous(mut self) -> Self {
        self.access = Access::Anonymous;
        self
    }

    const fn by_certificate(mut self) -> Self {
        self.access = Access::Certificate;
        self
    }

    const fn by_oauth(mut self) -> Self {
        self.is_oauth = true;
        self
    }

    const fn redirects(mut self) -> Self {
        self.answer = Answer::Media("text/html");
        self.status = 303;
        self
    }

    const fn done(mut self) -> Self {
        self.answer = Answer::Media("application/json");
        self.status = 200;
        self
    }

    const fn scope(mut self, scope: &'static str) -> Self {
        self.access = Access::Scope(scope);
        self
    }

    const fn does(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    const fn asks(mut self, query: SchemaFn) -> Self {
        self.query = Some(query);
        self
    }

    const fn takes(mut self, request: SchemaFn) -> Self {
        self.request = Some(request);
        self
    }

    const fn answers(mut self, response: SchemaFn) -> Self {
        self.answer = Answer::Json(response);
        self.status = 200;
        self
    }

    const fn creates(mut self, response: SchemaFn) -> Self {
        self.answer = Answer::Json(response);
        self.status = 201;
        self
    }

    const fn streams(mut self, media: &'static str) -> Self {
        self.answer = Answer::Media(media);
        self.status = 200;
        self
    }

    const fn fails(mut self, errors: &'static [ErrorCode]) -> Self {
        self.errors = errors;
        self
    }

    /// The scope a credential needs, if any.
    pub const fn required_scope(&self) -> Option<&'static str> {
        match self.access {
            Access::Scope(scope) => Some(scope),
            Access::Anonymous | Access::Authenticated | Access::Certificate => None,
        }
    }

    /// The path as the published document spells it: without the mark of parameters that take slashes.
    pub fn published_path(&self) -> String {
        self.path.replace("{*", "{")
    }

    /// Whether a request can be sent again under a key: one that does something for whoever has an API key, and answers
    /// with something that can be kept.
    pub fn takes_idempotency_key(&self) -> bool {
        let by_key = !matches!(self.access, Access::Anonymous | Access::Certificate);
        self.method == Method::Post && by_key && !matches!(self.answer, Answer::Media(_))
    }

    /// The names of the path's parameters, in their order.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|segment| {
            let name = segment.strip_prefix('{')?.strip_suffix('}')?;
            Some(name.strip_prefix('*').unwrap_or(name))
        })
    }

    /// What a client needs of it.
    pub const fn endpoint(&self) -> Endpoint {
        Endpoint {
            operation_id: self.operation_id,
            method: self.method,
            path: self.path,
            tag: self.tag,
            scope: self.required_scope(),
        }
    }
}

/// Every route there is, in the order of the document.
pub fn all() -> impl Iterator<Item = &'static Route> {
    let vault = [platform::ALL, encryption::ALL, secrets::ALL, keys::ALL, transit::ALL, certificates::ALL];
    let identity = [applications::ALL, people::ALL, oidc::ALL, trusts::ALL, gate_tickets::ALL];
    vault.into_iter().chain(identity).flatten()
}

/// Areas that are ways to the platform, and nothing that it is there for.
const NO_FEATURES: [&str; 3] = ["health", "operator", "aliases"];

/// What the platform offers: the product areas of its routes, in the order of the document.
pub fn features() -> Vec<&'static str> {
    let mut features = Vec::new();
    for route in all() {
        if !features.contains(&route.tag) && !NO_FEATURES.contains(&route.tag) {
            features.push(route.tag);
        }
    }
    features
}

const fn schema<T: JsonSchema>() -> SchemaFn {
    subschema::<T>
}

fn subschema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn push_encoded(out: &mut String, text: &str, keep_slashes: bool) {
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keep_slashes && byte == b'/');
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Percent-encodes a value of a query string.
pub fn encode_query_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_encoded(&mut out, text, false);
    out
}

/// Declares routes as constants and as a list, so that none can be missing from the list.
macro_rules! routes {
    ($($(#[$meta:meta])* $name:ident = $route:expr;)+) => {
        $($(#[$meta])* pub const $name: Route = $route;)+

        /// The routes of this file.
        pub const ALL: &[Route] = &[$($name),+];
    };
}
use routes;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn operations_and_paths_are_distinct() {
        let ids: BTreeSet<&str> = all().map(|route| route.operation_id).collect();
        let paths: BTreeSet<(Method, String)> = all().map(|route| (route.method, route.published_path())).collect();
        assert_eq!((ids.len(), paths.len()), (all().count(), all().count()));
    }

    #[test]
    fn every_scope_is_one_the_product_knows() {
        for route in all() {
            assert!(!route.summary.is_empty(), "{}", route.operation_id);
            if let Some(scope) = route.required_scope() {
                assert!(scope.parse::<domain::scope::Scopes>().is_ok(), "{scope}");
            }
        }
    }

    #[test]
    fn every_area_is_a_feature_once() {
        let features = features();
        for offered in ["secrets", "keys", "encryption", "certificates", "identity", "gate", "audit"] {
            assert_eq!(features.iter().filter(|feature| **feature == offered).count(), 1, "{offered}");
        }
        assert!(!features.contains(&"health"));
    }

    #[test]
    fn parameters_have_their_names() {
        assert_eq!(keys::KEY_VERSION_REVOKE.parameters().collect::<Vec<_>>(), ["id", "version"]);
    }

    #[test]
    fn a_status_without_a_body_has_no_schema() {
        for route in all() {
            assert_eq!(route.status == 204, matches!(route.answer, Answer::Nothing), "{}", route.operation_id);
        }
    }
}
