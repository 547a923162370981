//! Tampering, one row each: whatever is done to an export must be named.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;

use super::chain::{Chain, GENESIS, Record};
use super::export::{EventLine, LaneHead, Trailer, TrailerLine};
use super::verify::{Finding, Trust, verify};
use super::*;
use crate::ids::LaneId;

struct Fixed;

impl crypto::random::Random for Fixed {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

fn event(n: u8) -> Draft<'static> {
    let personal = Personal { salt: format!("{n:032x}"), ip_address: Some("192.0.2.7".into()), user_agent: None };
    let event = Event {
        id: EventId::from_random([n; 16]),
        at: Timestamp::from_millis(i64::from(n)),
        tenant: tenant(),
        action: "SecretRead".into(),
        category: "secrets".into(),
        outcome: Outcome::Success,
        actor: "apikey:ci".into(),
        actor_type: "apiKey".into(),
        actor_id: None,
        resource_type: "Secret".into(),
        resource_id: "".into(),
        resource_name: None,
        error: None,
        algorithm: None,
        version: None,
        channel: None,
        valid: None,
        batch_size: None,
        failed_items: None,
        note: None,
        request_id: None,
        commitment: hex::encode(personal.commitment()).into(),
    };
    Draft { event: serde_json::to_vec(&event).unwrap().into(), personal: serde_json::to_vec(&personal).unwrap().into() }
}

fn tenant() -> TenantId {
    TenantId::from_bytes([9; 16])
}

fn export(count: u8) -> Vec<String> {
    let lane = LaneId::from_bytes([3; 16]);
    let mut chain = Chain::new(lane);
    let mut before = GENESIS;
    let mut lines = Vec::new();
    for n in 1..=count {
        let linked = chain.link(tenant(), &event(n).encode());
        let record = Record::decode(&linked).unwrap();
        let line = EventLine {
            lane,
            seq: record.seq,
            prev: hex::encode(before),
            hash: hex::encode(record.hash),
            event: record.draft.raw().unwrap(),
            personal: serde_json::from_slice(&record.draft.personal).ok(),
        };
        before = record.hash;
        lines.push(serde_json::to_string(&line).unwrap());
    }
    let heads = vec![LaneHead { lane, count: u64::from(count), hash: hex::encode(chain.head(tenant()).hash) }];
    lines.push(trailer(&Trailer { tenant: tenant(), at: Timestamp::from_millis(99), count: u64::from(count), heads }));
    lines
}

fn trailer(trailer: &Trailer) -> String {
    let key = PrivateKey::generate(Algorithm::MlDsa65, &Fixed).unwrap();
    let text = serde_json::to_string(trailer).unwrap();
    let line = TrailerLine {
        signature: STANDARD.encode(key.sign(text.as_bytes(), &Fixed).unwrap()),
        public_key: STANDARD.encode(key.public_key().unwrap().to_spki_der()),
        trailer: RawValue::from_string(text).unwrap(),
    };
    serde_json::to_string(&line).unwrap()
}

fn findings(lines: &[String], earlier: Option<&String>) -> Vec<Finding> {
    let trust = Trust { key: None, earlier: earlier.cloned() };
    verify(lines.iter().map(String::as_str), &trust).findings
}

#[test]
fn an_untouched_export_is_whole_and_extends_an_earlier_one() {
    assert_eq!(findings(&export(5), None), []);
    assert_eq!(findings(&export(5), export(3).last()), []);
}

#[test]
fn every_tampering_is_named() {
    let lane = LaneId::from_bytes([3; 16]);
    let whole = export(5);
    type Tamper = fn(&mut Vec<String>);
    let rows: [(Tamper, Finding); 8] = [
        (|lines| lines[1] = lines[1].replace("SecretRead", "SecretReaD"), Finding::Altered { line: 2 }),
        (|lines| lines[1] = lines[1].replace("192.0.2.7", "192.0.2.8"), Finding::PersonalAltered { line: 2 }),
        (|lines| drop(lines.remove(2)), Finding::Dropped { line: 3, missing: 1 }),
        (|lines| lines.swap(1, 2), Finding::Reordered { line: 3 }),
        (|lines| lines.insert(2, lines[1].clone()), Finding::Duplicated { line: 3 }),
        (|lines| drop(lines.remove(4)), Finding::CutTail { lane: LaneId::from_bytes([3; 16]), expected: 5, found: 4 }),
        (|lines| lines.truncate(3), Finding::NoTrailer),
        (|lines| lines[5] = lines[5].replace("\"count\":5", "\"count\":6"), Finding::BadSignature),
    ];
    for (tamper, finding) in rows {
        let mut lines = whole.clone();
        tamper(&mut lines);
        let found = findings(&lines, None);
        assert!(found.contains(&finding), "{finding:?} not in {found:?}");
    }
    assert!(findings(&export(3), whole.last()).contains(&Finding::RolledBack { lane }));
}

#[test]
fn a_trailer_of_another_key_is_not_trusted() {
    let other = PrivateKey::generate(Algorithm::MlDsa65, &Other).unwrap().public_key();
    let trust = Trust { key: other, earlier: None };
    let lines = export(1);
    assert_eq!(verify(lines.iter().map(String::as_str), &trust).findings, [Finding::UntrustedKey]);
}

struct Other;

impl crypto::random::Random for Other {
    fn fill(&self, out: &mut [u8]) {
        out.fill(8);
    }
}
