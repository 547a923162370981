//! The application's side of an outbound connection, and the one thing that is understood above TCP: an HTTP client whose
//! peer cannot be had gets a 503 that says why. Clients of other protocols see the connection close.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// A stream that remembers how it began: what the application said first, and whether it was answered.
pub struct Local<S> {
    stream: S,
    first: [u8; LONGEST_METHOD],
    first_len: usize,
    answered: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Local<S> {
    /// A stream at its beginning.
    pub fn new(stream: S) -> Self {
        Self { stream, first: [0; LONGEST_METHOD], first_len: 0, answered: false }
    }

    /// Tells the application that its peer is not to be had, if it speaks HTTP and has had no answer yet; closes the
    /// connection in any case. `why` is one line.
    pub async fn refuse(mut self, why: &str) {
        let _late = tokio::time::timeout(PATIENCE, async {
            if self.first_len == 0 {
                let mut some = [0; LONGEST_METHOD];
                let _told = self.read(&mut some).await;
            }
            if self.awaits_http() {
                let _sent = self.stream.write_all(unavailable(why).as_bytes()).await;
            }
            let _closed = self.stream.shutdown().await;
            self.drain().await;
        })
        .await;
    }

    /// Reads what is still coming: closing over unread bytes would be a reset, and the reset would overtake the answer.
    async fn drain(&mut self) {
        let mut rest = [0; 4_096];
        for _ in 0..MOST_READS {
            if !matches!(self.stream.read(&mut rest).await, Ok(read) if read > 0) {
                return;
            }
        }
    }

    fn awaits_http(&self) -> bool {
        let first = self.first.get(..self.first_len).unwrap_or_default();
        !self.answered && METHODS.iter().any(|method| first.starts_with(method))
    }
}

fn unavailable(why: &str) -> String {
    let body = format!("qapi-agent: {why}\n");
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nserver: qapi-agent\r\ncontent-type: text/plain; charset=utf-8\r\n\
         cache-control: no-store\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

impl<S: AsyncRead + Unpin> AsyncRead for Local<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let said = buf.filled().get(before..).unwrap_or_default();
        for (kept, byte) in this.first.iter_mut().skip(this.first_len).zip(said) {
            *kept = *byte;
            this.first_len += 1;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Local<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.answered |= !bytes.is_empty();
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    /// The peer has said everything. To an HTTP client that has heard nothing yet this is no end but a failure.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.awaits_http() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer")));
        }
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

/// The methods of HTTP/1.1 (RFC 9110 section 9, RFC 5789). HTTP/2 begins otherwise, and would not understand the answer.
const METHODS: [&[u8]; 9] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"CONNECT ", b"OPTIONS ", b"TRACE ", b"PATCH "];
const LONGEST_METHOD: usize = 8;
/// How long an application may take to say what it speaks, and to read that it will not be answered.
const PATIENCE: Duration = Duration::from_secs(2);
const MOST_READS: usize = 256;

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What an application hears that said `said`, and got `answer` before its peer was lost.
    async fn heard(said: &[u8], answer: &[u8]) -> String {
        let (mut app, far) = duplex(4_096);
        let mut local = Local::new(far);
        app.write_all(said).await.unwrap();
        if !answer.is_empty() {
            let mut some = [0; 64];
            let _said = local.read(&mut some).await.unwrap();
            local.write_all(answer).await.unwrap();
        }
        let hear = async {
            let mut text = String::new();
            app.read_to_string(&mut text).await.unwrap();
            drop(app);
            text
        };
        let ((), text) = tokio::join!(local.refuse("no such service"), hear);
        text
    }

    #[tokio::test(start_paused = true)]
    async fn only_http_clients_without_an_answer_are_told() {
        for (said, answer, told) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], &b""[..], true),
            (b"OPTIONS * HTTP/1.1\r\n\r\n", b"", true),
            (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n", false),
            (b"PRI * HTTP/2.0\r\n\r\n", b"", false),
            (b"\x16\x03\x01", b"", false),
            (b"GETAWAY", b"", false),
            (b"", b"", false),
        ] {
            let text = heard(said, answer).await;
            assert_eq!(text.starts_with("HTTP/1.1 503 "), told, "{text}");
            assert_eq!(text.contains("no such service"), told, "{text}");
        }
    }

    #[tokio::test]
    async fn a_method_that_comes_in_pieces_is_one() {
        let (mut app, far) = duplex(64);
        let mut local = Local::new(far);
        for piece in [&b"DEL"[..], b"ETE /"] {
            app.write_all(piece).await.unwrap();
            let mut some = [0; 16];
            let _read = local.read(&mut some).await.unwrap();
        }
        assert!(local.awaits_http());
        assert_eq!(local.shutdown().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
