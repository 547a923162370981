//! Grants: what an application was allowed on somebody's behalf, and on which terms.

use serde::{Deserialize, Serialize};

use super::oauth_scope::{OFFLINE_ACCESS, OauthScope};
use super::words::words;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};

words! {
    /// How a grant came about.
    Kind {
        /// By a code.
        AuthorizationCode = "authorization_code",
        /// By a code that somebody typed on another device.
        DeviceCode = "device_code",
    }
    /// Why a grant ended.
    Ended {
        /// The application gave it back.
        Revoked = "revoked",
        /// The person or an administrator took it back.
        Withdrawn = "withdrawn",
        /// A code was shown twice.
        CodeReused = "code_reused",
        /// A refresh token was shown twice.
        RefreshReused = "refresh_reused",
        /// Its session was ended.
        SignedOut = "signed_out",
        /// Its person was shut out.
        Blocked = "blocked",
        /// Its person set a password anew, or somebody else did.
        PasswordReset = "password reset",
        /// Its person chose another password.
        PasswordChanged = "password changed",
        /// Its person set up a second factor, and it began without one.
        SecondFactorAdded = "second factor added",
    }
}

/// How long a code can be redeemed.
pub const CODE_MS: i64 = 60 * SECOND_MS;
/// How long a pushed request can be used.
pub const PUSHED_MS: i64 = 60 * SECOND_MS;
/// How long somebody may take to sign in.
pub const INTERACTION_MS: i64 = 15 * MINUTE_MS;
/// How long a device waits for somebody.
pub const DEVICE_MS: i64 = 10 * MINUTE_MS;
/// How often it may ask, at first.
pub const DEVICE_INTERVAL_MS: i64 = 5 * SECOND_MS;
/// The longest an access token lives, and an ID token.
pub const TOKEN_S: i64 = 600;
/// How long a lost answer of the refresh token grant can be had again.
pub const REPLAY_MS: i64 = 5 * SECOND_MS;
/// How long a grant lives that may outlive its session.
const OFFLINE_MS: i64 = 30 * DAY_MS;
/// How long one lives that may not.
const ONLINE_MS: i64 = 12 * HOUR_MS;

/// On which terms something was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What was granted.
    pub scope: OauthScope,
    /// For which APIs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// What tokens call the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// How sure is who it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// Second in which the person signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// The value that an ID token repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

impl Terms {
    /// Whether what was granted may outlive its session.
    pub fn is_offline(&self) -> bool {
        self.scope.has(OFFLINE_ACCESS)
    }

    /// When a grant on these terms ends by itself.
    pub fn end(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(if self.is_offline() { OFFLINE_MS } else { ONLINE_MS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offline_access_decides_how_long_a_grant_lives() {
        let now = Timestamp::from_millis(0);
        let of = |words: &[&str]| Terms { scope: OauthScope::of(words.iter().copied()), ..Terms::default() };
        assert_eq!(of(&["openid"]).end(now).millis(), ONLINE_MS);
        assert_eq!(of(&["openid", "offline_access"]).end(now).millis(), OFFLINE_MS);
        let text = serde_json::to_string(&of(&["openid"])).unwrap();
        assert_eq!(text, "{\"scope\":[\"openid\"]}");
    }
}
