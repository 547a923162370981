//! The claims of a JWT, read strictly. Which of them matter is the caller's business; the registered ones are checked here.

use serde_json::{Map, Value};

use super::{Refusal, json};

/// The claims of a token whose signature was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Map<String, Value>);

/// What a token has to be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who issued it, compared byte for byte.
    pub issuer: &'a str,
    /// One of whom it must be meant for.
    pub audiences: &'a [&'a str],
    /// Seconds since 1970.
    pub now_s: u64,
    /// By how much clocks may differ.
    pub leeway_s: u64,
}

impl Claims {
    /// The claims of a payload: a JSON object with every member once.
    pub fn read(payload: &[u8]) -> Result<Self, Refusal> {
        Ok(Self(json::object(payload)?))
    }

    /// Issuer, audience and times (RFC 7519, 4.1). `exp` has to be there, the other times only have to be right.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), Refusal> {
        if self.text("iss")?.ok_or(Refusal::Claim("iss"))? != expected.issuer {
            return Err(Refusal::Issuer);
        }
        let audience = self.audience()?;
        if !expected.audiences.iter().any(|ours| audience.contains(ours)) {
            return Err(Refusal::Audience);
        }
        // A part of a second counts: what ends at half past has not ended on the second, and what begins then has not begun.
        let (now, leeway) = (seconds(expected.now_s), seconds(expected.leeway_s));
        if self.time("exp")?.ok_or(Refusal::Claim("exp"))? + leeway <= now {
            return Err(Refusal::Expired);
        }
        for name in ["nbf", "iat"] {
            if self.time(name)?.is_some_and(|time| time > now + leeway) {
                return Err(Refusal::NotYetValid);
            }
        }
        for name in ["sub", "jti"] {
            self.text(name)?;
        }
        Ok(())
    }

    /// A claim that is text; absent is none, and anything else is refused.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        json::text(&self.0, name)
    }

    /// A claim that has to be there and to be text.
    pub fn required(&self, name: &'static str) -> Result<&str, Refusal> {
        self.text(name)?.ok_or(Refusal::Claim(name))
    }

    /// A NumericDate in whole seconds, between 1970 and the year 9999.
    pub fn time_s(&self, name: &'static str) -> Result<Option<u64>, Refusal> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its range was checked")]
        Ok(self.time(name)?.map(|time| time as u64))
    }

    fn time(&self, name: &'static str) -> Result<Option<f64>, Refusal> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let time = value.as_f64().ok_or(Refusal::Claim(name))?;
        if (0.0..=LATEST_S).contains(&time) { Ok(Some(time)) } else { Err(Refusal::Claim(name)) }
    }

    /// Whom it is meant for: one text or several.
    pub fn audience(&self) -> Result<Vec<&str>, Refusal> {
        match self.0.get("aud") {
            Some(Value::String(one)) => Ok(vec![one]),
            Some(Value::Array(several)) => {
                let texts: Option<Vec<&str>> = several.iter().map(Value::as_str).collect();
                texts.ok_or(Refusal::Claim("aud"))
            }
            _ => Err(Refusal::Claim("aud")),
        }
    }

    /// Every claim, for those who read more.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// Exact for every time that a clock shows.
#[expect(clippy::cast_precision_loss, reason = "clocks are far below 2^53 seconds")]
fn seconds(count: u64) -> f64 {
    count as f64
}

/// The end of the year 9999.
const LATEST_S: f64 = 253_402_300_799.0;
