//! Platform-wide values by name: the seal and the sealed root.

use crate::error::Result;
use crate::stmt::sql;
use crate::store::Store;
use crate::tx::Tx;

impl Store {
    /// The value of this name.
    pub async fn meta(&self, name: &'static str) -> Result<Option<Vec<u8>>> {
        let rows = self.read(sql("SELECT v FROM meta WHERE k = $1 LIMIT 1").bind(name)).await?;
        rows.first().map(|row| row.blob(0).map(<[u8]>::to_vec)).transpose()
    }
}

/// Sets a value that must not exist yet: a platform is initialised once.
pub async fn insert_meta(tx: &mut Tx<'_>, name: &'static str, value: &[u8]) -> Result<()> {
    tx.exec(sql("INSERT INTO meta (k, v) VALUES ($1, $2)").bind(name).bind(value)).await.map(|_| ())
}
