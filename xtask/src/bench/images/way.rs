//! The way to a server: requests are counted on it, and answers can be made late, as if the server were somewhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How a request's first line ends.
const LINE_END: &[u8] = b" HTTP/1.1\r\n";

/// It ends with its scope, and every connection with it.
pub struct Way {
    /// Where to go instead of the server.
    pub address: String,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Shared {
    requests: AtomicUsize,
    delay_ms: AtomicU64,
}

impl Way {
    pub fn to(server: &str) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?.to_string();
        let shared = Arc::<Shared>::default();
        runtime.spawn(serve(listener, server.to_owned(), Arc::clone(&shared)));
        Ok(Self { address, shared, _runtime: runtime })
    }

    /// How long every answer is on its way from now on.
    pub fn delay(&self, delay: Duration) {
        self.shared.delay_ms.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// How many requests went by since the last time.
    pub fn requests(&self) -> usize {
        self.shared.requests.swap(0, Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, server: String, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let (server, shared) = (server.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            // A server that is gone, or a client that is: what counts is whether the measured program is content.
            let _ended = carry(client, &server, &shared).await;
        });
    }
}

async fn carry(client: TcpStream, server: &str, shared: &Shared) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let (sender, receiver) = mpsc::unbounded_channel();
    let questions = count(from_client, to_server, shared);
    let answers = async { tokio::try_join!(take(from_server, sender, shared), hand_over(receiver, to_client)) };
    tokio::try_join!(questions, answers).map(drop)
}

async fn count(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared) -> std::io::Result<()> {
    let mut seen = Vec::with_capacity(64 << 10);
    loop {
        let before = seen.len();
        if from.read_buf(&mut seen).await? == 0 {
            return to.shutdown().await;
        }
        to.write_all(&seen[before..]).await?;
        shared.requests.fetch_add(heads(&mut seen), Ordering::SeqCst);
    }
}

/// How many requests begin in the bytes; keeps what may be the beginning of another line's end.
fn heads(seen: &mut Vec<u8>) -> usize {
    let count = seen.windows(LINE_END.len()).filter(|window| *window == LINE_END).count();
    seen.drain(..seen.len().saturating_sub(LINE_END.len() - 1));
    count
}

type Late = (Instant, Vec<u8>);

/// Takes what the server says when it says it, so that it is late by the delay and not by the sum of many.
async fn take(mut from: OwnedReadHalf, to: mpsc::UnboundedSender<Late>, shared: &Shared) -> std::io::Result<()> {
    loop {
        let mut bytes = Vec::with_capacity(64 << 10);
        if from.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let due = Instant::now() + Duration::from_millis(shared.delay_ms.load(Ordering::SeqCst));
        if to.send((due, bytes)).is_err() {
            return Ok(());
        }
    }
}

async fn hand_over(mut from: mpsc::UnboundedReceiver<Late>, mut to: OwnedWriteHalf) -> std::io::Result<()> {
    while let Some((due, bytes)) = from.recv().await {
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
        }
        to.write_all(&bytes).await?;
    }
    to.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_once_however_it_arrives() {
        let text = b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\n\r\n".as_slice();
        for piece in 1..=text.len() {
            let (mut seen, mut count) = (Vec::new(), 0);
            for bytes in text.chunks(piece) {
                seen.extend_from_slice(bytes);
                count += heads(&mut seen);
            }
            assert_eq!(count, 2, "in pieces of {piece}");
        }
    }
}
