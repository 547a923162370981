//! Issued certificates, and those that are about to be.
//!
//! An intent is written before its certificate is signed, and gives way to the certificate's row before that is handed out:
//! whatever carries a signature of an authority has one or the other. A certificate with a name outside the caller's limits is
//! absent.

use domain::authz::{Action, Authorized, WriteCertificates};
use domain::ids::{AuthorityId, CertificateId};
use domain::pki::names::are_admitted;
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// A certificate's row.
#[derive(Clone, Debug)]
pub struct StoredCertificate {
    /// The certificate.
    pub id: CertificateId,
    /// Its issuer.
    pub ca: AuthorityId,
    /// Its serial number.
    pub serial: Vec<u8>,
    /// The profile it was issued by.
    pub profile: String,
    /// The algorithm of its key.
    pub algorithm: String,
    /// Its subject.
    pub subject: String,
    /// Its alternative names, each with its kind.
    pub names: Vec<String>,
    /// Whether its key was made by us.
    pub is_server_made: bool,
    /// When it begins.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// It, in DER; none yet while it is intended.
    pub certificate: Option<Vec<u8>>,
    /// Who asked for it.
    pub requested_by: String,
    /// The one it renews.
    pub renewed_from: Option<CertificateId>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// A revoked certificate, as far as peers must know it.
#[derive(Clone, Debug)]
pub struct StoredRevocation {
    /// Its issuer.
    pub ca: AuthorityId,
    /// Its serial number.
    pub serial: Vec<u8>,
    /// When it would have ended.
    pub not_after: Timestamp,
    /// When it was revoked.
    pub revoked_at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Rows that a search goes through; those made before are cut off.
const MOST_SEARCHED: i64 = 20_000;
/// Revocations that are listed at most. Beyond it an authority is rotated, not listed.
const MOST_REVOKED: i64 = 100_000;

/// Selects whole certificates of the tenant `$1`; the rest of the statement is the argument.
macro_rules! select_certificates {
    ($rest:literal) => {
        concat!(
            "SELECT id, ca, serial, profile, algorithm, subject, names, is_server_made, not_before, not_after, ",
            "certificate, requested_by, renewed_from, revoked_at, reason, created_at FROM certificate WHERE tenant = $1 ",
            $rest
        )
    };
}

impl Store {
    /// One issued certificate.
    pub async fn certificate<A: Action>(
        &self,
        auth: &Authorized<A>,
        id: CertificateId,
    ) -> Result<Option<StoredCertificate>> {
        let text = select_certificates!("AND id = $2 LIMIT 1");
        let row = self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes())).await?;
        Ok(row.as_ref().map(certificate).transpose()?.filter(|found| admitted(auth, found)))
    }

