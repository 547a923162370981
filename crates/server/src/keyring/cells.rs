//! Cells: every value at rest, sealed under the tenant's current cell key and bound to its place.
//!
//! The place (tenant, table, row, column, version) is associated data, so a ciphertext moved anywhere else does not
//! open. A sealed cell starts with the epoch that sealed it.

use std::collections::HashMap;

use crypto::context::Context;
use crypto::random::Random;
use crypto::secret::{SecretArray, SecretBytes};
use domain::ids::TenantId;

use crate::problem::{Outcome, Problem};

/// A tenant's cell keys by epoch.
pub struct Cells {
    tenant: TenantId,
    current: [u8; 8],
    keys: HashMap<[u8; 8], SecretArray<32>>,
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
        Some(Self { tenant, current, keys: keys.into_iter().collect() })
    }

    /// Seals a value for its place.
    pub fn seal(&self, cell: Cell<'_>, value: &[u8], random: &dyn Random) -> Outcome<Vec<u8>> {
        let key =
            self.keys.get(&self.current).ok_or_else(|| Problem::internal("sealing a cell", "no current epoch"))?;
        let mut sealed = self.current.to_vec();
        sealed.extend(crypto::symmetric::seal_with_key(key, &self.context(cell), value, random)?);
        Ok(sealed)
    }

    /// Opens a value from its place. A failure means the database was tampered with: it is ours to report.
    pub fn open(&self, cell: Cell<'_>, sealed: &[u8]) -> Outcome<SecretBytes> {
        let broken = || Problem::internal("opening a cell", format!("{}.{} does not open", cell.table, cell.column));
        let (epoch, body) = sealed.split_first_chunk::<8>().ok_or_else(broken)?;
        let key = self.keys.get(epoch).ok_or_else(broken)?;
        crypto::symmetric::open_with_key(key, &self.context(cell), body).map_err(|_| broken())
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
