//! The addresses that an application registers. They are compared as texts, so whatever two programs could read as two different addresses is not
//! taken: escaped dots, dot segments, user information, anything that is not plain ASCII.

use fluent_uri::Uri;

/// The longest address.
pub const URI_MAX: usize = 2_048;

/// Why an address is not taken, in words for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUri {
    /// Not a URI, a relative one, or one that is too long.
    #[error("is not an absolute URI of at most 2048 ASCII characters")]
    Syntax,
    /// A fragment.
    #[error("must not have a fragment")]
    Fragment,
    /// A user name or password.
    #[error("must not hold user information")]
    UserInfo,
    /// `.` or `..` in the path, escaped or not.
    #[error("must not hold `.` or `..` segments, nor escaped dots, slashes or backslashes")]
    Ambiguous,
    /// No host, or one in upper case or with a final dot.
    #[error("must name its host in lower case, without a final dot")]
    Host,
    /// A scheme that does not fit.
    #[error(
        "must begin with https://, with http:// and a loopback host, or for a native application with a scheme such as com.example.app:/"
    )]
    Scheme,
    /// Plain HTTP to this machine, in production.
    #[error("must begin with https:// in production")]
    Production,
    /// More than scheme, host and port.
    #[error("must be an origin: scheme, host and port, with nothing behind")]
    NotOrigin,
}

/// What may be said by the scheme of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// HTTPS alone.
    Https,
    /// Plain HTTP too, to this machine.
    Loopback,
    /// Private schemes too (RFC 8252, 7.1): the address belongs to a program that is installed.
    Native,
}

/// An address a browser is sent to: exact, without a fragment (RFC 9700, 2.1).
pub fn check_redirect(text: &str, reach: Reach) -> Result<(), BadUri> {
    let uri = parse(text)?;
    if uri.has_fragment() {
        return Err(BadUri::Fragment);
    }
    let scheme = uri.scheme().as_str();
    match scheme {
        "https" => check_host(&uri),
        "http" => {
            check_host(&uri)?;
            match (is_loopback(&uri), reach) {
                (false, _) => Err(BadUri::Scheme),
                (true, Reach::Https) => Err(BadUri::Production),
                (true, Reach::Loopback | Reach::Native) => Ok(()),
            }
        }
        // A domain turned round, as RFC 8252 wants it: no `javascript:`, no `data:`.
        _ if reach == Reach::Native && scheme.contains('.') && is_lower(scheme) => Ok(()),
        _ => Err(BadUri::Scheme),
    }
}

/// An API that tokens are for: an absolute URI without a fragment (RFC 8707, 2).
pub fn check_resource(text: &str) -> Result<(), BadUri> {
    if parse(text)?.has_fragment() { Err(BadUri::Fragment) } else { Ok(()) }
}

/// What this server itself calls: back-channel logout, a set of keys.
pub fn check_endpoint(text: &str, reach: Reach) -> Result<(), BadUri> {
    check_redirect(text, if reach == Reach::Native { Reach::Loopback } else { reach })
}

/// An origin as browsers send it.
pub fn check_origin(text: &str, reach: Reach) -> Result<(), BadUri> {
    check_endpoint(text, reach)?;
    let uri = parse(text)?;
    if uri.path().as_str().is_empty() && !uri.has_query() { Ok(()) } else { Err(BadUri::NotOrigin) }
}

fn parse(text: &str) -> Result<Uri<&str>, BadUri> {
    if text.len() > URI_MAX {
        return Err(BadUri::Syntax);
    }
    let uri = Uri::parse(text).map_err(|_| BadUri::Syntax)?;
    if uri.authority().is_some_and(|authority| authority.has_userinfo()) {
        return Err(BadUri::UserInfo);
    }
    let path = uri.path().as_str().to_ascii_lowercase();
    let has_escape = ["%2e", "%2f", "%5c", "%00"].iter().any(|escape| path.contains(escape));
    if has_escape || path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(BadUri::Ambiguous);
    }
    Ok(uri)
}

