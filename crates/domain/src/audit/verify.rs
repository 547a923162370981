//! Verification of an export, offline: every link recomputed, every lane compared with the signed trailer.
//!
//! Findings are named rather than counted, because "invalid" tells an investigator nothing. What no verifier of one
//! file can see is a database restored to an older state; with an earlier trailer that shows too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crypto::key::PublicKey;

use super::Event;
use super::chain::{GENESIS, link_hash};
use super::export::{EventLine, LaneHead, Trailer, TrailerLine};
use crate::ids::{LaneId, TenantId};

/// One thing that is wrong, with the line (from 1) or lane where it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The line is not one this format has.
    Malformed { line: usize },
    /// The event or its hash was changed.
    Altered { line: usize },
    /// The personal fields do not match the event's commitment.
    PersonalAltered { line: usize },
    /// Events are missing before this line.
    Dropped { line: usize, missing: u64 },
    /// An event stands again.
    Duplicated { line: usize },
    /// An event stands after a later one of its lane.
    Reordered { line: usize },
    /// The lane ends before the trailer's head.
    CutTail { lane: LaneId, expected: u64, found: u64 },
    /// The lane's last hash is not the trailer's.
    HeadMismatch { lane: LaneId },
    /// The lane is not in the trailer.
    UnknownLane { lane: LaneId },
    /// The file has no trailer as its last line.
    NoTrailer,
    /// The trailer's signature does not verify.
    BadSignature,
    /// The trailer is signed by another key than the trusted one.
    UntrustedKey,
    /// An earlier trailer knows events of this lane that are gone or different: an older state was restored.
    RolledBack { lane: LaneId },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line } => write!(f, "line {line}: not an audit line"),
            Self::Altered { line } => write!(f, "line {line}: altered event"),
            Self::PersonalAltered { line } => write!(f, "line {line}: altered personal fields"),
            Self::Dropped { line, missing } => write!(f, "line {line}: {missing} event(s) dropped before it"),
            Self::Duplicated { line } => write!(f, "line {line}: duplicated event"),
            Self::Reordered { line } => write!(f, "line {line}: reordered event"),
            Self::CutTail { lane, expected, found } => write!(f, "lane {lane}: tail cut, {found} of {expected} events"),
            Self::HeadMismatch { lane } => write!(f, "lane {lane}: last hash differs from the trailer"),
            Self::UnknownLane { lane } => write!(f, "lane {lane}: not in the trailer"),
            Self::NoTrailer => f.write_str("no trailer: the end of the file was cut"),
            Self::BadSignature => f.write_str("trailer: signature does not verify"),
            Self::UntrustedKey => f.write_str("trailer: signed by another key than the trusted one"),
            Self::RolledBack { lane } => write!(f, "lane {lane}: an older state was restored"),
        }
    }
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Event lines read.
    pub events: u64,
    /// Lanes seen.
    pub lanes: usize,
    /// Everything that is wrong; empty means the trail is whole.
    pub findings: Vec<Finding>,
    /// The key that signed the trailer: to be compared with the one the operator knows.
    pub signer: Option<String>,
    /// Whether the signer was given as trusted; otherwise the file vouches for itself only.
    pub trusted: bool,
}

/// What is trusted beforehand.
#[derive(Default)]
pub struct Trust {
    /// The audit key, got by another way than the file.
    pub key: Option<PublicKey>,
    /// An earlier export's last line.
    pub earlier: Option<String>,
}

/// Verifies the lines of an export.
pub fn verify<'a>(lines: impl Iterator<Item = &'a str>, trust: &Trust) -> Report {
    let mut walk = Walk::default();
    let mut trailer = None;
    for (n, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<TrailerLine>(line) {
            Ok(found) if trailer.is_none() => trailer = Some(found),
            _ => walk.event(n + 1, line, trailer.is_some()),
        }
    }
    let mut report = Report {
        events: walk.events,
        lanes: walk.lanes.len(),
        findings: Vec::new(),
        signer: None,
        trusted: trust.key.is_some(),
    };
    let lanes = std::mem::take(&mut walk.lanes);
    report.findings = walk.findings;
    match trailer {
        None => report.findings.push(Finding::NoTrailer),
        Some(line) => check_trailer(&line, &lanes, walk.tenant, trust, &mut report),
    }
    if let Some(earlier) = &trust.earlier {
        check_earlier(earlier, &lanes, trust, &mut report);
    }
    report
}

#[derive(Default)]
struct LaneState {
    /// Hash of every link by position; the last is the head.
    hashes: BTreeMap<u64, [u8; 32]>,
}

#[derive(Default)]
struct Walk {
    events: u64,
    tenant: Option<TenantId>,
    lanes: BTreeMap<LaneId, LaneState>,
    findings: Vec<Finding>,
}

impl Walk {
    fn event(&mut self, line: usize, text: &str, after_trailer: bool) {
        let parsed = serde_json::from_str::<EventLine>(text).ok();
        let Some(parsed) = parsed.filter(|_| !after_trailer) else {
            self.findings.push(Finding::Malformed { line });
            return;
        };
        let Ok(event) = Event::parse(parsed.event.get().as_bytes()) else {
            self.findings.push(Finding::Malformed { line });
            return;
        };
        self.events += 1;
        self.tenant.get_or_insert(event.tenant);
        self.check_content(line, &parsed, &event);
        self.check_position(line, &parsed);
    }

