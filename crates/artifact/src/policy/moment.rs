//! Points in time as a policy spells them.

use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

/// A point in time, in Unix seconds. A policy spells it `2027-01-31T12:00:00Z`, or `2027-01-31` for the first second of that
/// day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(i64);

/// The text is no point in time.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither a date like 2027-01-31 nor a time like 2027-01-31T12:00:00Z")]
pub struct NotAMoment(String);

impl Moment {
    /// The moment that is so many seconds after 1970 began, in UTC.
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970 began, in UTC.
    pub fn unix(self) -> i64 {
        self.0
    }
}

impl TryFrom<String> for Moment {
    type Error = NotAMoment;

    fn try_from(text: String) -> Result<Self, NotAMoment> {
        let date = || Date::parse(&text, format_description!("[year]-[month]-[day]")).ok();
        let time = OffsetDateTime::parse(&text, &Rfc3339).ok();
        let time = time.or_else(|| date().map(|date| date.midnight().assume_utc()));
        time.map(|time| Self(time.unix_timestamp())).ok_or_else(|| NotAMoment(text.chars().take(60).collect()))
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = OffsetDateTime::from_unix_timestamp(self.0).map(|time| time.to_offset(UtcOffset::UTC));
        match time.ok().and_then(|time| time.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} s after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_second() {
        for (text, expected) in [
            ("1970-01-02", Some("1970-01-02T00:00:00Z")),
            ("2027-01-31T12:00:00+01:00", Some("2027-01-31T11:00:00Z")),
            ("2027-02-30", None),
            ("soon", None),
            ("", None),
        ] {
            let moment = Moment::try_from(text.to_owned()).ok().map(|moment| moment.to_string());
            assert_eq!(moment.as_deref(), expected, "{text}");
        }
    }
}
