//! Reading the audit log: pages of the index, and the lanes themselves for an export.

use domain::audit::Draft;
use domain::audit::chain::{GENESIS, Head, Record};
use domain::authz::{Authorized, ReadAudit};
use domain::ids::{EventId, LaneId, TenantId};
use domain::time::Timestamp;

use crate::batch::Batch;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::index;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// The condition of a [`Filter`], parameters 1 to 10.
macro_rules! matching {
    () => {
        "WHERE tenant = $1 AND at >= $2 AND at <= $3
           AND (CAST($4 AS TEXT) IS NULL OR category = $4)
           AND (CAST($5 AS TEXT) IS NULL OR $5 LIKE '%,' || lower(action) || ',%')
           AND (CAST($6 AS TEXT) IS NULL OR outcome = $6)
           AND (CAST($7 AS TEXT) IS NULL OR actor LIKE $7 ESCAPE '\\')
           AND (CAST($8 AS TEXT) IS NULL OR actor_id = $8)
           AND (CAST($9 AS TEXT) IS NULL OR resource_type = $9)
           AND (CAST($10 AS TEXT) IS NULL OR resource_id = $10) "
    };
}

const MOST_ROWS: u32 = 1_000;
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
    pub draft: Draft,
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
        let (skip, before) = match start {
            Start::Offset(skip) => (skip, (i64::MAX, [0xff; 16])),
            Start::After(at, id) => (0, (at.millis(), *id.as_bytes())),
        };
        let page = filter
            .bind(
                sql(concat!(
                    "SELECT at, id, body FROM audit_event ",
                    matching!(),
                    "AND (at, id) < ($11, $12) ORDER BY at DESC, id DESC LIMIT $13 OFFSET $14"
                )),
                who.tenant(),
            )
            .bind(before.0)
            .bind(before.1)
            .bind(limit.min(MOST_ROWS))
            .bind(skip);
        self.index.scan(page).await?.iter().map(Found::from_row).collect()
    }

    /// How many events match, counted up to 100,000.
    pub async fn audit_count(&self, who: &Authorized<ReadAudit>, filter: &Filter) -> Result<u64> {
        let count = filter.bind(
            sql(concat!("SELECT COUNT(*) FROM (SELECT id FROM audit_event ", matching!(), "LIMIT 100000) AS matching")),
            who.tenant(),
        );
        let rows = self.index.scan(count).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        u64::try_from(count).map_err(Error::other)
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
    pub record: Record,
}

impl Export {
    /// The next events; `None` at the end. An answer may be empty: batches hold the events of all tenants.
    pub async fn next(&mut self) -> Result<Option<Vec<Exported>>> {
        let Some((source, lane, last)) = self.lanes.last().cloned() else {
            return Ok(None);
        };
        let page = Batch::select().bind(lane.as_bytes()).bind(self.next_seq).bind(EXPORT_BATCHES);
        let rows = source.scan(page).await?;
        let mut out = Vec::new();
        for row in &rows {
            let batch = Batch::from_row(row)?;
            if batch.seq > last {
                break;
            }
            self.next_seq = batch.seq + 1;
            let own = batch.records.into_iter().filter(|record| record.tenant == self.tenant);
            for record in own {
                let prev = self.head.map_or(GENESIS, |head| head.hash);
                self.head = Some(Head { count: record.seq, hash: record.hash });
                out.push(Exported { lane, prev, record });
            }
        }
        if rows.is_empty() || self.next_seq > last {
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
    /// Parameters 1 to 10.
    fn bind(&self, statement: Stmt, tenant: TenantId) -> Stmt {
        let actions = (!self.actions.is_empty()).then(|| format!(",{},", self.actions.join(",").to_lowercase()));
        statement
            .bind(tenant.as_bytes())
            .bind(self.from.map_or(i64::MIN, Timestamp::millis))
            .bind(self.to.map_or(i64::MAX, Timestamp::millis))
            .bind(self.category.as_ref())
            .bind(actions)
            .bind(self.outcome.as_ref())
            .bind(self.actor.as_ref().map(|part| format!("%{}%", escape(&part.to_lowercase()))))
            .bind(self.actor_id.as_ref())
            .bind(self.resource_type.as_ref())
            .bind(self.resource_id.as_ref())
    }
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
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            at: Timestamp::from_millis(row.int(0)?),
            id: EventId::from_bytes(row.array(1)?),
            draft: Draft::decode(row.blob(2)?).map_err(|_| Error::corrupt("an audit event that cannot be read"))?,
        })
    }
}
