//! Where a client sends a call, and of what kind it is.

use super::{Method, push_encoded};

/// A route without what it says in the published document: `const { ROUTE.endpoint() }` leaves the schemas of bodies and
/// answers out of a client's program.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Its name in the published document.
    pub operation_id: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path, as the server's router spells it.
    pub path: &'static str,
    /// The product area it belongs to.
    pub tag: &'static str,
    /// The scope a credential needs, if any.
    pub scope: Option<&'static str>,
}

impl Endpoint {
    /// The path with its parameters filled in, percent-encoded; slashes stay only where the parameter takes them.
    /// Values beyond the parameters are ignored and missing ones are empty.
    pub fn filled(&self, values: &[&str]) -> String {
        let mut values = values.iter();
        let mut path = String::with_capacity(self.path.len() + 32);
        for segment in self.path.split('/').skip(1) {
            path.push('/');
            match segment.strip_prefix('{') {
                Some(name) => push_encoded(&mut path, values.next().unwrap_or(&""), name.starts_with('*')),
                None => path.push_str(segment),
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use crate::routes::{keys, secrets, transit};

    #[test]
    fn values_are_encoded_into_one_segment() {
        for (route, values, path) in [
            (transit::TRANSIT_ENCRYPT, &["a b/c"][..], "/api/v1/transit/encrypt/a%20b%2Fc"),
            (secrets::SECRET_BY_NAME, &["a b/c"], "/api/v1/secrets/by-name/a%20b/c"),
            (keys::KEY_VERSION_REVOKE, &["k", "2"], "/api/v1/keys/k/versions/2/revoke"),
        ] {
            assert_eq!(route.endpoint().filled(values), path);
        }
    }
}