fn check_host(uri: &Uri<&str>) -> Result<(), BadUri> {
    let host = uri.authority().map(|authority| authority.host()).unwrap_or_default();
    let is_plain = !host.is_empty() && !host.ends_with('.') && !host.contains(['%', '*']) && is_lower(host);
    if is_plain { Ok(()) } else { Err(BadUri::Host) }
}

/// Whether the address is on this machine, as RFC 8252 (7.3) and browsers know it.
fn is_loopback(uri: &Uri<&str>) -> bool {
    let host = uri.authority().map(|authority| authority.host()).unwrap_or_default();
    ["127.0.0.1", "[::1]", "localhost"].contains(&host)
}

fn is_lower(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_two_readers_could_take_for_two_is_refused() {
        for (text, verdict) in [
            ("https://app.example/callback", Ok(())),
            ("https://app.example:8443/callback?tenant=a", Ok(())),
            ("http://127.0.0.1:3000/callback", Ok(())),
            ("http://[::1]/callback", Ok(())),
            ("http://localhost:5173/", Ok(())),
            ("http://app.example/callback", Err(BadUri::Scheme)),
            ("http://127.0.0.1.evil.example/callback", Err(BadUri::Scheme)),
            ("http://localhost.evil.example/", Err(BadUri::Scheme)),
            ("https://app.example/callback#top", Err(BadUri::Fragment)),
            ("https://user@app.example/callback", Err(BadUri::UserInfo)),
            ("https://app.example/a/../callback", Err(BadUri::Ambiguous)),
            ("https://app.example/%2e%2e/callback", Err(BadUri::Ambiguous)),
            ("https://app.example/a%2Fb", Err(BadUri::Ambiguous)),
            ("https://App.example/callback", Err(BadUri::Host)),
            ("https://app.example./callback", Err(BadUri::Host)),
            ("https:///callback", Err(BadUri::Host)),
            ("https://*.app.example/callback", Err(BadUri::Host)),
            ("https://app.exämple/callback", Err(BadUri::Syntax)),
            ("https://app.example/a b", Err(BadUri::Syntax)),
            ("https://app.example/a\\b", Err(BadUri::Syntax)),
            ("/callback", Err(BadUri::Syntax)),
            ("javascript:alert(1)", Err(BadUri::Scheme)),
            ("com.example.app:/callback", Err(BadUri::Scheme)),
        ] {
            assert_eq!(check_redirect(text, Reach::Loopback), verdict, "{text}");
        }
        assert_eq!(
            check_redirect(&format!("https://a.example/{}", "a".repeat(URI_MAX)), Reach::Https),
            Err(BadUri::Syntax)
        );
    }

    #[test]
    fn how_far_the_scheme_reaches_depends_on_the_application() {
        for (text, reach, verdict) in [
            ("com.example.app:/callback", Reach::Native, Ok(())),
            ("myapp:/callback", Reach::Native, Err(BadUri::Scheme)),
            ("javascript:alert(1)", Reach::Native, Err(BadUri::Scheme)),
            ("http://localhost/callback", Reach::Https, Err(BadUri::Production)),
            ("https://app.example/callback", Reach::Https, Ok(())),
        ] {
            assert_eq!(check_redirect(text, reach), verdict, "{text}");
        }
    }

    #[test]
    fn origins_have_nothing_behind_and_resources_may_be_any_absolute_uri() {
        assert_eq!(check_origin("https://app.example", Reach::Https), Ok(()));
        assert_eq!(check_origin("http://localhost:3000", Reach::Loopback), Ok(()));
        assert_eq!(check_origin("https://app.example/", Reach::Https), Err(BadUri::NotOrigin));
        assert_eq!(check_resource("https://api.example/mcp"), Ok(()));
        assert_eq!(check_resource("urn:example:orders"), Ok(()));
        assert_eq!(check_resource("api.example"), Err(BadUri::Syntax));
        assert_eq!(check_resource("https://api.example/#a"), Err(BadUri::Fragment));
    }
}
