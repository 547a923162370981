//! Devices that wait for somebody to type a code (RFC 8628).

use domain::authz::{Action, Authorized};
use domain::ids::{ApplicationId, GrantId};
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// A device that waits, by the keyed hashes of its codes.
#[derive(Clone, Debug)]
pub struct StoredDevice {
    pub hash: [u8; 32],
    pub user_code: [u8; 32],
    pub application: ApplicationId,
    pub grant: Option<GrantId>,
    pub state: DeviceState,
    /// The terms that were asked for, as JSON.
    pub request: String,
    pub interval_ms: i64,
    pub polled_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Where a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// Nobody typed its code yet.
    Pending,
    /// Somebody allowed it.
    Approved,
    /// Somebody did not.
    Denied,
    /// It has its tokens.
    Spent,
}

macro_rules! select_devices {
    ($rest:literal) => {
        concat!(
            "SELECT hash, user_code, application, token_grant, state, request, interval_ms, polled_at, created_at, expires_at ",
            "FROM device_code WHERE tenant = $1 ",
            $rest
        )
    };
}

impl Store {
    /// The device that has this code.
    pub async fn device<A: Action>(&self, auth: &Authorized<A>, hash: &[u8; 32]) -> Result<Option<StoredDevice>> {
        let text = select_devices!("AND hash = $2 LIMIT 1");
        self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(hash)).await?.as_ref().map(device).transpose()
    }

    /// The device that waits for somebody to type this code.
    pub async fn device_by_user_code<A: Action>(
        &self,
        auth: &Authorized<A>,
        user_code: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<StoredDevice>> {
        let text = select_devices!("AND user_code = $2 AND state = 'pending' AND expires_at > $3 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(user_code).bind(now.millis());
        self.read_one(statement).await?.as_ref().map(device).transpose()
    }
}

/// Adds a device.
pub fn insert_device<A: Action>(auth: &Authorized<A>, row: &StoredDevice) -> Stmt {
    sql("INSERT INTO device_code (tenant, hash, user_code, application, state, request, interval_ms, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8)")
    .bind(auth.tenant().as_bytes())
    .bind(row.hash)
    .bind(row.user_code)
    .bind(row.application.as_bytes())
    .bind(&row.request)
    .bind(row.interval_ms)
    .bind(row.created_at.millis())
    .bind(row.expires_at.millis())
}

/// Remembers that a device asked, and how long it is to wait from now on.
pub fn poll_device<A: Action>(auth: &Authorized<A>, hash: &[u8; 32], interval_ms: i64, now: Timestamp) -> Stmt {
    sql("UPDATE device_code SET polled_at = $3, interval_ms = $4 WHERE tenant = $1 AND hash = $2 AND state <> 'spent'")
        .bind(auth.tenant().as_bytes())
        .bind(hash)
        .bind(now.millis())
        .bind(interval_ms)
}

/// Allows a device that waits. Touches no row when it does not wait any more.
pub fn approve_device<A: Action>(auth: &Authorized<A>, hash: &[u8; 32], grant: GrantId, now: Timestamp) -> Stmt {
    sql("UPDATE device_code SET state = 'approved', token_grant = $3 WHERE tenant = $1 AND hash = $2 AND state = 'pending' \
         AND expires_at > $4")
    .bind(auth.tenant().as_bytes())
    .bind(hash)
    .bind(grant.as_bytes())
    .bind(now.millis())
}

/// Turns a device away.
pub fn deny_device<A: Action>(auth: &Authorized<A>, hash: &[u8; 32]) -> Stmt {
    sql("UPDATE device_code SET state = 'denied' WHERE tenant = $1 AND hash = $2 AND state = 'pending'")
        .bind(auth.tenant().as_bytes())
        .bind(hash)
}

/// Spends what a device was allowed. Touches no row when it was spent before.
pub fn spend_device<A: Action>(auth: &Authorized<A>, hash: &[u8; 32]) -> Stmt {
    sql("UPDATE device_code SET state = 'spent' WHERE tenant = $1 AND hash = $2 AND state = 'approved'")
        .bind(auth.tenant().as_bytes())
        .bind(hash)
}

fn device(row: &Row) -> Result<StoredDevice> {
    let state = match row.text(4)? {
        "pending" => DeviceState::Pending,
        "approved" => DeviceState::Approved,
        "denied" => DeviceState::Denied,
        "spent" => DeviceState::Spent,
        _ => return Err(Error::corrupt("the state of a device")),
    };
    Ok(StoredDevice {
        hash: row.array(0)?,
        user_code: row.array(1)?,
        application: ApplicationId::from_bytes(row.array(2)?),
        grant: row.opt_array(3)?.map(GrantId::from_bytes),
        state,
        request: row.text(5)?.to_owned(),
        interval_ms: row.int(6)?,
        polled_at: row.opt_int(7)?.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.int(8)?),
        expires_at: Timestamp::from_millis(row.int(9)?),
    })
}
