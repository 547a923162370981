//! The rows of the throughput table: a request to the product, the peer it is compared with, and the bar.

use std::sync::Once;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::client::Client;
use super::installation::{Engine, Installation};
use super::load::{Measured, Plan, Request, drive};
use super::process::{Running, certificate_request, primitive};
use super::{median, verdict, wanted};

const ROUNDS: usize = 5;
const SECONDS: f64 = 2.0;

/// A field of 64 bytes, as in a row of personal data.
const FIELD: &str = "Ada Lovelace, 12 St James's Square, London SW1Y 4JH, 1815-12-10.";
const BATCH: usize = 100;
const CLIENT_CREDENTIALS: &str = "grant_type=client_credentials";

/// What the product is compared with.
enum Peer {
    /// A request to the bare server.
    Http(Request),
    /// Arguments of a bare primitive that prints its own rate.
    Primitive(Vec<String>),
}

/// What the product is asked.
#[derive(Clone)]
enum Load {
    /// One request again and again.
    Same(Request),
    /// Each connection its own again and again.
    Own(Vec<Request>),
    /// A secret of a new name every time.
    NewSecrets { key: String },
}

struct Row {
    name: String,
    connections: usize,
    /// How many things one request does.
    items: usize,
    load: Load,
    peer: Option<Peer>,
    peer_name: &'static str,
    /// The share of the peer's rate that has to be reached.
    at_least: Option<f64>,
    /// Items a second that have to be reached.
    at_least_items: Option<f64>,
    /// Milliseconds for 99 % of answers at 70 % of the highest rate.
    p99_at_most_ms: Option<f64>,
}

pub fn run(names: &[&str]) -> Result<()> {
    let bare = Running::bare()?;
    let header = Once::new();
    for engine in Engine::ALL {
        // A PostgreSQL is not started for nothing.
        if engine == Engine::Postgres && !TOKEN_ROWS.iter().any(|name| wanted(names, &engine.row(name))) {
            continue;
        }
        let installation = Installation::new(engine, "throughput")?;
        let (server, client) = installation.start()?;
        let mut rows = rows(engine, &client, &installation)?;
        rows.retain(|row| wanted(names, &row.name));
        for row in rows {
            header.call_once(print_header);
            measure(&row, &server, &bare)?;
        }
    }
    if wanted(names, EACH_ON_RECORD) {
        let installation = Installation::configured("recording", "[audit]\nevery_introspection = true\n")?;
        let (server, client) = installation.start()?;
        header.call_once(print_header);
        let row = Row { at_least: None, p99_at_most_ms: None, ..introspection_row(EACH_ON_RECORD, &client)? };
        measure(&row, &server, &bare)?;
    }
    Ok(())
}

