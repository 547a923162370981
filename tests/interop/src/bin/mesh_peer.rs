//! Our TLS between services as a program: credentials and trust out of files, one HTTP request, and what the handshake
//! found on standard output. The interop matrix and the network namespaces start it where a service of ours would be.

#![expect(clippy::print_stdout, reason = "the tests read what it found")]

use std::error::Error as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::{Parser, ValueEnum};
use crypto::x509::{SpiffeId, TrustDomain, pem};
use tls::credentials::Credentials;
use tls::handshake::Error;
use tls::mesh::{ClientConnector, ServerAcceptor};
use tls::peer::Peer;
use tls::snapshot::{Live, Snapshot};
use tls::trust::{Denied, Trust};
use tls::whom::{Host, Whom};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Parser)]
struct Arguments {
    role: Role,
    /// Where to listen, or whom to ask
    #[arg(long)]
    address: SocketAddr,
    /// Own certificate, PEM
    #[arg(long)]
    cert: PathBuf,
    /// Its key, PEM
    #[arg(long)]
    key: PathBuf,
    /// Trusted authorities, PEM
    #[arg(long)]
    ca: PathBuf,
    /// The trust domain they speak for
    #[arg(long, default_value = "qapi.internal")]
    trust_domain: TrustDomain,
    /// Whom to accept
    #[arg(long)]
    peer: Vec<SpiffeId>,
    /// Denied certificates: serial number and the issuer's key identifier, in hex
    #[arg(long)]
    denied: Option<PathBuf>,
    /// The name to ask for
    #[arg(long, default_value = "peer")]
    name: Host,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Server,
    Client,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let live = Live::new(snapshot(&arguments)?);
    let whom = Whom::Services(arguments.peer.iter().cloned().collect());
    match arguments.role {
        Role::Server => serve(arguments.address, live, &whom).await.map(|()| ExitCode::SUCCESS),
        Role::Client => ask(&arguments, live, &whom).await,
    }
}

fn snapshot(arguments: &Arguments) -> anyhow::Result<Snapshot> {
    let credentials = Credentials::from_pem(&read(&arguments.cert)?, &read(&arguments.key)?)?;
    let authorities = String::from_utf8(read(&arguments.ca)?)?;
    let anchors = pem::blocks(&authorities).map_err(|_| anyhow!("the authorities are no PEM"))?;
    let anchors = anchors.into_iter().map(|block| block.der).collect();
    let denied = arguments.denied.as_deref().map(read_denied).transpose()?.unwrap_or_default();
    let trust = Trust::new(arguments.trust_domain.clone(), anchors).with_denied(denied);
    Ok(Snapshot::new(credentials, trust))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}

fn read_denied(path: &Path) -> anyhow::Result<Vec<Denied>> {
    let text = String::from_utf8(read(path)?)?;
    let one = |line: &str| {
        let (serial, issuer) = line.split_once(' ').context("two words a line")?;
        Ok(Denied { issuer_key_id: hex::decode(issuer)?, serial: hex::decode(serial)? })
    };
    text.lines().map(one).collect()
}

/// Tells of every connection in one line, and answers those that are welcome.
async fn serve(address: SocketAddr, live: Arc<Live>, whom: &Whom) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let acceptor = ServerAcceptor::new(live);
    println!("listening");
    loop {
        let (connection, _) = listener.accept().await?;
        match acceptor.accept(connection, whom).await {
            Ok((mut stream, peer)) => {
                tell(&Ok(peer));
                // A client that refuses us goes away before it asks.
                if read_head(&mut stream).await.is_ok() {
                    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
                    stream.write_all(answer.as_bytes()).await?;
                    stream.shutdown().await?;
                }
            }
            Err(error) => tell(&Err(error)),
        }
    }
}

async fn ask(arguments: &Arguments, live: Arc<Live>, whom: &Whom) -> anyhow::Result<ExitCode> {
    let connection = TcpStream::connect(arguments.address).await?;
    let asked = match ClientConnector::new(live).connect_to(connection, &arguments.name, whom).await {
        Ok((mut stream, peer)) => request(&mut stream).await.map(|answer| (peer, answer)),
        Err(error) => Err(error),
    };
    match asked {
        Ok((peer, answer)) => {
            tell(&Ok(peer));
            println!("{answer}");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            tell(&Err(error));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What the server thinks of our certificate shows when its answer is read, not before.
async fn request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<String, Error> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n").await?;
    let head = read_head(stream).await?;
    Ok(head.lines().next().unwrap_or_default().to_owned())
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if head.len() > 16 * 1024 || stream.read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn tell(met: &Result<Peer, Error>) {
    match met {
        Ok(peer) => {
            let id = peer.spiffe_id.as_ref().map_or("-", SpiffeId::as_str);
            println!("handshake: met {id} {} {}", peer.certificate_algorithm, peer.group);
        }
        Err(error) => {
            let mut text = format!("handshake: refused {} {error}", error.reason());
            let mut cause = error.source();
            while let Some(error) = cause {
                text.push_str(&format!(": {error}"));
                cause = error.source();
            }
            println!("{text}");
        }
    }
}
