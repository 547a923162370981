//! Reading the audit log: pages of the index, and the lanes themselves for an export.

mod merge;

use std::collections::HashMap;
use std::sync::Arc;

use domain::audit::Draft;
use domain::audit::chain::{GENESIS, Head, Record};
use domain::authz::{Authorized, ReadAudit};
use domain::ids::{EventId, LaneId, TenantId};
use domain::time::Timestamp;

use crate::batch::Batch;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::index;
use crate::index::group::REACH_MS;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

use merge::{Group, Merge, Place};

/// The condition of a [`Filter`], parameters 1 to 10: groups that may hold an event between the second and the third. The fourth
/// is where the index need not be looked at any further.
macro_rules! matching {
    () => {
        "WHERE tenant = $1 AND last_at >= $2 AND first_at <= $3 AND last_at < $4
           AND (CAST($5 AS TEXT) IS NULL OR category = $5)
           AND (CAST($6 AS TEXT) IS NULL OR $6 LIKE '%,' || lower(action) || ',%')
           AND (CAST($7 AS TEXT) IS NULL OR outcome = $7)
           AND (CAST($8 AS TEXT) IS NULL OR actor LIKE $8 ESCAPE '\\')
           AND (CAST($9 AS TEXT) IS NULL OR actor_id = $9)
           AND (CAST($10 AS TEXT) IS NULL OR resource_type = $10) "
    };
}

/// What is read of a group, newest first from a place on, parameters 11 to 14.
macro_rules! columns {
    () => {
        "SELECT last_at, lane, seq, n, first_at, cnt, members FROM audit_group "
    };
}

macro_rules! newest_first {
    () => {
        "AND (last_at, lane, seq, n) < ($11, $12, $13, $14) ORDER BY last_at DESC, lane DESC, seq DESC, n DESC LIMIT $15"
    };
}

const MOST_ROWS: u32 = 1_000;
/// Groups read at once.
const GROUPS: i64 = 256;
/// Batches whose events are held while a page is put together.
const HELD_BATCHES: usize = 16;
const MOST_COUNTED: i64 = 100_000;
const EXPORT_BATCHES: i64 = 4;

/// What to look for; an absent field matches everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub category: Option<String>,
    /// Any of these, in any case.
    pub actions: Vec<String>,
    pub outcome: Option<String>,
    /// A part of the actor, in any case.
    pub actor: Option<String>,
    pub actor_id: Option<String>,
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Up to and including this instant.
    pub to: Option<Timestamp>,
}

/// Where a page begins, newest first.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    Offset(u32),
    /// Behind this event: cheap however far back.
    After(Timestamp, EventId),
}

/// One event of a page.
#[derive(Clone, Debug)]
pub struct Found {
    pub at: Timestamp,
    pub id: EventId,
    pub draft: Draft<'static>,
}

impl Store {
    /// One page, newest first, of at most 1,000 events.
    pub async fn audit_events(
        &self,
        who: &Authorized<ReadAudit>,
        filter: &Filter,
        start: Start,
        limit: u32,
    ) -> Result<Vec<Found>> {
        let mut merge = Merge::new(filter, start, limit.min(MOST_ROWS));
        let mut events = Events::new(self);
        let mut groups = Groups::newest_first(self, who.tenant(), filter, merge.newest());
        while let Some(group) = groups.next().await? {
            if merge.reach(group.place.last_at, &mut events).await? {
                return Ok(merge.into_page());
            }
            merge.add(group);
        }
        merge.reach(i64::MIN, &mut events).await?;
        Ok(merge.into_page())
    }

    /// How many events match, counted up to 100,000.
    pub async fn audit_count(&self, who: &Authorized<ReadAudit>, filter: &Filter) -> Result<u64> {
        let whole = match &filter.resource_id {
            None => sql(concat!(
                "SELECT CAST(COALESCE(SUM(cnt), 0) AS BIGINT) FROM (SELECT cnt FROM audit_group ",
                matching!(),
                "AND first_at >= $2 AND last_at <= $3 LIMIT 100000) AS matching"
            )),
            Some(_) => sql(concat!(
                "SELECT CAST(COALESCE(SUM(cnt), 0) AS BIGINT) FROM (SELECT cnt FROM audit_group ",
                matching!(),
                "AND first_at >= $2 AND last_at <= $3 AND resource_id = $11 LIMIT 100000) AS matching"
            )),
        };
        let whole = filter.bind(whole, who.tenant(), filter.latest()).bind_some(filter.resource_id.as_ref());
        let rows = self.index.scan(whole).await?;
        let mut count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        // Groups that lie across an end of the time asked for: all within a second of it.
        if let Some(from) = filter.from {
            count += self.count_across(who, filter, from, i64::MIN).await?;
        }
        if let Some(to) = filter.to {
            count += self.count_across(who, filter, to, filter.earliest()).await?;
        }
        u64::try_from(count.min(MOST_COUNTED)).map_err(Error::other)
    }

