//! Making a connection and checking that the database it leads to keeps what it confirms.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::Host;
use tokio_postgres::{Config, NoTls};

use super::connection::{Connection, into_error};
use crate::error::{Error, Result};

/// Where the database is, parsed and checked once.
pub(crate) struct Target {
    config: Config,
}

impl Target {
    /// Until connections to the database are encrypted, it has to be on this machine.
    pub fn parse(url: &str, danger_plaintext_database: bool) -> Result<Self> {
        let mut config = Config::from_str(url).map_err(|_| Error::other("the database address cannot be read"))?;
        let local = config.get_hosts().iter().all(is_local)
            && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
            && (!config.get_hosts().is_empty() || !config.get_hostaddrs().is_empty());
        if !local && !danger_plaintext_database {
            return Err(Error::other("the database is on another machine and the connection would be in plain text"));
        }
        config
            .application_name("qapid")
            .connect_timeout(Duration::from_secs(2))
            .tcp_user_timeout(Duration::from_secs(5))
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(15));
        Ok(Self { config })
    }

    pub async fn connect(&self) -> Result<Connection> {
        // The driver's own limit is for the socket alone; a server that accepts and then says nothing must not hold us either.
        let (client, driver) = tokio::time::timeout(Duration::from_secs(3), self.config.connect(NoTls))
            .await
            .map_err(Error::unavailable)?
            .map_err(into_error)?;
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a database connection ended");
            }
        });
        client
            .batch_execute(
                "SET statement_timeout = '5s'; SET idle_in_transaction_session_timeout = '10s';
                 SET lock_timeout = '2s'; SET client_encoding = 'UTF8'",
            )
            .await
            .map_err(into_error)?;
        Ok(Connection::new(client))
    }
}

/// Refuses a database that could lose a confirmed write or sort text in another order than SQLite does.
pub(super) async fn check(connection: &Connection) -> Result<()> {
    let facts = connection
        .client()
        .query_one(
            "SELECT current_setting('server_version_num')::bigint, current_setting('synchronous_commit'),
                    current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_encoding'),
                    datcollate::text
             FROM pg_database WHERE datname = current_database()",
            &[],
        )
        .await
        .map_err(into_error)?;
    let text = |column: usize| facts.try_get::<_, String>(column).map_err(Error::other);
    let version: i64 = facts.try_get(0).map_err(Error::other)?;
    let wrong = if version < 150_000 {
        Some("PostgreSQL 15 or newer is needed".to_owned())
    } else if text(1)? == "off" {
        Some("synchronous_commit is off: confirmed writes could be lost".to_owned())
    } else if text(2)? != "on" || text(3)? != "on" {
        Some("fsync or full_page_writes is off: confirmed writes could be lost".to_owned())
    } else if text(4)? != "UTF8" {
        Some("the encoding of the database is not UTF8".to_owned())
    } else if !matches!(text(5)?.as_str(), "C" | "POSIX" | "C.UTF-8" | "C.utf8") {
        Some("the collation of the database is not C: create it with LC_COLLATE 'C' TEMPLATE template0".to_owned())
    } else {
        None
    };
    wrong.map_or(Ok(()), |why| Err(Error::other(why)))
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}
