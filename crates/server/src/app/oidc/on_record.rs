//! Which answers about a token the trail has already.
//!
//! A gateway asks about the same token with every request that brings it, and is told the same each time. The first answer is an event
//! before it is given; those of the next minute, to the same client at the same address, stand under that event (ADR 34).

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use domain::ids::ApplicationId;
use domain::time::Timestamp;

/// How long an event speaks for the same answer.
const SPEAKS_FOR: Duration = Duration::from_secs(60);
/// Askers of one token that are remembered; beyond them the one that was first is forgotten.
const ASKERS: usize = 8;

/// Who asks, and from where: a stolen secret that is used elsewhere has events of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The client.
    pub application: ApplicationId,
    /// Where it asked from.
    pub address: IpAddr,
}

/// The events that were written of one token, by who was told.
#[derive(Default)]
pub struct OnRecord(Mutex<Vec<(Asker, Timestamp)>>);

impl OnRecord {
    /// Whether an event speaks for telling `asker` now. With a clock that went back none does.
    pub fn covers(&self, asker: &Asker, now: Timestamp) -> bool {
        let Ok(told) = self.0.lock() else { return false };
        let event = told.iter().find(|(known, _)| known == asker);
        let age = event.and_then(|(_, at)| u64::try_from(now.millis() - at.millis()).ok());
        age.is_some_and(|age| Duration::from_millis(age) < SPEAKS_FOR)
    }

    /// Remembers an event that is durable.
    pub fn written(&self, asker: Asker, at: Timestamp) {
        let Ok(mut told) = self.0.lock() else { return };
        told.retain(|(known, _)| *known != asker);
        if told.len() >= ASKERS {
            told.remove(0);
        }
        told.push((asker, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(application: u8, address: [u8; 4]) -> Asker {
        Asker { application: ApplicationId::from_bytes([application; 16]), address: address.into() }
    }

    #[test]
    fn an_event_speaks_for_one_asker_and_one_minute() {
        let (record, at) = (OnRecord::default(), Timestamp::from_millis(1_000_000));
        let gateway = asker(1, [10, 0, 0, 1]);
        assert!(!record.covers(&gateway, at), "nothing is written yet");
        record.written(gateway, at);
        assert!(record.covers(&gateway, at));
        assert!(record.covers(&gateway, at.plus_millis(59_999)));
        assert!(!record.covers(&gateway, at.plus_millis(60_000)), "the minute is over");
        assert!(!record.covers(&gateway, at.plus_millis(-1)), "the clock went back");
        assert!(!record.covers(&asker(1, [10, 0, 0, 2]), at), "the same client elsewhere");
        assert!(!record.covers(&asker(2, [10, 0, 0, 1]), at), "another client");
        record.written(gateway, at.plus_millis(60_000));
        assert!(record.covers(&gateway, at.plus_millis(119_999)));
    }

    #[test]
    fn one_asker_too_many_is_written_down_again() {
        let (record, at) = (OnRecord::default(), Timestamp::from_millis(1_000_000));
        let askers: Vec<_> = (0..=ASKERS as u8).map(|n| asker(n, [10, 0, 0, 1])).collect();
        for asker in &askers {
            record.written(*asker, at);
        }
        let covered: Vec<_> = askers.iter().map(|asker| record.covers(asker, at)).collect();
        assert_eq!(covered, [vec![false], vec![true; ASKERS]].concat());
    }
}
