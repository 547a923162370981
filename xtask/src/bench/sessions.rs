//! What people who are signed in cost while they do nothing: the server's memory with 100,000 live sessions, and with as many tokens
//! remembered as it remembers at all.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::client::Client;
use super::footprint::{print_header, print_row};
use super::load::{Plan, Request, drive};
use super::process::{Running, credentials, scratch};
use super::wanted;
use crate::workspace;

/// The name of the row.
pub const NAME: &str = "sessions";
const SESSIONS: u32 = 100_000;
/// More than the server remembers.
const TOKENS: usize = 70_000;

/// Copies of the one session there is, each with its own names. No API makes sessions without a password, which would take an hour.
const COPIES: &str = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
columns = [row[1] for row in db.execute('PRAGMA table_info(session)')]
fresh = {'id': 'randomblob(16)', 'hash': 'randomblob(32)', 'sid': 'lower(hex(randomblob(16)))'}
values = ', '.join(fresh.get(name, 's.' + name) for name in columns)
db.execute('CREATE TEMP TABLE one AS SELECT * FROM session LIMIT 1')
counting = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ' + sys.argv[2] + ')'
db.execute(counting + ' INSERT INTO session SELECT ' + values + ' FROM one s, n')
db.commit()
";

pub fn run(rows: &[&str]) -> Result<()> {
    if !wanted(rows, NAME) {
        return Ok(());
    }
    let data = scratch(NAME)?;
    let server = Running::qapid(&data)?;
    let client = client_of(&server, &data)?;
    let login = client.create_login()?;
    drive(&server.address, Plan { connections: 1, seconds: 1.0, rate: None }, move |_, _| login.clone())?;
    drop(server);
    let database = database(&data)?;
    workspace::run("python3", &["-c", COPIES, &database, &SESSIONS.to_string()])?;

    let server = Running::qapid(&data)?;
    remember_tokens(&server, &client_of(&server, &data)?)?;
    std::thread::sleep(Duration::from_secs(2));
    print_header();
    print_row("memory with 100,000 live sessions and every token remembered", server.resident_mib()?, "MiB", 120.0);
    Ok(())
}

fn client_of(server: &Running, data: &Path) -> Result<Client> {
    Ok(Client::new(&server.address, credentials(data)?.get("QUANTUMAPI_KEY").context("no key in dev.env")?))
}

/// The file with the sessions in it.
fn database(data: &Path) -> Result<String> {
    let mut files = std::fs::read_dir(data)?.flatten().map(|entry| entry.path());
    let main = files.find(|path| path.file_name().is_some_and(|name| name == "qapi.db"));
    Ok(main.context("no database in the data directory")?.display().to_string())
}

/// Asks what each of many tokens is worth, once.
fn remember_tokens(server: &Running, client: &Client) -> Result<()> {
    let service = client.create_service("opaque")?;
    let mut tokens = Vec::with_capacity(TOKENS);
    for _ in 0..TOKENS {
        let issued = client.ask(&Request::form("/oauth2/token", &service, "grant_type=client_credentials"))?;
        tokens.push(issued["access_token"].as_str().context("no token")?.to_owned());
    }
    let tokens: Rc<[String]> = tokens.into();
    let plan = Plan { connections: 1, seconds: 30.0, rate: None };
    drive(&server.address, plan, move |_, turn| {
        let place = usize::try_from(turn).unwrap_or_default() % tokens.len();
        let token = tokens.get(place).map_or("", String::as_str);
        Request::form("/oauth2/introspect", &service, &format!("token={token}"))
    })?;
    Ok(())
}
