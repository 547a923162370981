//! A server of an application, on this machine: it remembers what it was sent, and answers as it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::server::eventually;

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub line: String,
    pub headers: Vec<String>,
    pub body: String,
}

/// What it answers: a status and a body.
type Answers = Arc<Mutex<(u16, String)>>;

pub struct Receiver {
    pub url: String,
    answer: Answers,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Answers 200 with this body.
    pub fn start(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let receiver = Self { url, answer: Arc::new(Mutex::new((200, body.to_owned()))), received: Arc::default() };
        let (answer, received) = (Arc::clone(&receiver.answer), Arc::clone(&receiver.received));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _gone = serve(stream, &answer, &received);
            }
        });
        receiver
    }

    /// From now on it answers so.
    pub fn answer(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = (status, body.to_owned());
    }

    /// Everything that came so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// So many requests, once they are there.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        eventually(std::time::Duration::from_secs(40), || {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
    }
}

fn serve(stream: TcpStream, answer: &Answers, received: &Mutex<Vec<Received>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = || -> std::io::Result<String> {
        let mut text = String::new();
        reader.read_line(&mut text)?;
        Ok(text.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        match line()? {
            empty if empty.is_empty() => break,
            header => headers.push(header),
        }
    }
    let length = headers.iter().find_map(|header| {
        let (name, value) = header.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body)?;
    let (status, text) = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let body = String::from_utf8_lossy(&body).into_owned();
    received.lock().unwrap_or_else(PoisonError::into_inner).push(Received { line: first, headers, body });
    let place = if status == 302 { "Location: /elsewhere\r\n" } else { "" };
    let head = format!("HTTP/1.1 {status} x\r\n{place}Content-Length: {}\r\nConnection: close\r\n\r\n", text.len());
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())
}