    /// Matching events of groups that reach across `end` and out of the time asked for. A group that begins no later than
    /// `counted` has been counted at the other end.
    async fn count_across(
        &self,
        who: &Authorized<ReadAudit>,
        filter: &Filter,
        end: Timestamp,
        counted: i64,
    ) -> Result<i64> {
        let (from, to) = (filter.earliest(), filter.latest());
        let at_end = Filter { from: Some(end), to: Some(end), ..filter.clone() };
        let mut groups = Groups::newest_first(self, who.tenant(), &at_end, i64::MAX);
        let mut events = Events::new(self);
        let mut count = 0;
        while let Some(group) = groups.next().await? {
            let is_whole = group.first_at >= from && group.place.last_at <= to;
            if !is_whole && (counted == i64::MIN || group.first_at > counted) {
                let found = events.of(&group).await?;
                count += found.iter().filter(|found| (from..=to).contains(&found.at.millis())).count() as i64;
            }
        }
        Ok(count)
    }

    /// Begins an export of the tenant's chains, up to where each lane ends now.
    pub async fn audit_export(&self, who: &Authorized<ReadAudit>) -> Result<Export> {
        let mut lanes = Vec::new();
        for source in self.lanes() {
            for (lane, head) in index::heads(source).await? {
                lanes.push((source.clone(), lane, head));
            }
        }
        // In order of lane id, read from the back.
        lanes.sort_by_key(|(_, lane, _)| std::cmp::Reverse(*lane));
        Ok(Export { tenant: who.tenant(), lanes, next_seq: 1, head: None, heads: Vec::new() })
    }

    /// The databases that hold batches.
    pub(crate) fn lanes(&self) -> Vec<&Db> {
        match self.is_shared() {
            true => vec![&self.main],
            false => vec![&self.main, &self.lane],
        }
    }
}

/// An export under way: lane after lane, each from its start.
pub struct Export {
    tenant: TenantId,
    lanes: Vec<(Db, LaneId, i64)>,
    next_seq: i64,
    head: Option<Head>,
    heads: Vec<(LaneId, Head)>,
}

/// One event of an export, with the hash of the link before it.
#[derive(Clone, Debug)]
pub struct Exported {
    pub lane: LaneId,
    pub prev: [u8; 32],
    pub record: Record<'static>,
}

impl Export {
    /// The next events; `None` at the end. An answer may be empty: batches hold the events of all tenants.
    pub async fn next(&mut self) -> Result<Option<Vec<Exported>>> {
        let Some((source, lane, last)) = self.lanes.last().cloned() else {
            return Ok(None);
        };
        let page = Batch::select().bind(lane.as_bytes()).bind(self.next_seq).bind(EXPORT_BATCHES);
        let rows = source.scan(page).await?;
        let (mut out, is_end) = (Vec::new(), rows.is_empty());
        for row in rows {
            let batch = Batch::from_row(row)?;
            if batch.seq > last {
                break;
            }
            self.next_seq = batch.seq + 1;
            for record in batch.records().filter(|record| record.tenant == self.tenant) {
                let prev = self.head.map_or(GENESIS, |head| head.hash);
                self.head = Some(Head { count: record.seq, hash: record.hash });
                out.push(Exported { lane, prev, record: record.into_owned() });
            }
        }
        if is_end || self.next_seq > last {
            self.lanes.pop();
            self.next_seq = 1;
            self.heads.extend(self.head.take().map(|head| (lane, head)));
        }
        Ok(Some(out))
    }

    /// The head of every lane in which the tenant has events, in order of lane id; complete once [`Export::next`] said `None`.
    pub fn into_heads(self) -> Vec<(LaneId, Head)> {
        self.heads
    }
}

impl Filter {
    fn earliest(&self) -> i64 {
        self.from.map_or(i64::MIN, Timestamp::millis)
    }

    fn latest(&self) -> i64 {
        self.to.map_or(i64::MAX, Timestamp::millis)
    }

