//! Bytes both ways between a plain side and a secured one, for as long as both certificates are valid and the peer is
//! believed.

use std::future::Future;
use std::io;

use sdk::identity::Over;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};

/// How a connection ended.
#[derive(Debug)]
pub enum End {
    /// Both sides had said everything.
    Done,
    /// A certificate expired: what it proved is no longer so.
    Expired,
    /// The peer is not believed any more: its certificate is on the deny list, or its authority is gone.
    Disbelieved,
    /// It broke.
    Broken(io::Error),
}

/// Carries bytes until both sides have said everything, or the connection's term is over.
pub async fn carry<A, B>(plain: &mut A, secured: &mut B, over: impl Future<Output = Over>) -> End
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let copied = copy_bidirectional_with_sizes(plain, secured, BUFFER_BYTES, BUFFER_BYTES);
    tokio::select! {
        biased;
        over = over => match over {
            Over::Expired => End::Expired,
            Over::Disbelieved => End::Disbelieved,
        },
        copied = copied => match copied {
            Ok(_) => End::Done,
            Err(error) => End::Broken(error),
        },
    }
}

/// The label of connections that were closed for [`End::Disbelieved`].
pub const DISBELIEVED: &str = "disbelieved";
/// One TLS record holds this much.
const BUFFER_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_said_arrives_and_both_sides_may_finish() {
        let (mut app, mut plain) = duplex(64);
        let (mut secured, mut peer) = duplex(64);
        let carried = tokio::spawn(async move { carry(&mut plain, &mut secured, pending()).await });
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
    async fn a_connection_ends_with_its_term() {
        const TERM: Duration = Duration::from_secs(14_400);
        for over in [Over::Expired, Over::Disbelieved] {
            let (_app, mut plain) = duplex(64);
            let (mut secured, _peer) = duplex(64);
            let started = tokio::time::Instant::now();
            let term = async move {
                tokio::time::sleep(TERM).await;
                over
            };
            let end = carry(&mut plain, &mut secured, term).await;
            assert_eq!(matches!(end, End::Disbelieved), over == Over::Disbelieved);
            assert_eq!(matches!(end, End::Expired), over == Over::Expired);
            assert_eq!(started.elapsed(), TERM);
        }
    }
}