fn print_header() {
    println!(
        "| row | product/s | p50 ms | p99 ms | p99 ms at 70 % | CPU us | peer | peer/s | CPU us | ratio | bar | |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
}

fn rows(engine: Engine, client: &Client, installation: &Installation) -> Result<Vec<Row>> {
    match engine {
        Engine::Sqlite => {
            let mut rows = vault_rows(client, installation)?;
            rows.extend(token_rows(engine, client)?);
            Ok(rows)
        }
        // What the database costs is told by what asks it most, and by what never asks it.
        Engine::Postgres => Ok(token_rows(engine, client)?.into()),
    }
}

fn vault_rows(client: &Client, installation: &Installation) -> Result<Vec<Row>> {
    let key = client.key.clone();
    let encryption = client.create_key("bench-encryption", "encryption", "ML-KEM-768")?;
    let signing = client.create_key("bench-signing", "signing", "ML-DSA-65")?;
    let secret = client.create_secret("bench/read", FIELD)?;
    let read_path = format!("/api/v1/secrets/{secret}");
    let read_answer = client.call("GET", &read_path, "")?.to_string();
    let fast = json!({"plaintext": FIELD, "encoding": "utf8", "keyId": encryption, "mode": "fast"}).to_string();
    let sealed = json!({"plaintext": FIELD, "encoding": "utf8", "keyId": encryption, "mode": "sealed"}).to_string();
    let items: Vec<Value> = (0..BATCH).map(|_| json!({"plaintext": FIELD})).collect();
    let batch = json!({"keyId": encryption, "mode": "fast", "items": items}).to_string();
    let sign = json!({"data": "UVVBUEk=", "keyId": signing, "algorithm": "ML-DSA-65"}).to_string();
    let csr = json!({"csr": certificate_request("bench.svc.cluster.local")?}).to_string();
    let commits = installation.folder().join("commits").display().to_string();
    let post = |path: &str, body: &str| Load::Same(Request::new("POST", path, Some(&key), body));
    Ok(vec![
        Row {
            peer: Some(Peer::Http(Request::new("POST", "/echo", None, &fast))),
            peer_name: "axum echo",
            at_least: Some(0.4),
            p99_at_most_ms: Some(5.0),
            ..Row::new("encrypt 64 B fast", post("/api/v1/encrypt", &fast))
        },
        Row {
            peer: Some(Peer::Http(Request::new("POST", "/sealed", None, &sealed))),
            peer_name: "bare KEM endpoint",
            at_least: Some(0.6),
            ..Row::new("encrypt 64 B sealed", post("/api/v1/encrypt", &sealed))
        },
        Row {
            connections: 16,
            items: BATCH,
            peer: Some(Peer::Http(Request::new("POST", "/echo", None, &batch))),
            peer_name: "axum echo",
            at_least_items: Some(200_000.0),
            ..Row::new("encrypt batch of 100 fast", post("/api/v1/encrypt/batch", &batch))
        },
        Row {
            peer: Some(Peer::Http(Request::new("POST", "/echo", None, &read_answer))),
            peer_name: "axum echo of the answer",
            at_least: Some(0.3),
            ..Row::new("secret read by id", Load::Same(Request::new("GET", &read_path, Some(&key), "")))
        },
        Row {
            connections: 16,
            peer: Some(Peer::Primitive(vec!["sign".to_owned()])),
            peer_name: "ML-DSA-65 primitive",
            at_least: Some(0.5),
            ..Row::new("sign ML-DSA-65", post("/api/v1/sign", &sign))
        },
        Row {
            connections: 16,
            peer: Some(Peer::Primitive(vec!["sign".to_owned()])),
            peer_name: "ML-DSA-65 primitive",
            at_least: Some(0.35),
            ..Row::new("certificate of a request", post("/api/v1/certificates", &csr))
        },
        Row {
            peer: Some(Peer::Primitive(vec!["commit".to_owned(), commits])),
            peer_name: "engine, group commit",
            at_least: Some(0.5),
            ..Row::new("secret write", Load::NewSecrets { key: key.clone() })
        },
    ])
}

/// People who sign in at the same time: enough to keep a core busy, and no more, because those who are under way when a round ends
/// count for nothing.
const LOGINS: usize = 4;
/// What the identity provider does most.
const TOKEN_ROWS: [&str; 3] = ["tokens of client credentials", "introspection of an opaque token", "password logins"];

/// With an event for each, as operators may want it: told beside the row with the bar, and without one.
const EACH_ON_RECORD: &str = "introspection of an opaque token, each on record";

fn token_rows(engine: Engine, client: &Client) -> Result<[Row; 3]> {
    let [of_tokens, of_introspection, of_logins] = TOKEN_ROWS.map(|name| engine.row(name));
    let tokens = Request::form("/oauth2/token", &client.create_service("jwt")?, CLIENT_CREDENTIALS);
    Ok([
        Row {
            connections: 16,
            peer: Some(Peer::Primitive(vec!["sign".to_owned()])),
            peer_name: "ML-DSA-65 primitive",
            at_least: Some(0.5),
            ..Row::new(of_tokens, Load::Same(tokens))
        },
        introspection_row(&of_introspection, client)?,
        Row {
            connections: LOGINS,
            peer: Some(Peer::Primitive(vec!["stretch".to_owned()])),
            peer_name: "Argon2id primitive",
            at_least: Some(0.9),
            ..Row::new(of_logins, Load::Own(client.create_logins(LOGINS)?))
        },
    ])
}

fn introspection_row(name: &str, client: &Client) -> Result<Row> {
    let (introspection, introspected) = introspection(client)?;
    Ok(Row {
        peer: Some(Peer::Http(Request::new("POST", "/echo", None, &introspected))),
        peer_name: "axum echo of the answer",
        at_least: Some(0.4),
        p99_at_most_ms: Some(10.0),
        ..Row::new(name, Load::Same(introspection))
    })
}

/// The question what an opaque token is worth, and its answer.
fn introspection(client: &Client) -> Result<(Request, String)> {
    let service = client.create_service("opaque")?;
    let issued = client.ask(&Request::form("/oauth2/token", &service, CLIENT_CREDENTIALS))?;
    let token = issued["access_token"].as_str().context("no token")?;
    let request = Request::form("/oauth2/introspect", &service, &format!("token={token}"));
    let answer = client.ask(&request)?;
    ensure!(answer["active"] == true, "a token that is not alive: {answer}");
    Ok((request, answer.to_string()))
}

impl Row {
    fn new(name: impl Into<String>, load: Load) -> Self {
        Self {
            name: name.into(),
            connections: 64,
            items: 1,
            load,
            peer: None,
            peer_name: "",
            at_least: None,
            at_least_items: None,
            p99_at_most_ms: None,
        }
    }
}

impl Load {
    /// What connection `connection` sends as its turn `turn` of a round.
    fn request(&self, round: usize, connection: usize, turn: u64) -> Request {
        match self {
            Self::Same(request) => request.clone(),
            Self::Own(requests) => requests[connection % requests.len()].clone(),
            Self::NewSecrets { key } => {
                let name = format!("bench/write/{round}/{connection}/{turn}");
                let body = json!({"name": name, "value": FIELD}).to_string();
                Request::new("POST", "/api/v1/secrets", Some(key), &body)
            }
        }
    }
}

/// What one round gave.
struct Round {
    measured: Measured,
    /// Processor time of the measured process for one request.
    cpu_us: f64,
}

/// A round of the peer, of the product, and of the product at 70 % of what it has just reached. A machine's speed moves from minute to
/// minute: what is compared ran one after the other.
struct Turn {
    /// The peer's rate, and its processor time for one request where it is a server.
    peer: (f64, Option<f64>),
    product: Round,
    held_p99_ms: f64,
}

impl Turn {
    fn ratio(&self) -> f64 {
        self.product.measured.per_second / self.peer.0
    }
}

/// Takes the turns and tells the one in the middle, and the middle of what 99 % of answers stayed below.
fn measure(row: &Row, server: &Running, bare: &Running) -> Result<()> {
    let mut turns = (0..ROUNDS).map(|round| turn(row, server, bare, round)).collect::<Result<Vec<_>>>()?;
    let p99 = median(turns.iter().map(|turn| turn.held_p99_ms).collect());
    // Without a peer all ratios are infinite.
    let rate = |turn: &Turn| turn.product.measured.per_second;
    turns.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()).then(rate(a).total_cmp(&rate(b))));
    print_row(row, &turns.swap_remove(ROUNDS / 2), p99);
    Ok(())
}

