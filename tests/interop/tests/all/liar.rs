//! Registries that lie: some say the same to everything, and one passes on what a real registry says, with changes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A registry that answers everything with the same words, or takes the request and says nothing for longer than anybody waits.
pub fn liar(answer: Option<String>) -> SocketAddr {
    serve(move |mut stream, _| match &answer {
        Some(answer) => drop(stream.write_all(answer.as_bytes())),
        None => std::thread::sleep(Duration::from_secs(120)),
    })
}

/// A registry that says the same as others, a byte at a time.
pub fn dawdler(answer: String) -> SocketAddr {
    serve(move |mut stream, _| {
        for byte in answer.as_bytes() {
            std::thread::sleep(Duration::from_millis(500));
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
        }
    })
}

/// An answer as HTTP writes it.
pub fn http(kind: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n{body}"
    )
}

/// What is made of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// One of its bytes is another one.
    Changed,
    /// Something else that reads well.
    Exchanged,
    /// It goes on for ever.
    Endless,
}

/// A registry that passes on what another one says.
pub struct Relay {
    pub host: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    asked: Vec<String>,
    lie: Option<(String, Lie)>,
}

impl Relay {
    pub fn to(registry: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (registry, kept) = (registry.to_owned(), Arc::clone(&state));
        let address = serve(move |mut stream, head| {
            let line = head.lines().next().unwrap_or_default().to_owned();
            let lie = {
                let mut state = kept.lock().unwrap();
                state.asked.push(line.clone());
                state.lie.clone().filter(|(about, _)| *about == line).map(|(_, lie)| lie)
            };
            let answer = honest(&registry, &head);
            let told = match lie {
                Some(lie) => changed(&answer, lie),
                None => answer,
            };
            let mut goes_on = stream.write_all(&told).is_ok() && lie == Some(Lie::Endless);
            while goes_on {
                goes_on = stream.write_all(&[b' '; 65_536]).is_ok();
            }
        });
        Self { host: address.to_string(), state }
    }

    /// What it was asked since it was asked that: the first lines of the requests.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// From now on it lies about this request.
    pub fn lies(&self, about: &str, lie: Lie) {
        self.state.lock().unwrap().lie = Some((about.to_owned(), lie));
    }

    pub fn is_honest(&self) {
        self.state.lock().unwrap().lie = None;
    }
}

/// What the real registry says, to the end of the connection.
fn honest(registry: &str, head: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(registry).unwrap();
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    answer
}

fn changed(answer: &[u8], lie: Lie) -> Vec<u8> {
    let end = memchr::memmem::find(answer, b"\r\n\r\n").unwrap() + 4;
    let (head, body) = (String::from_utf8_lossy(&answer[..end]).into_owned(), &answer[end..]);
    let mut body = body.to_vec();
    match lie {
        Lie::Exchanged => body = b"{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}".to_vec(),
        Lie::Changed => {
            let middle = body.len() / 2;
            if let Some(byte) = body.get_mut(middle) {
                *byte ^= 1;
            }
        }
        Lie::Endless => {}
    }
    let kept = head.trim_end().lines().filter(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
    let mut told = kept.collect::<Vec<_>>().join("\r\n");
    if lie != Lie::Endless {
        told.push_str(&format!("\r\nContent-Length: {}", body.len()));
    }
    [told.as_bytes(), b"\r\n\r\n", &body].concat()
}

/// Serves one request a connection.
fn serve(answer: impl Fn(TcpStream, String) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            std::thread::spawn(move || {
                let mut head = [0; 8_192];
                let read = stream.read(&mut head).unwrap_or_default();
                answer(stream, String::from_utf8_lossy(&head[..read]).into_owned());
            });
        }
    });
    address
}
