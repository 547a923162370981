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

    /// Puts a value in place of the one that was read; says whether it still stood there.
    pub async fn replace_meta(&self, name: &'static str, before: &[u8], after: Vec<u8>) -> Result<bool> {
        let update = sql("UPDATE meta SET v = $2 WHERE k = $1 AND v = $3").bind(name).bind(after).bind(before);
        self.write("replace meta", move |tx| {
            let update = update.clone();
            Box::pin(async move { Ok(tx.exec(update).await? == 1) })
        })
        .await
    }
}

/// Sets a value that must not exist yet: a platform is initialised once.
pub async fn insert_meta(tx: &mut Tx<'_>, name: &'static str, value: &[u8]) -> Result<()> {
    tx.exec(sql("INSERT INTO meta (k, v) VALUES ($1, $2)").bind(name).bind(value)).await.map(|_| ())
}