    fn check_content(&mut self, line: usize, parsed: &EventLine, event: &Event<'_>) {
        let hash = read_hash(&parsed.prev)
            .map(|before| link_hash(parsed.lane, event.tenant, parsed.seq, &before, parsed.event.get().as_bytes()));
        if hash.is_none() || hash != read_hash(&parsed.hash) || self.tenant != Some(event.tenant) {
            self.findings.push(Finding::Altered { line });
        }
        if parsed.personal.as_ref().is_some_and(|personal| hex::encode(personal.commitment()) != event.commitment) {
            self.findings.push(Finding::PersonalAltered { line });
        }
    }

    fn check_position(&mut self, line: usize, parsed: &EventLine) {
        let lane = self.lanes.entry(parsed.lane).or_default();
        let (last, head) = lane.hashes.last_key_value().map_or((0, GENESIS), |(seq, hash)| (*seq, *hash));
        let hash = read_hash(&parsed.hash).unwrap_or(GENESIS);
        if lane.hashes.contains_key(&parsed.seq) {
            self.findings.push(Finding::Duplicated { line });
            return;
        }
        if parsed.seq < last {
            self.findings.push(Finding::Reordered { line });
        } else if parsed.seq != last + 1 {
            self.findings.push(Finding::Dropped { line, missing: parsed.seq.saturating_sub(last + 1) });
        } else if read_hash(&parsed.prev) != Some(head) {
            self.findings.push(Finding::Altered { line });
        }
        lane.hashes.insert(parsed.seq, hash);
    }
}

fn check_trailer(
    line: &TrailerLine,
    lanes: &BTreeMap<LaneId, LaneState>,
    tenant: Option<TenantId>,
    trust: &Trust,
    report: &mut Report,
) {
    let Some(trailer) = signed_trailer(line, trust, report) else { return };
    if trailer.count != report.events || tenant.is_some_and(|tenant| tenant != trailer.tenant) {
        report.findings.push(Finding::BadSignature);
    }
    let known: BTreeSet<LaneId> = trailer.heads.iter().map(|head| head.lane).collect();
    report
        .findings
        .extend(lanes.keys().filter(|lane| !known.contains(lane)).map(|lane| Finding::UnknownLane { lane: *lane }));
    for head in &trailer.heads {
        let found = lanes.get(&head.lane).and_then(|lane| lane.hashes.last_key_value());
        match found {
            Some((seq, hash)) if *seq == head.count && Some(*hash) == read_hash(&head.hash) => {}
            Some((seq, _)) if *seq == head.count => report.findings.push(Finding::HeadMismatch { lane: head.lane }),
            found => report.findings.push(Finding::CutTail {
                lane: head.lane,
                expected: head.count,
                found: found.map_or(0, |(seq, _)| *seq),
            }),
        }
    }
    // The count differs whenever events were dropped or doubled; those findings already say so better.
    if report.findings.len() > 1 {
        report.findings.retain(|finding| *finding != Finding::BadSignature || trailer.count == report.events);
    }
}

/// The trailer if its signature verifies under the trusted key, or under its own when none is trusted.
fn signed_trailer(line: &TrailerLine, trust: &Trust, report: &mut Report) -> Option<Trailer> {
    let signer = STANDARD.decode(&line.public_key).ok().and_then(|der| PublicKey::from_spki_der(&der).ok());
    let signature = STANDARD.decode(&line.signature).ok();
    let (Some(signer), Some(signature)) = (signer, signature) else {
        report.findings.push(Finding::BadSignature);
        return None;
    };
    report.signer = Some(signer.thumbprint());
    if trust.key.as_ref().is_some_and(|key| key.raw() != signer.raw()) {
        report.findings.push(Finding::UntrustedKey);
        return None;
    }
    let trailer = serde_json::from_str(line.trailer.get()).ok();
    if trailer.is_none() || !signer.verify(line.trailer.get().as_bytes(), &signature) {
        report.findings.push(Finding::BadSignature);
        return None;
    }
    trailer
}

/// Every lane that the earlier trailer knew must still have, at that position, that hash.
fn check_earlier(earlier: &str, lanes: &BTreeMap<LaneId, LaneState>, trust: &Trust, report: &mut Report) {
    let Ok(line) = serde_json::from_str::<TrailerLine>(earlier) else {
        report.findings.push(Finding::BadSignature);
        return;
    };
    let signer = report.signer.clone();
    let Some(trailer) = signed_trailer(&line, trust, report) else { return };
    if signer != report.signer {
        report.findings.push(Finding::UntrustedKey);
    }
    let holds = |head: &LaneHead| {
        head.count == 0
            || lanes.get(&head.lane).and_then(|lane| lane.hashes.get(&head.count)).copied() == read_hash(&head.hash)
    };
    report
        .findings
        .extend(trailer.heads.iter().filter(|head| !holds(head)).map(|head| Finding::RolledBack { lane: head.lane }));
}

fn read_hash(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}