    /// Parameters 1 to 10; nothing that begins after `newest` matches.
    fn bind(&self, statement: Stmt, tenant: TenantId, newest: i64) -> Stmt {
        let actions = (!self.actions.is_empty()).then(|| format!(",{},", self.actions.join(",").to_lowercase()));
        statement
            .bind(tenant.as_bytes())
            .bind(self.earliest())
            .bind(newest)
            .bind(newest.saturating_add(REACH_MS))
            .bind(self.category.as_ref())
            .bind(actions)
            .bind(self.outcome.as_ref())
            .bind(self.actor.as_ref().map(|part| format!("%{}%", escape(&part.to_lowercase()))))
            .bind(self.actor_id.as_ref())
            .bind(self.resource_type.as_ref())
    }
}

/// The matching groups of the index, newest first.
struct Groups<'s> {
    store: &'s Store,
    tenant: TenantId,
    filter: &'s Filter,
    newest: i64,
    after: Place,
    read: std::vec::IntoIter<Row>,
    is_last: bool,
}

impl<'s> Groups<'s> {
    fn newest_first(store: &'s Store, tenant: TenantId, filter: &'s Filter, newest: i64) -> Self {
        let newest = newest.min(filter.latest());
        Self { store, tenant, filter, newest, after: Place::before_all(), read: Vec::new().into_iter(), is_last: false }
    }

    async fn next(&mut self) -> Result<Option<Group>> {
        if self.read.len() == 0 && !self.is_last {
            let rows = self.store.index.scan(self.page()).await?;
            self.is_last = (rows.len() as i64) < GROUPS;
            self.read = rows.into_iter();
        }
        let group = self.read.next().map(|row| Group::from_row(&row)).transpose()?;
        if let Some(group) = &group {
            self.after = group.place;
        }
        Ok(group)
    }

    fn page(&self) -> Stmt {
        // A statement of its own: as one more condition that may be absent, the resource would not be looked up in its index.
        let page = match &self.filter.resource_id {
            None => sql(concat!(columns!(), matching!(), newest_first!())),
            Some(_) => sql(concat!(columns!(), matching!(), "AND resource_id = $16 ", newest_first!())),
        };
        let Place { last_at, lane, seq, n } = self.after;
        self.filter
            .bind(page, self.tenant, self.newest)
            .bind(last_at)
            .bind(lane.as_bytes())
            .bind(seq)
            .bind(n)
            .bind(GROUPS)
            .bind_some(self.filter.resource_id.as_ref())
    }
}

/// Events by group. Groups of one batch come one after the other more often than not, so a few batches are held.
struct Events<'s> {
    store: &'s Store,
    batches: HashMap<(LaneId, i64), Arc<Batch>>,
}

impl<'s> Events<'s> {
    fn new(store: &'s Store) -> Self {
        Self { store, batches: HashMap::new() }
    }

    async fn of(&mut self, group: &Group) -> Result<Vec<Found>> {
        let batch = self.batch(group.place.lane, group.place.seq).await?;
        let records = group.members.iter().map(|member| batch.record(usize::from(*member)));
        records.map(|record| record.and_then(Found::of).ok_or_else(astray)).collect()
    }

    async fn batch(&mut self, lane: LaneId, seq: i64) -> Result<Arc<Batch>> {
        if let Some(held) = self.batches.get(&(lane, seq)) {
            return Ok(Arc::clone(held));
        }
        let one = Batch::select().bind(lane.as_bytes()).bind(seq).bind(1i64);
        for source in self.store.lanes().into_iter().rev() {
            let row = source.scan(one.clone()).await?.pop();
            let Some(batch) = row.map(Batch::from_row).transpose()?.filter(|batch| batch.seq == seq) else {
                continue;
            };
            if self.batches.len() >= HELD_BATCHES {
                self.batches.clear();
            }
            let batch = Arc::new(batch);
            self.batches.insert((lane, seq), Arc::clone(&batch));
            return Ok(batch);
        }
        Err(astray())
    }
}

fn astray() -> Error {
    Error::corrupt("the audit index names an event that is not there")
}

/// Makes text match itself in LIKE with a backslash as the escape.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

impl Found {
    fn of(record: Record<'_>) -> Option<Self> {
        let event = record.draft.parsed().ok()?;
        Some(Self { at: event.at, id: event.id, draft: record.draft.clone().into_owned() })
    }
}
