//! Closing a connection so that its last answer arrives (RFC 9112, 9.6).
//!
//! A socket that is closed while bytes come in is reset, and then the peer loses what it has not read yet: whoever sends
//! content that nobody waits for would miss part of a long answer. So only our half is closed at first, and what still comes
//! is thrown away until the peer has closed its own.

use std::future::Future as _;
use std::io::Result;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Sleep;

/// How long a peer has to read the answer and close.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection that lingers when it is shut down, unless the whole server stops.
pub struct Lingering<IO> {
    io: IO,
    stop: watch::Receiver<bool>,
    closing: Closing,
}

enum Closing {
    NotYet,
    Lingers(Pin<Box<Sleep>>),
    Done,
}

impl<IO> Lingering<IO> {
    /// Over `io`, until `stop` becomes true.
    pub fn new(io: IO, stop: watch::Receiver<bool>) -> Self {
        Self { io, stop, closing: Closing::NotYet }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Lingering<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.closing {
                Closing::NotYet => {
                    ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
                    // Idle clients of pools do not close before they look: a server that stops does not wait for them.
                    let stops = *this.stop.borrow();
                    this.closing =
                        if stops { Closing::Done } else { Closing::Lingers(Box::pin(tokio::time::sleep(PATIENCE))) };
                }
                Closing::Lingers(patience) => {
                    // First the time: whoever never stops sending would leave no turn for it.
                    if patience.as_mut().poll(cx).is_pending() {
                        ready!(thrown_away(&mut this.io, cx));
                    }
                    this.closing = Closing::Done;
                }
                Closing::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Reads to the end, for nobody.
fn thrown_away(io: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<()> {
    let mut room = [const { MaybeUninit::uninit() }; 4 << 10];
    loop {
        let mut buffer = ReadBuf::uninit(&mut room);
        let read = ready!(Pin::new(&mut *io).poll_read(cx, &mut buffer));
        if read.is_err() || buffer.filled().is_empty() {
            return Poll::Ready(());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    fn pair(stops: bool) -> (Lingering<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = duplex(1 << 10);
        let (_sender, stop) = watch::channel(stops);
        (Lingering::new(ours, stop), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_late_is_taken_until_the_peer_closes() {
        let (mut ours, mut theirs) = pair(false);
        let closing = tokio::spawn(async move { ours.shutdown().await });
        // Sees the end of the answer, and still sends more than there is room for.
        assert_eq!(theirs.read(&mut [0; 1]).await.unwrap(), 0);
        theirs.write_all(&[7; 10 << 10]).await.unwrap();
        assert!(!closing.is_finished());
        drop(theirs);
        closing.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let (mut ours, _theirs) = pair(false);
        let began = tokio::time::Instant::now();
        ours.shutdown().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_does_not_wait() {
        let (mut ours, _theirs) = pair(true);
        let began = tokio::time::Instant::now();
        ours.shutdown().await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