    /// The issued certificate of an authority and a serial number.
    pub async fn certificate_of_serial<A: Action>(
        &self,
        auth: &Authorized<A>,
        ca: AuthorityId,
        serial: &[u8],
    ) -> Result<Option<StoredCertificate>> {
        let text = select_certificates!("AND ca = $2 AND serial = $3 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(ca.as_bytes()).bind(serial);
        let row = self.read_one(statement).await?;
        Ok(row.as_ref().map(certificate).transpose()?.filter(|found| admitted(auth, found)))
    }

    /// How many certificates the tenant has, and a page of them, newest first; for who sees all of them.
    pub async fn page_of_certificates<A: Action>(
        &self,
        auth: &Authorized<A>,
        skip: u32,
        size: u32,
    ) -> Result<(u64, Vec<StoredCertificate>)> {
        let count = "SELECT COUNT(*) FROM certificate WHERE tenant = $1";
        let count = self.read_one(sql(count).bind(auth.tenant().as_bytes())).await?;
        let count = count.map(|row| row.int(0)).transpose()?.unwrap_or_default();
        let text = select_certificates!("ORDER BY id DESC LIMIT $2 OFFSET $3");
        let rows = self.scan(sql(text).bind(auth.tenant().as_bytes()).bind(size).bind(skip)).await?;
        let rows = rows.iter().map(certificate).collect::<Result<Vec<_>>>()?;
        Ok((u64::try_from(count).unwrap_or_default(), rows.into_iter().filter(|row| admitted(auth, row)).collect()))
    }

    /// The newest certificates that the caller may know of and that `wanted` keeps.
    pub async fn find_certificates<A: Action>(
        &self,
        auth: &Authorized<A>,
        wanted: impl Fn(&StoredCertificate) -> bool,
    ) -> Result<Vec<StoredCertificate>> {
        let text = select_certificates!("ORDER BY id DESC LIMIT $2");
        let rows = self.scan(sql(text).bind(auth.tenant().as_bytes()).bind(MOST_SEARCHED)).await?;
        let rows = rows.iter().map(certificate).collect::<Result<Vec<_>>>()?;
        Ok(rows.into_iter().filter(|row| admitted(auth, row) && wanted(row)).collect())
    }

    /// Revoked certificates of the tenant that had not ended at `since`, in the order of their revocation.
    pub async fn revocations<A: Action>(
        &self,
        auth: &Authorized<A>,
        since: Timestamp,
    ) -> Result<Vec<StoredRevocation>> {
        let text = "SELECT ca, serial, not_after, revoked_at, reason FROM certificate WHERE tenant = $1 \
                    AND revoked_at IS NOT NULL AND not_after > $2 ORDER BY revoked_at, id LIMIT $3";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(since.millis()).bind(MOST_REVOKED);
        self.scan(statement).await?.iter().map(revocation).collect()
    }

    /// When the last certificate of an authority ends, or what may have become one.
    pub async fn last_end<A: Action>(&self, auth: &Authorized<A>, ca: AuthorityId) -> Result<Option<Timestamp>> {
        let text = "SELECT MAX(not_after) FROM (SELECT not_after FROM certificate WHERE tenant = $1 AND ca = $2 UNION ALL \
                    SELECT not_after FROM certificate_intent WHERE tenant = $1 AND ca = $2) AS ends";
        let row = self.scan(sql(text).bind(auth.tenant().as_bytes()).bind(ca.as_bytes())).await?;
        Ok(row.first().map(|row| row.opt_int(0)).transpose()?.flatten().map(Timestamp::from_millis))
    }

    /// Gives up intents older than `before`: who had them was cut off. Answers with how many there were.
    pub async fn abandon_certificates(&self, before: Timestamp) -> Result<u64> {
        let text = "UPDATE certificate_intent SET is_abandoned = 1 WHERE is_abandoned = 0 AND created_at < $1";
        self.write("abandon certificates", move |tx| {
            Box::pin(async move { tx.exec(sql(text).bind(before.millis())).await })
        })
        .await
    }

    /// Forgets what ended before `before`, certificates and intents. Answers with how many rows went.
    pub async fn forget_certificates(&self, before: Timestamp) -> Result<u64> {
        let texts =
            ["DELETE FROM certificate WHERE not_after < $1", "DELETE FROM certificate_intent WHERE not_after < $1"];
        self.write("forget certificates", move |tx| {
            let statements = texts.map(|text| sql(text).bind(before.millis()));
            Box::pin(async move { Ok(tx.exec_all(statements).await?.iter().sum()) })
        })
        .await
    }
}

/// Records what is about to be signed.
pub fn insert_intent(auth: &Authorized<WriteCertificates>, row: &StoredCertificate) -> Result<Stmt> {
    let names = serde_json::to_string(&row.names).map_err(Error::other)?;
    let text = "INSERT INTO certificate_intent (n, tenant, id, ca, serial, is_abandoned, profile, algorithm, subject, names, \
                is_server_made, not_before, not_after, requested_by, renewed_from, created_at) \
                VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    Ok(of_intent(text, auth, row.id)
        .bind(row.ca.as_bytes())
        .bind(&row.serial)
        .bind(&row.profile)
        .bind(&row.algorithm)
        .bind(&row.subject)
        .bind(names)
        .bind(row.is_server_made)
        .bind(row.not_before.millis())
        .bind(row.not_after.millis())
        .bind(&row.requested_by)
        .bind(row.renewed_from.map(|id| *id.as_bytes()))
        .bind(row.created_at.millis()))
}

