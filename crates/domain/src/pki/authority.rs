//! Authorities over time: which key issues now, and how the next one takes over.
//!
//! A key's phase follows from its times and from now, so every replica sees the same one and nothing has to happen for a
//! successor to begin. A successor is published before it issues, and its predecessor stays an anchor until the last
//! certificate it issued has ended: nobody ever meets a certificate whose authority they have not heard of.

use crate::ids::AuthorityId;
use crate::time::Timestamp;

/// What an authority is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signs issuing authorities.
    Root,
    /// Signs end entities.
    Issuing,
    /// Signs end entities of `mesh-compat`, with a key that a quantum computer breaks.
    Classical,
}

impl Kind {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
            Self::Classical => "classical",
        }
    }

    /// Reads what [`Kind::as_str`] wrote.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Root, Self::Issuing, Self::Classical].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One key of an authority.
#[derive(Clone, Debug)]
pub struct Authority {
    /// It.
    pub id: AuthorityId,
    /// What it is for.
    pub kind: Kind,
    /// What its rotations have in common.
    pub name: String,
    /// Counts rotations, from 1.
    pub generation: u32,
    /// From when on it issues.
    pub active_from: Timestamp,
    /// When its overlap with its successor ends, once it has one.
    pub retires_at: Option<Timestamp>,
    /// When it left the trust bundle.
    pub retired_at: Option<Timestamp>,
    /// When its certificates end.
    pub not_after: Timestamp,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Published, and does not issue yet.
    Incoming,
    /// Issues.
    Active,
    /// Replaced, and still an anchor.
    Retiring,
    /// No longer an anchor.
    Retired,
}

impl Phase {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
        }
    }
}

/// Where `one` of `all` stands at `now`.
pub fn phase(one: &Authority, all: &[Authority], now: Timestamp) -> Phase {
    let replaced =
        |other: &Authority| other.name == one.name && other.generation > one.generation && other.active_from <= now;
    if one.retired_at.is_some() {
        Phase::Retired
    } else if one.active_from > now {
        Phase::Incoming
    } else if all.iter().any(replaced) {
        Phase::Retiring
    } else {
        Phase::Active
    }
}

/// The key of that name which issues at `now`.
pub fn issuer<'a>(all: &'a [Authority], name: &str, now: Timestamp) -> Option<&'a Authority> {
    all.iter().find(|one| one.name == name && phase(one, all, now) == Phase::Active && one.not_after > now)
}

/// What is known when a rotation is planned.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Every key of the tenant.
    pub all: &'a [Authority],
    /// The name whose key is to be replaced.
    pub name: &'a str,
    /// When the last certificate ends that the present key issued.
    pub last_end: Option<Timestamp>,
    /// How long the successor is published before it issues.
    pub lead_ms: i64,
    /// How long the present key stays an anchor after that. Unless told: until its last certificate has ended, and a month for
    /// a root, whose authorities its successor has certified too.
    pub overlap_ms: Option<i64>,
    /// Now.
    pub now: Timestamp,
}

/// One thing that a rotation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Make the next generation's key, which issues from then on.
    Publish {
        /// Its generation.
        generation: u32,
        /// When it begins to issue.
        active_from: Timestamp,
    },
    /// End the present key's overlap then.
    Retire {
        /// It.
        id: AuthorityId,
        /// When.
        at: Timestamp,
    },
}

/// One step of a rotation and why it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub act: Act,
    /// Why, for the audit trail.
    pub reason: String,
}

/// Why there is no rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRotation {
    /// There is no key of that name to replace.
    #[error("there is no authority of that name that issues")]
    NothingToReplace,
    /// The last one has not ended.
    #[error("a successor is published already and has not begun to issue")]
    UnderWay,
}

/// Plans a rotation.
pub fn plan_rotation(situation: &Situation<'_>) -> Result<Vec<Step>, NoRotation> {
    let Situation { all, name, now, .. } = *situation;
    if all.iter().any(|one| one.name == name && phase(one, all, now) == Phase::Incoming) {
        return Err(NoRotation::UnderWay);
    }
    let present = issuer(all, name, now).ok_or(NoRotation::NothingToReplace)?;
    let active_from = now.plus_millis(situation.lead_ms.max(0));
    let generation = all.iter().filter(|one| one.name == name).map(|one| one.generation).max().unwrap_or(0) + 1;
    let publish = Step {
        act: Act::Publish { generation, active_from },
        reason: format!("peers hear of it {} s before they meet its certificates", situation.lead_ms.max(0) / 1_000),
    };
    let (at, reason) = retirement(situation, present.kind, active_from);
    Ok(vec![publish, Step { act: Act::Retire { id: present.id, at }, reason }])
}

