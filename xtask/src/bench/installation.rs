//! What is measured as it was installed: its data, and how it is started over it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::client::Client;
use super::postgres::Postgres;
use super::process::{Running, release, scratch};
use crate::workspace;

/// Where an installation keeps its rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// The name of a row that is measured on it: the embedded engine is what a row without another name means.
    pub fn row(self, name: &str) -> String {
        match self {
            Self::Sqlite => name.to_owned(),
            Self::Postgres => format!("{name} on PostgreSQL"),
        }
    }
}

/// An installation with its data.
pub struct Installation {
    folder: PathBuf,
    /// Its database, where that is not files in the folder.
    database: Option<Postgres>,
    /// The configuration and the administrator's key, where `qapid dev` does not keep them.
    made: Option<(PathBuf, String)>,
}

impl Installation {
    /// A new one in a folder of this name, ready to be started.
    pub fn new(engine: Engine, name: &str) -> Result<Self> {
        match engine {
            Engine::Sqlite => Ok(Self { folder: scratch(name)?, database: None, made: None }),
            Engine::Postgres => Self::on_postgres(scratch(&format!("{name}-postgres"))?),
        }
    }

    /// A new one on the embedded engine, with more in its configuration than `qapid dev` has.
    pub fn configured(name: &str, more: &str) -> Result<Self> {
        let folder = scratch(name)?;
        let store = format!("engine = \"sqlite\"\ndata_dir = \"{}\"", folder.join("data").display());
        Self::made(folder, None, &store, more)
    }

    fn on_postgres(folder: PathBuf) -> Result<Self> {
        let database = Postgres::start(&folder)?;
        let url = folder.join("database.url");
        std::fs::write(&url, database.url())?;
        let store = format!("engine = \"postgres\"\nurl_file = \"{}\"", url.display());
        Self::made(folder, Some(database), &store, "")
    }

    fn made(folder: PathBuf, database: Option<Postgres>, store: &str, more: &str) -> Result<Self> {
        let config = folder.join("qapid.toml");
        std::fs::write(&config, config_text(&folder, store, more)?)?;
        let args = ["init", "--config", &config.display().to_string(), "--seal", "file"];
        let printed = workspace::output(&release("qapid").display().to_string(), &args)?;
        let key = printed.lines().find_map(|line| line.strip_prefix("administrator key: "));
        let key = key.context("qapid init printed no key")?.to_owned();
        Ok(Self { folder, database, made: Some((config, key)) })
    }

    /// Where its files lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts it, with a client that may do everything.
    pub fn start(&self) -> Result<(Running, Client)> {
        match &self.made {
            None => {
                let server = Running::qapid(&self.folder)?;
                let client = Client::of(&server, &self.folder)?;
                Ok((server, client))
            }
            Some((config, key)) => {
                let server = Running::qapid_with(config)?;
                let client = Client::new(&server.address, key);
                Ok((server, client))
            }
        }
    }

    /// Runs SQL over its data while nobody else does: one text for each engine.
    pub fn change(&self, sqlite: &str, postgres: &str) -> Result<()> {
        const RUN: &str = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
        match &self.database {
            None => workspace::run("python3", &["-c", RUN, &self.folder.join("qapi.db").display().to_string(), sqlite]),
            Some(database) => database.run(postgres),
        }
    }
}

/// With the limits of `qapid dev`.
fn config_text(folder: &Path, store: &str, more: &str) -> Result<String> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let folder = folder.display();
    Ok(format!(
        "[server]\nlisten = \"{address}\"\nportal_origin = \"http://{address}\"\n\
         [store]\n{store}\n\
         [seal]\nunseal_file = \"{folder}/unseal.key\"\n\
         [limits]\nclient_requests_per_minute = 0\nanonymous_per_minute = 60000\n{more}"
    ))
}