/// Records what was signed, in the place of its intent. Both touch one row, or none when the intent was given up meanwhile.
pub fn complete_certificate(auth: &Authorized<WriteCertificates>, id: CertificateId, der: &[u8]) -> [Stmt; 2] {
    let record = "INSERT INTO certificate (tenant, id, ca, serial, profile, algorithm, subject, names, is_server_made, \
                  not_before, not_after, certificate, requested_by, renewed_from, created_at) \
                  SELECT tenant, id, ca, serial, profile, algorithm, subject, names, is_server_made, \
                  not_before, not_after, $4, requested_by, renewed_from, created_at \
                  FROM certificate_intent WHERE n = $1 AND tenant = $2 AND id = $3 AND is_abandoned = 0";
    let clear = "DELETE FROM certificate_intent WHERE n = $1 AND tenant = $2 AND id = $3 AND is_abandoned = 0";
    [of_intent(record, auth, id).bind(der), of_intent(clear, auth, id)]
}

/// A statement whose first parameters say which intent: its number, its tenant, its id. The number is what is random of a
/// version 7 id but for its first bits.
fn of_intent(text: &'static str, auth: &Authorized<WriteCertificates>, id: CertificateId) -> Stmt {
    let [.., a, b, c, d, e, f, g, h] = *id.as_bytes();
    let number = i64::from_be_bytes([a & 0x3f, b, c, d, e, f, g, h]);
    sql(text).bind(number).bind(auth.tenant().as_bytes()).bind(id.as_bytes())
}

/// Revokes a certificate; touches no row when that was done before.
pub fn revoke_certificate(
    auth: &Authorized<WriteCertificates>,
    id: CertificateId,
    now: Timestamp,
    reason: &str,
) -> Stmt {
    sql("UPDATE certificate SET revoked_at = $3, reason = $4 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
        .bind(now.millis())
        .bind(reason)
}

fn admitted<A: Action>(auth: &Authorized<A>, row: &StoredCertificate) -> bool {
    !auth.is_confined() || are_admitted(&row.names, |name| auth.admits(row.id.uuid(), name))
}

fn certificate(row: &Row) -> Result<StoredCertificate> {
    let at = |column| -> Result<Option<Timestamp>> { Ok(row.opt_int(column)?.map(Timestamp::from_millis)) };
    Ok(StoredCertificate {
        id: CertificateId::from_bytes(row.array(0)?),
        ca: AuthorityId::from_bytes(row.array(1)?),
        serial: row.blob(2)?.to_vec(),
        profile: row.text(3)?.to_owned(),
        algorithm: row.text(4)?.to_owned(),
        subject: row.text(5)?.to_owned(),
        names: serde_json::from_str(row.text(6)?).map_err(|_| Error::corrupt("a certificate's names"))?,
        is_server_made: row.flag(7)?,
        not_before: Timestamp::from_millis(row.int(8)?),
        not_after: Timestamp::from_millis(row.int(9)?),
        certificate: row.opt_blob(10)?.map(<[u8]>::to_vec),
        requested_by: row.text(11)?.to_owned(),
        renewed_from: row.opt_array(12)?.map(CertificateId::from_bytes),
        revoked_at: at(13)?,
        reason: row.opt_text(14)?.map(str::to_owned),
        created_at: Timestamp::from_millis(row.int(15)?),
    })
}

fn revocation(row: &Row) -> Result<StoredRevocation> {
    Ok(StoredRevocation {
        ca: AuthorityId::from_bytes(row.array(0)?),
        serial: row.blob(1)?.to_vec(),
        not_after: Timestamp::from_millis(row.int(2)?),
        revoked_at: Timestamp::from_millis(row.int(3)?),
        reason: row.opt_text(4)?.unwrap_or_default().to_owned(),
    })
}
