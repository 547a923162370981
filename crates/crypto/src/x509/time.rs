//! Instants between Unix seconds and the two ASN.1 forms.

use core::time::Duration;

use der::DateTime;
use der::asn1::{GeneralizedTime, UtcTime};
use x509_cert::time::Time;

use super::Malformed;
use crate::Error;

/// RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from then on.
pub(super) fn encode(unix_s: i64) -> Result<Time, Error> {
    let out_of_range = Error::BadArgument("a time that X.509 cannot write");
    let seconds = u64::try_from(unix_s).map_err(|_| out_of_range)?;
    let date = DateTime::from_unix_duration(Duration::from_secs(seconds)).map_err(|_| out_of_range)?;
    if date.year() < GENERALIZED_FROM {
        UtcTime::from_date_time(date).map(Time::UtcTime).map_err(|_| out_of_range)
    } else {
        Ok(Time::GeneralTime(GeneralizedTime::from_date_time(date)))
    }
}

pub(super) fn decode(time: &Time, clause: &'static str) -> Result<i64, Malformed> {
    if let Time::GeneralTime(general) = time
        && general.to_date_time().year() < GENERALIZED_FROM
    {
        return Err(Malformed::new("a time before 2050 is not written as UTCTime", clause));
    }
    i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| Malformed::new("a time is out of range", clause))
}

const GENERALIZED_FROM: u16 = 2050;
