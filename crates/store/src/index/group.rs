//! The groups of a batch: events that agree in everything one can filter by, and in the second they happened in.
//!
//! The second bounds how far a group reaches: a request that took long is recorded when it ends and dated when it began, and one
//! such event must not make a group that every page of the minutes between has to look into.

use std::borrow::Cow;
use std::collections::HashMap;

use domain::audit::chain::Record;
use domain::audit::{Event, FoundBy, Outcome};
use domain::ids::TenantId;
use domain::time::SECOND_MS;

use crate::batch::Batch;
use crate::stmt::{Stmt, sql};

/// The events of a group are closer together than this.
pub(crate) const REACH_MS: i64 = SECOND_MS;

/// The longest text of the index in bytes. Ids of ours are shorter; what a stranger names so may be anything, and PostgreSQL has no
/// index over long texts.
const TEXT_MAX: usize = 1_024;

/// What the events of a group agree in.
#[derive(PartialEq, Eq, Hash)]
struct Kind<'a> {
    tenant: TenantId,
    second: i64,
    category: Cow<'a, str>,
    action: Cow<'a, str>,
    outcome: &'static str,
    actor: Cow<'a, str>,
    actor_id: Option<Cow<'a, str>>,
    resource_type: Cow<'a, str>,
    resource_id: Cow<'a, str>,
}

pub(super) struct Group<'a> {
    kind: Kind<'a>,
    first_at: i64,
    last_at: i64,
    /// Places in the batch.
    pub members: Vec<u16>,
}

/// The groups of a batch in the order of their first events, which is the same whoever computes it. A record whose event this
/// version cannot read stays in its lane, where the verifier shows it, and out of the index.
pub(super) fn of<'a>(batch: &'a Batch, records: &'a [Record<'_>]) -> Vec<Group<'a>> {
    let mut places: HashMap<Kind<'_>, Vec<(u16, i64)>> = HashMap::new();
    for (place, record) in (0..=u16::MAX).zip(records) {
        let found_by = match batch.found_by(place.into()) {
            Some(known) => Ok(known.lent()),
            None => record.draft.parsed().map(Event::found_by),
        };
        match found_by {
            Ok(found_by) => {
                let at = found_by.at.millis();
                places.entry(Kind::of(record.tenant, found_by)).or_default().push((place, at));
            }
            Err(_) => {
                tracing::warn!(audit.lane = %batch.lane, audit.seq = batch.seq, audit.pos = place, "an audit event cannot be read");
            }
        }
    }
    let mut groups: Vec<Group<'_>> = places.into_iter().map(|(kind, places)| Group::new(kind, &places)).collect();
    groups.sort_by_key(|group| group.members.first().copied());
    groups
}

impl<'a> Kind<'a> {
    fn of(tenant: TenantId, event: FoundBy<'a>) -> Self {
        Self {
            tenant,
            second: event.at.millis().div_euclid(REACH_MS),
            category: event.category,
            action: event.action,
            outcome: match event.outcome {
                Outcome::Success => "success",
                Outcome::Failure => "failure",
                Outcome::Denied => "denied",
            },
            actor: indexed(event.actor),
            actor_id: event.actor_id.map(indexed),
            resource_type: event.resource_type,
            resource_id: indexed(event.resource_id),
        }
    }
}

/// A text as the index has it: one that it could not hold would keep everything behind it out. The event has it whole.
fn indexed(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= TEXT_MAX && !text.contains('\0') {
        return text;
    }
    text[..text.floor_char_boundary(TEXT_MAX)].replace('\0', "\u{fffd}").into()
}

impl<'a> Group<'a> {
    fn new(kind: Kind<'a>, places: &[(u16, i64)]) -> Self {
        let times = || places.iter().map(|(_, at)| *at);
        Self {
            first_at: times().min().unwrap_or_default(),
            last_at: times().max().unwrap_or_default(),
            members: places.iter().map(|(place, _)| *place).collect(),
            kind,
        }
    }

