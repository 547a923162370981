//! Cells: every value at rest, sealed under the tenant's current cell key and bound to its place.
//!
//! The place (tenant, table, row, column, version) is associated data, so a ciphertext moved anywhere else does not
//! open. A sealed cell starts with the epoch that sealed it.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use crypto::context::Context;
use crypto::random::Random;
use crypto::secret::{SecretArray, SecretBytes};
use crypto::symmetric::{self, Run};
use domain::ids::TenantId;

use crate::problem::{Outcome, Problem};

/// A tenant's cell keys by epoch.
pub struct Cells {
    tenant: TenantId,
    current: [u8; 8],
    keys: HashMap<[u8; 8], SecretArray<32>>,
    /// Of the current epoch, once something was sealed often.
    run: ArcSwapOption<Run>,
}

/// Where a cell stands.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    /// The table.
    pub table: &'static str,
    /// The row's id.
    pub row: &'a [u8],
    /// The column.
    pub column: &'static str,
    /// The row's version; 0 where there is only one.
    pub version: u32,
}

impl Cells {
    /// The keys in order of creation; the last is the current one.
    pub fn new(tenant: TenantId, keys: Vec<([u8; 8], SecretArray<32>)>) -> Option<Self> {
        let current = keys.last()?.0;
        Some(Self { tenant, current, keys: keys.into_iter().collect(), run: ArcSwapOption::empty() })
    }

    /// Seals a value for its place.
    pub fn seal(&self, cell: Cell<'_>, value: &[u8], random: &dyn Random) -> Outcome<Vec<u8>> {
        let mut sealed = self.current.to_vec();
        sealed.extend(symmetric::seal_with_key(self.current_key()?, &self.context(cell), value, random)?);
        Ok(sealed)
    }

    /// Seals a value of a kind of which every request has one: they share a derivation of keys, which costs more than the
    /// rest.
    pub fn seal_often(&self, cell: Cell<'_>, value: &[u8], random: &dyn Random) -> Outcome<Vec<u8>> {
        let run = match self.run.load_full().filter(|run| !run.is_spent()) {
            Some(run) => run,
            None => {
                let run = Arc::new(Run::start(self.current_key()?, random)?);
                self.run.store(Some(Arc::clone(&run)));
                run
            }
        };
        let mut sealed = Vec::with_capacity(self.current.len() + symmetric::RUN_OVERHEAD + value.len());
        sealed.extend_from_slice(&self.current);
        run.seal(&self.context(cell), value, random, &mut sealed)?;
        Ok(sealed)
    }

    fn current_key(&self) -> Outcome<&SecretArray<32>> {
        self.keys.get(&self.current).ok_or_else(|| Problem::internal("sealing a cell", "no current epoch"))
    }

    /// Opens a value from its place. A failure means the database was tampered with: it is ours to report.
    pub fn open(&self, cell: Cell<'_>, sealed: &[u8]) -> Outcome<SecretBytes> {
        let broken = || Problem::internal("opening a cell", format!("{}.{} does not open", cell.table, cell.column));
        let (epoch, body) = sealed.split_first_chunk::<8>().ok_or_else(broken)?;
        let key = self.keys.get(epoch).ok_or_else(broken)?;
        symmetric::open_with_key(key, &self.context(cell), body).map_err(|_| broken())
    }

    fn context(&self, cell: Cell<'_>) -> Context {
        Context::new("qapi/cell/v1")
            .bytes(self.tenant.as_bytes())
            .bytes(cell.table.as_bytes())
            .bytes(cell.row)
            .bytes(cell.column.as_bytes())
            .u32(cell.version)
    }
}
