//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0): what an application is told, and when one that could not be told hears again.

use serde::Serialize;
use serde_json::{Value, json};

use crate::time::{HOUR_MS, MINUTE_MS, SECOND_MS};

/// The type of a logout token: it is never taken for another one.
pub const TYP: &str = "logout+jwt";
/// What a logout token says has happened (2.4).
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Seconds that a logout token lives: it is sent at once, and made anew for every try.
pub const TOKEN_S: i64 = 120;
/// The form's one field (2.5).
pub const FIELD: &str = "logout_token";

/// The waits between tries. After the last, nobody tries any more.
const WAITS_MS: [i64; 7] =
    [5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS];

/// How long to wait after this many tries before the next; none when that was the last.
pub fn wait_ms(tries: i64) -> Option<i64> {
    usize::try_from(tries - 1).ok().and_then(|place| WAITS_MS.get(place).copied())
}

/// What a logout token says (2.4). There is no `nonce`: that is how one is told from an ID token where nobody looks at types.
#[derive(Clone, Debug, Serialize)]
pub struct LogoutClaims {
    /// The issuer.
    pub iss: String,
    /// The person.
    pub sub: String,
    /// The application.
    pub aud: String,
    /// Second in which it was made.
    pub iat: i64,
    /// Second in which it ends.
    pub exp: i64,
    /// Its name.
    pub jti: String,
    /// The session that is over.
    pub sid: String,
    /// What has happened.
    pub events: Value,
}

/// The only event there is.
pub fn events() -> Value {
    json!({ EVENT: {} })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_that_is_away_is_told_for_hours_and_then_no_more() {
        assert_eq!((wait_ms(1), wait_ms(7)), (Some(5 * SECOND_MS), Some(4 * HOUR_MS)));
        assert_eq!((wait_ms(8), wait_ms(0), wait_ms(i64::MIN + 1)), (None, None, None));
        assert_eq!(events().to_string(), r#"{"http://schemas.openid.net/event/backchannel-logout":{}}"#);
    }
}
