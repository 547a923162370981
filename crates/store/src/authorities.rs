//! Certificate authorities and what a tenant's certificates may say.
//!
//! A tenant has one policy row, made together with its first authorities: whoever inserts it first makes them, on whichever
//! replica. Its revision moves with every change of policy or authorities, so that a decision made over all of them is written
//! only while they stand as they were read. Its sequence moves with whatever peers must hear of.

use domain::authz::{Action, Authorized, ManageAuthorities};
use domain::ids::{AuthorityId, TenantId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// What a tenant's certificates may say.
#[derive(Clone, Debug)]
pub struct StoredPolicy {
    /// The trust domain.
    pub trust_domain: String,
    /// The allowed names as a JSON array.
    pub allowed: String,
    /// Whether an unconfined credential's new name is added to them.
    pub learning: bool,
    /// The trust bundle's sequence.
    pub seq: i64,
    /// When it last moved.
    pub seq_at: Timestamp,
    /// Counts changes of policy and authorities.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// One key of an authority.
#[derive(Clone, Debug)]
pub struct StoredAuthority {
    /// It.
    pub id: AuthorityId,
    /// `root`, `issuing` or `classical`.
    pub kind: String,
    /// What its rotations have in common.
    pub name: String,
    /// Counts rotations, from 1.
    pub generation: u32,
    /// The algorithm's wire name.
    pub algorithm: String,
    /// Its distinguished name.
    pub subject: String,
    /// Its subject key identifier.
    pub key_identifier: Vec<u8>,
    /// The public half.
    pub public: Vec<u8>,
    /// The private half, sealed to a tenant KEK.
    pub sealed: Vec<u8>,
    /// Which KEK.
    pub kek_version: u32,
    /// Its self-signed certificate.
    pub certificate: Vec<u8>,
    /// Its certificates under the roots there are, behind each other, the oldest root's first.
    pub intermediate: Option<Vec<u8>>,
    /// When its certificates begin.
    pub not_before: Timestamp,
    /// When its certificates end.
    pub not_after: Timestamp,
    /// From when on it issues.
    pub active_from: Timestamp,
    /// When a successor's overlap ends.
    pub retires_at: Option<Timestamp>,
    /// When it left the trust bundle.
    pub retired_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The revocation list of an authority as it was last signed.
#[derive(Clone, Debug)]
pub struct StoredCrl {
    /// The list.
    pub der: Option<Vec<u8>>,
    /// Its number; 0 before the first.
    pub number: i64,
    /// How much was revoked since.
    pub spoilt: i64,
    /// When it is to be signed anew in any case.
    pub renew_at: Timestamp,
}

/// Keys of authorities in one tenant at most.
const MOST_AUTHORITIES: i64 = 1_000;

impl Store {
    /// The tenant's policy, once it has one.
    pub async fn ca_policy<A: Action>(&self, auth: &Authorized<A>) -> Result<Option<StoredPolicy>> {
        let text = "SELECT trust_domain, allowed, learning, seq, seq_at, ver, created_at, updated_at FROM ca_policy \
                    WHERE tenant = $1 LIMIT 1";
        self.read_one(sql(text).bind(auth.tenant().as_bytes())).await?.as_ref().map(policy).transpose()
    }

    /// Every key of every authority, the oldest first, retired ones included. Those made together stand in order of their names.
    pub async fn authorities<A: Action>(&self, auth: &Authorized<A>) -> Result<Vec<StoredAuthority>> {
        let text = "SELECT id, kind, name, generation, algorithm, subject, key_identifier, public, sealed, kek_version, \
                    certificate, intermediate, not_before, not_after, active_from, retires_at, retired_at, created_at \
                    FROM ca WHERE tenant = $1 ORDER BY created_at, name, generation, id LIMIT $2";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(MOST_AUTHORITIES);
        self.scan(statement).await?.iter().map(authority).collect()
    }

    /// The revocation list of an authority as it was last signed.
    pub async fn crl<A: Action>(&self, auth: &Authorized<A>, id: AuthorityId) -> Result<Option<StoredCrl>> {
        let text = "SELECT crl, crl_number, crl_spoilt, crl_renew_at FROM ca WHERE tenant = $1 AND id = $2 LIMIT 1";
        let row = self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes())).await?;
        row.as_ref().map(crl).transpose()
    }

    /// Authorities whose overlap with their successor is over at `now`.
    pub async fn authorities_due_to_retire(&self, now: Timestamp) -> Result<Vec<(TenantId, AuthorityId)>> {
        let text =
            "SELECT tenant, id FROM ca WHERE retires_at <= $1 AND retired_at IS NULL ORDER BY tenant, id LIMIT 1000";
        ids(&self.scan(sql(text).bind(now.millis())).await?)
    }

    /// Authorities whose revocation list is to be signed anew at `now`, among those that have one.
    pub async fn crls_due(&self, now: Timestamp) -> Result<Vec<(TenantId, AuthorityId)>> {
        let text = "SELECT tenant, id FROM ca WHERE crl_number > 0 AND retired_at IS NULL \
                    AND (crl_spoilt > 0 OR crl_renew_at <= $1) ORDER BY tenant, id LIMIT 1000";
        ids(&self.scan(sql(text).bind(now.millis())).await?)
    }
}

impl Store {
    /// Authorities that have no successor and end before `end`; in a tenant its root first, because no other outlives it.
    pub async fn authorities_ending(&self, end: Timestamp) -> Result<Vec<(TenantId, AuthorityId)>> {
        let text = "SELECT tenant, id FROM ca WHERE retires_at IS NULL AND retired_at IS NULL AND not_after <= $1 \
                    ORDER BY tenant, CASE kind WHEN 'root' THEN 0 ELSE 1 END, id LIMIT 1000";
        ids(&self.scan(sql(text).bind(end.millis())).await?)
    }
}

/// Makes the tenant's policy. Touches no row when there is one: somebody else makes the authorities.
pub fn insert_policy(auth: &Authorized<ManageAuthorities>, policy: &StoredPolicy) -> Stmt {
    sql("INSERT INTO ca_policy (tenant, trust_domain, allowed, learning, seq, seq_at, ver, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8) ON CONFLICT (tenant) DO NOTHING")
    .bind(auth.tenant().as_bytes())
    .bind(&policy.trust_domain)
    .bind(&policy.allowed)
    .bind(policy.learning)
    .bind(policy.seq)
    .bind(policy.seq_at.millis())
    .bind(policy.created_at.millis())
    .bind(policy.updated_at.millis())
}

/// Writes back a policy that was read at its revision and moves the bundle; touches no row when policy or authorities changed
/// in between.
pub fn update_policy(auth: &Authorized<ManageAuthorities>, policy: &StoredPolicy, now: Timestamp) -> Stmt {
    sql("UPDATE ca_policy SET trust_domain = $2, allowed = $3, learning = $4, updated_at = $5, seq = seq + 1, seq_at = $5, \
         ver = ver + 1 WHERE tenant = $1 AND ver = $6")
    .bind(auth.tenant().as_bytes())
    .bind(&policy.trust_domain)
    .bind(&policy.allowed)
    .bind(policy.learning)
    .bind(now.millis())
    .bind(policy.revision)
}

/// Moves the bundle's sequence: an anchor or a revocation came or went.
pub fn advance_bundle<A: Action>(auth: &Authorized<A>, now: Timestamp) -> Stmt {
    sql("UPDATE ca_policy SET seq = seq + 1, seq_at = $2 WHERE tenant = $1")
        .bind(auth.tenant().as_bytes())
        .bind(now.millis())
}

/// Adds a key of an authority. Another of its name and generation is [`crate::Error::Unique`].
pub fn insert_authority(auth: &Authorized<ManageAuthorities>, row: &StoredAuthority) -> Stmt {
    sql("INSERT INTO ca (tenant, id, kind, name, generation, algorithm, subject, key_identifier, public, sealed, kek_version, \
         certificate, intermediate, not_before, not_after, active_from, retires_at, retired_at, crl, crl_number, crl_spoilt, \
         crl_renew_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, NULL, NULL, \
         NULL, 0, 0, 0, $17)")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(&row.kind)
    .bind(&row.name)
    .bind(row.generation)
    .bind(&row.algorithm)
    .bind(&row.subject)
    .bind(&row.key_identifier)
    .bind(&row.public)
    .bind(&row.sealed)
    .bind(row.kek_version)
    .bind(&row.certificate)
    .bind(row.intermediate.clone())
    .bind(row.not_before.millis())
    .bind(row.not_after.millis())
    .bind(row.active_from.millis())
    .bind(row.created_at.millis())
}

/// Replaces the certificates of a key.
pub fn recertify_authority(auth: &Authorized<ManageAuthorities>, row: &StoredAuthority) -> Stmt {
    sql("UPDATE ca SET certificate = $3, intermediate = $4 WHERE tenant = $1 AND id = $2")
        .bind(auth.tenant().as_bytes())
        .bind(row.id.as_bytes())
        .bind(&row.certificate)
        .bind(row.intermediate.clone())
}

/// Says when a key's overlap with its successor ends.
pub fn limit_authority(auth: &Authorized<ManageAuthorities>, id: AuthorityId, retires_at: Timestamp) -> Stmt {
    sql("UPDATE ca SET retires_at = $3 WHERE tenant = $1 AND id = $2 AND retires_at IS NULL")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
        .bind(retires_at.millis())
}

/// Takes a key out of the trust bundle; touches no row when that was done before.
pub fn retire_authority(auth: &Authorized<ManageAuthorities>, id: AuthorityId, now: Timestamp) -> Stmt {
    sql("UPDATE ca SET retired_at = $3 WHERE tenant = $1 AND id = $2 AND retires_at <= $3 AND retired_at IS NULL")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
        .bind(now.millis())
}

/// Keeps a new revocation list; touches no row when the one it was made after, `before`, has changed since: another was kept,
/// or something was revoked that the new one may lack.
pub fn keep_crl<A: Action>(
    auth: &Authorized<A>,
    id: AuthorityId,
    before: &StoredCrl,
    der: &[u8],
    renew_at: Timestamp,
) -> Stmt {
    sql("UPDATE ca SET crl = $3, crl_number = crl_number + 1, crl_spoilt = 0, crl_renew_at = $4 \
         WHERE tenant = $1 AND id = $2 AND crl_number = $5 AND crl_spoilt = $6")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(der)
    .bind(renew_at.millis())
    .bind(before.number)
    .bind(before.spoilt)
}

/// Says that a revocation list lacks something.
pub fn spoil_crl<A: Action>(auth: &Authorized<A>, id: AuthorityId) -> Stmt {
    sql("UPDATE ca SET crl_spoilt = crl_spoilt + 1 WHERE tenant = $1 AND id = $2")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
}

fn ids(rows: &[Row]) -> Result<Vec<(TenantId, AuthorityId)>> {
    rows.iter().map(|row| Ok((TenantId::from_bytes(row.array(0)?), AuthorityId::from_bytes(row.array(1)?)))).collect()
}

fn policy(row: &Row) -> Result<StoredPolicy> {
    Ok(StoredPolicy {
        trust_domain: row.text(0)?.to_owned(),
        allowed: row.text(1)?.to_owned(),
        learning: row.flag(2)?,
        seq: row.int(3)?,
        seq_at: Timestamp::from_millis(row.int(4)?),
        revision: row.int(5)?,
        created_at: Timestamp::from_millis(row.int(6)?),
        updated_at: Timestamp::from_millis(row.int(7)?),
    })
}

fn authority(row: &Row) -> Result<StoredAuthority> {
    let at = |column| -> Result<Option<Timestamp>> { Ok(row.opt_int(column)?.map(Timestamp::from_millis)) };
    Ok(StoredAuthority {
        id: AuthorityId::from_bytes(row.array(0)?),
        kind: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        generation: row.u32(3)?,
        algorithm: row.text(4)?.to_owned(),
        subject: row.text(5)?.to_owned(),
        key_identifier: row.blob(6)?.to_vec(),
        public: row.blob(7)?.to_vec(),
        sealed: row.blob(8)?.to_vec(),
        kek_version: row.u32(9)?,
        certificate: row.blob(10)?.to_vec(),
        intermediate: row.opt_blob(11)?.map(<[u8]>::to_vec),
        not_before: Timestamp::from_millis(row.int(12)?),
        not_after: Timestamp::from_millis(row.int(13)?),
        active_from: Timestamp::from_millis(row.int(14)?),
        retires_at: at(15)?,
        retired_at: at(16)?,
        created_at: Timestamp::from_millis(row.int(17)?),
    })
}

fn crl(row: &Row) -> Result<StoredCrl> {
    Ok(StoredCrl {
        der: row.opt_blob(0)?.map(<[u8]>::to_vec),
        number: row.int(1)?,
        spoilt: row.int(2)?,
        renew_at: Timestamp::from_millis(row.int(3)?),
    })
}