    /// `n` tells the groups of one batch apart.
    pub fn insert(&self, batch: &Batch, n: i64) -> Stmt {
        let members: Vec<u8> = self.members.iter().flat_map(|place| place.to_be_bytes()).collect();
        sql("INSERT INTO audit_group (tenant, last_at, lane, seq, n, first_at, cnt, category, action, outcome, actor, actor_id,
                                      resource_type, resource_id, members)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT (tenant, last_at, lane, seq, n) DO NOTHING")
        .bind(self.kind.tenant.as_bytes())
        .bind(self.last_at)
        .bind(batch.lane.as_bytes())
        .bind(batch.seq)
        .bind(n)
        .bind(self.first_at)
        .bind(i64::try_from(self.members.len()).unwrap_or(i64::MAX))
        .bind(&*self.kind.category)
        .bind(&*self.kind.action)
        .bind(self.kind.outcome)
        .bind(self.kind.actor.to_lowercase())
        .bind(self.kind.actor_id.as_deref())
        .bind(&*self.kind.resource_type)
        .bind(&*self.kind.resource_id)
        .bind(members)
    }
}

#[cfg(test)]
mod tests {
    use domain::audit::Draft;
    use domain::ids::LaneId;

    use super::*;
    use crate::batch::{Entry, Lane};
    use crate::row::Row;

    fn entry(n: u8) -> Entry {
        let (outcome, at) = (if n.is_multiple_of(3) { "denied" } else { "success" }, 1_000 + i64::from(n));
        let credential = if n.is_multiple_of(5) { r#""actorId":"7","# } else { "" };
        let [id, tenant] = [[n; 16], [n % 2; 16]].map(TenantId::from_bytes);
        let json = format!(
            r#"{{"id":"{id}","at":{at},"tenant":"{tenant}","action":"SecretRead","category":"secrets","outcome":"{outcome}",{credential}
            "actor":"apikey:\"ci\"","actorType":"apiKey","resourceType":"Secret","resourceId":"a/\u00e4","commitment":"00"}}"#
        );
        let event = Event::parse(json.as_bytes()).unwrap();
        let body = Draft::encode_event(&event, &[]).unwrap();
        Entry { tenant: event.tenant, body, found_by: n.is_multiple_of(2).then(|| event.found_by().into_owned()) }
    }

    #[test]
    fn a_text_that_no_index_holds_is_cut_and_others_are_as_they_are() {
        let usual = "a/\u{e4}";
        assert!(matches!(indexed(usual.into()), Cow::Borrowed(text) if text == usual));
        assert_eq!(indexed("a\0b".into()), "a\u{fffd}b");
        let long = indexed("\u{e4}".repeat(TEXT_MAX).into());
        assert_eq!(long.len(), TEXT_MAX);
        assert_eq!(indexed(format!("a{}", "\u{e4}".repeat(TEXT_MAX)).into()).len(), TEXT_MAX - 1);
    }

    /// What stands in the index for a batch.
    fn index(batch: &Batch) -> Vec<Stmt> {
        let records: Vec<_> = batch.records().collect();
        of(batch, &records).iter().zip(0..).map(|(group, n)| group.insert(batch, n)).collect()
    }

    #[test]
    fn what_is_known_of_events_gives_the_groups_that_reading_them_gives() {
        let linked = Lane::new(LaneId::from_bytes([9; 16])).link((0..40).map(entry).collect());
        let stored = linked.insert().args;
        let read = Batch::from_row(Row([0, 1, 5, 6, 7].map(|column| stored[column].clone()).to_vec())).unwrap();
        let (known, read) = (index(&linked), index(&read));
        assert!(known.len() > 4);
        assert_eq!(known.len(), read.len());
        assert!(known.iter().zip(&read).all(|(known, read)| known.args == read.args));
    }
}
