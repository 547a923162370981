//! One call: a route with its path, query and body filled in.

use api::routes::{Endpoint, Method, encode_query_value};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::random;
use crate::retry::Repetition;

/// A request that has not been sent yet.
pub struct Call {
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub body: Zeroizing<Vec<u8>>,
    pub idempotency_key: Option<String>,
    pub repetition: Repetition,
    pub headers: Vec<(&'static str, &'static str)>,
}

/// Areas and scopes of routes that compute and keep nothing: asked twice they answer twice, and their answers, shown
/// once, are not kept to be repeated.
const COMPUTING: [&str; 5] = ["encryption", "transit", "qrng", "encrypt", "decrypt"];

impl Call {
    /// A call of an endpoint with the values of its path parameters.
    pub fn to(endpoint: Endpoint, path: &[&str]) -> Self {
        let words = [Some(endpoint.tag), endpoint.scope];
        let computing = words.into_iter().flatten().any(|word| COMPUTING.contains(&word));
        let repetition = match endpoint.method {
            // Each success of a share link counts against it.
            Method::Post if endpoint.operation_id == api::routes::secrets::SHARE_OPEN.operation_id => {
                Repetition::Forbidden
            }
            Method::Get | Method::Post => Repetition::Harmless,
            Method::Put | Method::Patch | Method::Delete => Repetition::Harmful,
        };
        let keyed = endpoint.method == Method::Post && !computing && repetition == Repetition::Harmless;
        Self {
            method: endpoint.method,
            target: endpoint.filled(path),
            body: Zeroizing::new(Vec::new()),
            idempotency_key: keyed.then(|| random::request_name().to_string()),
            repetition,
            headers: Vec::new(),
        }
    }

    /// The same with a query; members that are null are left out.
    pub fn with_query<Q: Serialize>(mut self, query: &Q) -> Result<Self, Error> {
        let query = serde_json::to_value(query).map_err(Error::Unwritable)?;
        let members = query.as_object().into_iter().flatten();
        for (name, value) in members.filter(|(_, value)| !value.is_null()) {
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            let mark = if self.target.contains('?') { '&' } else { '?' };
            self.target.extend([String::from(mark), name.clone(), "=".to_owned(), encode_query_value(&text)]);
        }
        Ok(self)
    }

    /// The same with a body.
    pub fn with_body<B: Serialize>(mut self, body: &B) -> Result<Self, Error> {
        self.body = Zeroizing::new(serde_json::to_vec(body).map_err(Error::Unwritable)?);
        Ok(self)
    }

    /// The same with one more header.
    pub fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

#[cfg(test)]
mod tests {
    use api::routes::{encryption, keys, secrets};

    use super::*;

    #[test]
    fn a_query_leaves_out_what_is_not_given() {
        let query = api::secrets::ListSecrets {
            page: Some(2),
            search: Some("a b&c".to_owned()),
            include_inactive: Some(true),
            ..Default::default()
        };
        let call = Call::to(secrets::SECRET_LIST.endpoint(), &[]).with_query(&query).unwrap();
        assert_eq!(call.target, "/api/v1/secrets?includeInactive=true&page=2&search=a%20b%26c");
    }

    #[test]
    fn only_posts_that_change_something_carry_an_idempotency_key() {
        for (route, keyed, repetition) in [
            (&secrets::SECRET_CREATE, true, Repetition::Harmless),
            (&secrets::SHARE_OPEN, false, Repetition::Forbidden),
            (&secrets::SECRET_UPDATE_VALUE, false, Repetition::Harmful),
            (&encryption::ENCRYPT, false, Repetition::Harmless),
            (&keys::KEY_ROTATE, true, Repetition::Harmless),
            (&keys::KEY_DATA_KEY, false, Repetition::Harmless),
            (&keys::KEY_GET, false, Repetition::Harmless),
        ] {
            let call = Call::to(route.endpoint(), &["x"]);
            assert_eq!((call.idempotency_key.is_some(), call.repetition), (keyed, repetition), "{}", route.path);
        }
    }
}