fn turn(row: &Row, server: &Running, bare: &Running, round: usize) -> Result<Turn> {
    let peer = measure_peer(row, bare)?;
    let product = drive_product(row, server, closed(row), round)?;
    let paced = Plan { rate: Some(product.measured.per_second * 0.7), ..closed(row) };
    let held = drive_product(row, server, paced, ROUNDS + round)?;
    Ok(Turn { peer, product, held_p99_ms: held.measured.quantile_ms(0.99) })
}

fn drive_product(row: &Row, server: &Running, plan: Plan, round: usize) -> Result<Round> {
    let load = row.load.clone();
    timed(server, plan, move |connection, turn| load.request(round, connection, turn))
}

fn timed(server: &Running, plan: Plan, request: impl Fn(usize, u64) -> Request + 'static) -> Result<Round> {
    let before = server.processor_time()?;
    let measured = drive(&server.address, plan, request)?;
    let spent = server.processor_time()?.saturating_sub(before);
    let cpu_us = spent.as_secs_f64() * 1e6 / measured.answers as f64;
    Ok(Round { measured, cpu_us })
}

fn closed(row: &Row) -> Plan {
    Plan { connections: row.connections, seconds: SECONDS, rate: None }
}

/// The rate of the peer, and its processor time for one request where it is a server.
fn measure_peer(row: &Row, bare: &Running) -> Result<(f64, Option<f64>)> {
    match &row.peer {
        None => Ok((0.0, None)),
        Some(Peer::Primitive(args)) => Ok((primitive(&args.iter().map(String::as_str).collect::<Vec<_>>())?, None)),
        Some(Peer::Http(request)) => {
            let request = request.clone();
            let round = timed(bare, closed(row), move |_, _| request.clone())?;
            Ok((round.measured.per_second, Some(round.cpu_us)))
        }
    }
}

fn print_row(row: &Row, turn: &Turn, p99: f64) {
    let (middle, (peer, peer_cpu_us), ratio) = (&turn.product.measured, turn.peer, turn.ratio());
    let items = middle.per_second * row.items as f64;
    let mut bars = Vec::new();
    let mut kept = true;
    if let Some(bar) = row.at_least {
        bars.push(format!("ratio at least {bar}"));
        kept &= ratio >= bar;
    }
    if let Some(bar) = row.at_least_items {
        bars.push(format!("{bar:.0} fields/s (has {items:.0})"));
        kept &= items >= bar;
    }
    if let Some(bar) = row.p99_at_most_ms {
        bars.push(format!("p99 at most {bar} ms at 70 %"));
        kept &= p99 <= bar;
    }
    println!(
        "| {} | {:.0} | {:.2} | {:.2} | {p99:.2} | {:.1} | {} | {peer:.0} | {} | {ratio:.2} | {} | {} |",
        row.name,
        middle.per_second,
        middle.quantile_ms(0.5),
        middle.quantile_ms(0.99),
        turn.product.cpu_us,
        row.peer_name,
        peer_cpu_us.map_or_else(String::new, |us| format!("{us:.1}")),
        bars.join(", "),
        verdict(kept),
    );
}
