//! What a link is to allow, from either form of asking for one.

use api::limits::{SHARE_HOURS_DEFAULT, SHARE_HOURS_MAX};
use api::secret::SecretText;
use api::shares as wire;
use domain::ids::SecretId;
use domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

use crate::problem::{Outcome, Problem};

/// Characters of a link's password.
const PASSWORD_CHARS: usize = 1_000;

/// What a link is to allow.
pub struct Terms {
    pub secret: SecretId,
    pub lifetime_ms: i64,
    /// Unlimited when absent.
    pub max_access: Option<u32>,
    pub password: Option<SecretText>,
}

impl Terms {
    /// As the contract asks for a link.
    pub fn of_request(request: wire::CreateShareLink) -> Outcome<Self> {
        let hours = request.expires_in_hours.unwrap_or(SHARE_HOURS_DEFAULT);
        if !(1..=SHARE_HOURS_MAX).contains(&hours) {
            return Err(Problem::invalid(format!("expiresInHours is 1 to {SHARE_HOURS_MAX}.")));
        }
        if request.max_access_count == Some(0) {
            return Err(Problem::invalid("maxAccessCount is at least 1; leave it out for no limit."));
        }
        if request
            .password
            .as_ref()
            .is_some_and(|text| text.is_empty() || text.expose().chars().count() > PASSWORD_CHARS)
        {
            return Err(Problem::invalid(format!(
                "password has 1 to {PASSWORD_CHARS} characters; leave it out for none."
            )));
        }
        Ok(Self {
            secret: request.secret_id.into(),
            lifetime_ms: i64::from(hours) * HOUR_MS,
            max_access: request.max_access_count,
            password: request.password,
        })
    }

    /// As older clients ask for one: a lifetime in text, and 0 for no limit.
    pub fn of_older(secret: SecretId, request: &wire::ShareSecret) -> Outcome<Self> {
        let lifetime_ms = match request.ttl.as_deref() {
            None => i64::from(SHARE_HOURS_DEFAULT) * HOUR_MS,
            Some(text) => lifetime_ms(text)
                .ok_or_else(|| Problem::invalid("ttl is a time like 24h or 7d, of at most 30 days."))?,
        };
        Ok(Self { secret, lifetime_ms, max_access: request.max_views.filter(|views| *views > 0), password: None })
    }
}

/// `90s`, `30m`, `24h`, `7d`; a bare number counts seconds.
fn lifetime_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "" | "s" => SECOND_MS,
        "m" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        _ => return None,
    };
    let lifetime_ms = digits.parse::<u32>().ok().map(i64::from)?.checked_mul(unit_ms)?;
    (SECOND_MS..=i64::from(SHARE_HOURS_MAX) * HOUR_MS).contains(&lifetime_ms).then_some(lifetime_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_read_in_their_units_and_within_the_limit() {
        for (text, lifetime) in [
            ("24h", Some(24 * HOUR_MS)),
            ("7d", Some(7 * DAY_MS)),
            ("30m", Some(30 * MINUTE_MS)),
            ("3600", Some(HOUR_MS)),
            ("30d", Some(30 * DAY_MS)),
            ("31d", None),
            ("0h", None),
            ("", None),
            ("h", None),
            ("-1h", None),
            ("1w", None),
            ("1.5h", None),
            ("99999999999d", None),
        ] {
            assert_eq!(lifetime_ms(text), lifetime, "{text:?}");
        }
    }

    #[test]
    fn terms_outside_their_limits_are_refused() {
        let secret = r#""secretId":"7c3a1f9d-4e2b-4a6c-8f5d-3b9e1c7a4f2d""#;
        for (rest, accepted) in [
            ("", true),
            (r#","expiresInHours":720,"maxAccessCount":1,"password":"p""#, true),
            (r#","expiresInHours":0"#, false),
            (r#","expiresInHours":721"#, false),
            (r#","maxAccessCount":0"#, false),
            (r#","password":"""#, false),
        ] {
            let body = format!("{{{secret}{rest}}}");
            let request = api::casing::from_slice_any_case(body.as_bytes()).unwrap();
            assert_eq!(Terms::of_request(request).is_ok(), accepted, "{body}");
        }
    }
}