fn retirement(situation: &Situation<'_>, kind: Kind, active_from: Timestamp) -> (Timestamp, String) {
    if kind == Kind::Root {
        let (overlap_ms, reason) = match situation.overlap_ms {
            None => (ROOT_OVERLAP_MS, "whoever trusts it alone has fetched its successor by then"),
            Some(overlap_ms) => (overlap_ms, "asked for"),
        };
        return (active_from.plus_millis(overlap_ms.max(0)), reason.to_owned());
    }
    // What is issued until the successor begins can live as long as a short-lived certificate does; longer ones are cut to
    // the authority's retirement when they are issued.
    let usual = active_from.plus_millis(crate::time::DAY_MS);
    let last = situation.last_end.map_or(usual, |last| last.max(usual));
    match situation.overlap_ms {
        None => (last, "its last certificate has ended by then".to_owned()),
        Some(overlap_ms) => {
            let at = active_from.plus_millis(overlap_ms.max(0));
            let cut = situation.last_end.is_some_and(|last| last > at);
            let reason = if cut { "asked for, although certificates of it live longer" } else { "asked for" };
            (at, reason.to_owned())
        }
    }
}

/// Certificates of a root are distributed by hand as well, to programs that ask for no bundle.
const ROOT_OVERLAP_MS: i64 = 30 * crate::time::DAY_MS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DAY_MS, HOUR_MS};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn authority(id: u8, generation: u32, active_from: Timestamp) -> Authority {
        Authority {
            id: AuthorityId::from_bytes([id; 16]),
            kind: Kind::Issuing,
            name: "issuing".to_owned(),
            generation,
            active_from,
            retires_at: None,
            retired_at: None,
            not_after: NOW.plus_millis(1_000 * DAY_MS),
        }
    }

    fn situation(all: &[Authority]) -> Situation<'_> {
        Situation { all, name: "issuing", last_end: None, lead_ms: HOUR_MS, overlap_ms: None, now: NOW }
    }

    #[test]
    fn a_successor_is_published_first_and_its_predecessor_outlives_what_it_issued() {
        let all = [authority(1, 1, NOW)];
        let steps = plan_rotation(&situation(&all)).unwrap();
        let begins = NOW.plus_millis(HOUR_MS);
        assert_eq!(steps[0].act, Act::Publish { generation: 2, active_from: begins });
        assert_eq!(steps[1].act, Act::Retire { id: all[0].id, at: begins.plus_millis(DAY_MS) });
        let long = Situation { last_end: Some(NOW.plus_millis(30 * DAY_MS)), ..situation(&all) };
        let retire = |situation| plan_rotation(situation).unwrap()[1].clone();
        assert_eq!(retire(&long).act, Act::Retire { id: all[0].id, at: NOW.plus_millis(30 * DAY_MS) });
        let forced = Situation { overlap_ms: Some(0), lead_ms: 0, ..long };
        assert_eq!(retire(&forced).act, Act::Retire { id: all[0].id, at: NOW });
        assert!(retire(&forced).reason.contains("live longer"));
    }

    #[test]
    fn a_root_stays_for_a_month_beside_its_successor_whatever_its_authorities_live() {
        let all = [Authority { kind: Kind::Root, name: "root".to_owned(), ..authority(1, 1, NOW) }];
        let root = Situation { name: "root", last_end: Some(NOW.plus_millis(900 * DAY_MS)), ..situation(&all) };
        let retire = |situation: &Situation<'_>| plan_rotation(situation).unwrap()[1].act;
        let begins = NOW.plus_millis(HOUR_MS);
        assert_eq!(retire(&root), Act::Retire { id: all[0].id, at: begins.plus_millis(30 * DAY_MS) });
        let told = Situation { overlap_ms: Some(DAY_MS), ..root };
        assert_eq!(retire(&told), Act::Retire { id: all[0].id, at: begins.plus_millis(DAY_MS) });
    }

    #[test]
    fn phases_follow_from_time_alone() {
        let begins = NOW.plus_millis(HOUR_MS);
        let mut all = [authority(1, 1, NOW), authority(2, 2, begins)];
        let phases = |all: &[Authority], now| [phase(&all[0], all, now), phase(&all[1], all, now)];
        assert_eq!(phases(&all, NOW), [Phase::Active, Phase::Incoming]);
        assert_eq!(issuer(&all, "issuing", NOW).unwrap().generation, 1);
        assert_eq!(phases(&all, begins), [Phase::Retiring, Phase::Active]);
        assert_eq!(issuer(&all, "issuing", begins).unwrap().generation, 2);
        assert_eq!(plan_rotation(&situation(&all)), Err(NoRotation::UnderWay));
        all[0].retired_at = Some(begins);
        assert_eq!(phases(&all, begins), [Phase::Retired, Phase::Active]);
        assert_eq!(plan_rotation(&Situation { name: "other", ..situation(&all) }), Err(NoRotation::NothingToReplace));
    }
}
