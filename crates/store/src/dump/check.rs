//! Goes through a dump record by record: order, tables, counts, the digest, and the audit chains in it.

use std::collections::HashMap;

use crypto::hash::sha256;
use domain::audit::chain::{GENESIS, Head, link_hash};
use domain::ids::{LaneId, TenantId};

use super::{Bad, Record, TABLES, Table, schema};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::row::Row;
use crate::value::Value;

/// Takes every record of a dump and says at the end whether it is whole.
#[derive(Default)]
pub struct Check {
    begun: bool,
    ended: bool,
    table: Option<&'static Table>,
    rows: u64,
    digest: [u8; 32],
    batches: HashMap<LaneId, (i64, [u8; 32])>,
    heads: HashMap<(LaneId, TenantId), Head>,
}

impl Check {
    pub fn take(&mut self, record: &Record) -> Result<()> {
        self.step(record).map_err(Error::other)?;
        if !self.ended {
            self.digest = sha256(&[&self.digest, &record.encode()]);
        }
        Ok(())
    }

    /// Rows and audit events seen, once the end has been.
    pub fn finish(&self) -> Result<(u64, u64)> {
        match self.ended {
            true => Ok((self.rows, self.heads.values().map(|head| head.count).sum())),
            false => Err(Error::other(Bad::End("there is no last record"))),
        }
    }

    pub(super) fn table(&self) -> Option<&'static Table> {
        self.table
    }

    pub(super) fn so_far(&self) -> (u64, [u8; 32]) {
        (self.rows, self.digest)
    }

    fn step(&mut self, record: &Record) -> std::result::Result<(), Bad> {
        if self.ended {
            return Err(Bad::Order("a record behind the last one"));
        }
        match record {
            Record::Header { .. } if self.begun => Err(Bad::Order("a second header")),
            Record::Header { schema: found } => {
                self.begun = true;
                let known = schema();
                if *found == known { Ok(()) } else { Err(Bad::Schema { found: *found, known }) }
            }
            _ if !self.begun => Err(Bad::Order("no header")),
            Record::Table(name) => {
                let table = TABLES.iter().find(|table| table.name == name);
                self.table = Some(table.ok_or_else(|| Bad::Table(name.clone()))?);
                Ok(())
            }
            Record::Row(values) => self.row(values),
            Record::End { rows, .. } if *rows != self.rows => Err(Bad::End("rows are missing")),
            Record::End { digest, .. } if *digest != self.digest => Err(Bad::End("the digest differs")),
            Record::End { .. } => {
                self.ended = true;
                Ok(())
            }
        }
    }

    fn row(&mut self, values: &[Value]) -> std::result::Result<(), Bad> {
        let table = self.table.ok_or(Bad::Order("a row before any table"))?;
        if values.len() != table.columns.len() {
            return Err(Bad::Row(table.name.to_owned()));
        }
        self.rows += 1;
        if table.name == "audit_batch" { self.batch(values) } else { Ok(()) }
    }

    /// Batches come lane by lane in order, so each must follow the one before, and each event the one before in its chain.
    fn batch(&mut self, values: &[Value]) -> std::result::Result<(), Bad> {
        let column = |name: &str| {
            let table = TABLES.iter().find(|table| table.name == "audit_batch")?;
            let place = table.columns.iter().position(|column| *column == name)?;
            values.get(place).cloned()
        };
        let picked: Option<Vec<Value>> = ["lane", "seq", "prev_hash", "hash", "data"].into_iter().map(column).collect();
        let batch = Batch::from_row(Row(picked.ok_or(Bad::Audit)?)).map_err(|_| Bad::Audit)?;
        let (seq, hash) = self.batches.get(&batch.lane).copied().unwrap_or((0, GENESIS));
        if batch.seq != seq + 1 || batch.prev_hash != hash {
            return Err(Bad::Audit);
        }
        self.batches.insert(batch.lane, (batch.seq, batch.hash));
        for record in batch.records() {
            let head = self.heads.entry((batch.lane, record.tenant)).or_insert(Head { count: 0, hash: GENESIS });
            let hash = link_hash(batch.lane, record.tenant, head.count + 1, &head.hash, &record.draft.event);
            if record.seq != head.count + 1 || record.hash != hash {
                return Err(Bad::Audit);
            }
            *head = Head { count: record.seq, hash };
        }
        Ok(())
    }
}
