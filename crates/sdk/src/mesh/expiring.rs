//! A client's connection that ends with the certificates it was made with, and with the belief in its peer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::identity::{Over, Term};

/// A stream with an end: a while after a certificate expired it is closed, and at once when its peer is not believed any more,
/// whether a request is under way or not.
pub struct Expiring<S> {
    stream: S,
    expires: Expires,
    end: End,
}

enum End {
    Awaited(Pin<Box<dyn Future<Output = Over> + Send>>),
    Come(Over),
}

/// When a certificate of the connection expires. Responses carry it as an extension.
#[derive(Clone, Copy, Debug)]
pub struct Expires(Instant);

impl Expires {
    /// Whether a connection that is put back into the pool now could still lie there when it expires.
    pub fn is_within(self, idle: Duration) -> bool {
        self.0.saturating_duration_since(Instant::now()) <= idle
    }
}

impl<S> Expiring<S> {
    pub fn new(stream: S, term: Term, drain: Duration) -> Self {
        Self { stream, expires: Expires(term.end()), end: End::Awaited(Box::pin(term.closed(drain))) }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Result<(), io::Error> {
        let over = match &mut self.end {
            End::Come(over) => *over,
            End::Awaited(end) => match end.as_mut().poll(cx) {
                Poll::Ready(over) => over,
                Poll::Pending => return Ok(()),
            },
        };
        self.end = End::Come(over);
        Err(ended(over))
    }
}

impl<S> Connection for Expiring<S> {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.expires)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Expiring<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_end(cx)?;
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Expiring<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.poll_end(cx)?;
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

fn ended(over: Over) -> io::Error {
    match over {
        Over::Expired => io::Error::new(io::ErrorKind::TimedOut, "a certificate of the connection has expired"),
        Over::Disbelieved => {
            io::Error::new(io::ErrorKind::PermissionDenied, "the peer of the connection is not believed any more")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_closed_a_while_after_a_certificate_expired() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = Expiring::new(near, Term::new(MINUTE, pending()), Duration::from_secs(10));
        let begun = Instant::now();
        far.write_all(b"a").await.unwrap();
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).await.unwrap(), 1);
        assert!(stream.expires.is_within(MINUTE) && !stream.expires.is_within(Duration::from_secs(59)));
        let ended = stream.read(&mut byte).await.unwrap_err();
        assert_eq!((ended.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, Duration::from_secs(70)));
        assert!(stream.write_all(b"late").await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_closed_at_once_when_its_peer_is_not_believed_any_more() {
        let (near, _far) = tokio::io::duplex(64);
        let term = Term::new(MINUTE, tokio::time::sleep(MINUTE / 2));
        let mut stream = Expiring::new(near, term, Duration::from_secs(10));
        let begun = Instant::now();
        let ended = stream.read(&mut [0]).await.unwrap_err();
        assert_eq!((ended.kind(), begun.elapsed()), (io::ErrorKind::PermissionDenied, MINUTE / 2));
        assert!(stream.write_all(b"late").await.is_err());
    }
}
