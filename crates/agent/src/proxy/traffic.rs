//! Bytes both ways between a plain side and a secured one, for as long as both certificates are valid.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};

/// How a connection ended.
#[derive(Debug)]
pub enum End {
    /// Both sides had said everything.
    Done,
    /// A certificate expired: what it proved is no longer so.
    Expired,
    /// It broke.
    Broken(io::Error),
}

/// Carries bytes until both sides have said everything, or `lifetime` is over.
pub async fn carry<A, B>(plain: &mut A, secured: &mut B, lifetime: Duration) -> End
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let copied = copy_bidirectional_with_sizes(plain, secured, BUFFER_BYTES, BUFFER_BYTES);
    match tokio::time::timeout(lifetime, copied).await {
        Ok(Ok(_)) => End::Done,
        Ok(Err(error)) => End::Broken(error),
        Err(_) => End::Expired,
    }
}

/// One TLS record holds this much.
const BUFFER_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_said_arrives_and_both_sides_may_finish() {
        let (mut app, mut plain) = duplex(64);
        let (mut secured, mut peer) = duplex(64);
        let carried = tokio::spawn(async move { carry(&mut plain, &mut secured, Duration::from_secs(60)).await });
        app.write_all(b"question").await.unwrap();
        app.shutdown().await.unwrap();
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"question");
        peer.write_all(&[7; 4_096]).await.unwrap();
        peer.shutdown().await.unwrap();
        heard.clear();
        app.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard.len(), 4_096);
        assert!(matches!(carried.await.unwrap(), End::Done));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_with_the_certificate() {
        let (_app, mut plain) = duplex(64);
        let (mut secured, _peer) = duplex(64);
        let started = tokio::time::Instant::now();
        let end = carry(&mut plain, &mut secured, Duration::from_secs(14_400)).await;
        assert!(matches!(end, End::Expired));
        assert_eq!(started.elapsed(), Duration::from_secs(14_400));
    }
}
