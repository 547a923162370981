//! A small HTTP client that sends exactly what a test says, byte by byte where it matters.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// How long a server may take for one answer before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whom to ask, and as whom.
#[derive(Clone)]
pub struct Client {
    address: String,
    key: Option<String>,
}

impl Client {
    pub fn new(base_url: &str, key: Option<&str>) -> Self {
        let address = base_url.strip_prefix("http://").expect("plain HTTP").trim_end_matches('/').to_owned();
        Self { address, key: key.map(str::to_owned) }
    }

    /// The same server with another credential.
    pub fn with_key(&self, key: &str) -> Self {
        Self { address: self.address.clone(), key: Some(key.to_owned()) }
    }

    /// The same server without a credential.
    pub fn anonymous(&self) -> Self {
        Self { address: self.address.clone(), key: None }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn key(&self) -> &str {
        self.key.as_deref().expect("this client has a key")
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        let mut request = Request {
            address: self.address.clone(),
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: Vec::new(),
        };
        if let Some(key) = &self.key {
            request.headers.push(("X-Api-Key".to_owned(), key.clone()));
        }
        request
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send()
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path).send()
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path).json(body).send()
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.request("PUT", path).json(body).send()
    }

    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.request("PATCH", path).json(body).send()
    }
}

/// A request in the making.
pub struct Request {
    address: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Sets a header, in place of one of the same name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string().into_bytes())
    }

    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    #[track_caller]
    pub fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        self.try_send().unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// The answer, or why there is none: the server is gone, or does not answer.
    pub fn try_send(self) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.path, self.address);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").expect("writing to a string");
        }
        write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n", self.body.len()).expect("writing to a string");
        stream.write_all(head.as_bytes())?;
        // A server that refuses a body early may close before all of it is sent; its answer still counts.
        let sent = stream.write_all(&self.body);
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        let (method, path) = (self.method, self.path);
        match Answer::parse(&bytes, format!("{method} {path}")) {
            Some(answer) => Ok(answer),
            None => {
                sent?;
                read?;
                Err(std::io::Error::other(format!("no whole answer in {} bytes", bytes.len())))
            }
        }
    }
}

/// An answer, whole.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    what: String,
}

impl Answer {
    pub fn parse(bytes: &[u8], what: String) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Self { status, headers, body: bytes[end + 4..].to_vec(), what };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = unchunked(&answer.body)?;
        } else if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().ok()?;
            (answer.body.len() == length).then_some(())?;
        }
        Some(answer)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every header of this name.
    pub fn headers_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Wants this status, and shows the answer if it is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        self
    }

    /// Wants this error: its status, its code, and the one error object with all its members.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        let body = self.error_object();
        assert_eq!(body["error"], code, "{}: {}", self.what, self.text());
        body
    }

    /// Wants the one error object, whichever its code.
    #[track_caller]
    pub fn error_object(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{}: {}", self.what, self.text());
        let body = self.json();
        assert_eq!(body["status"], self.status, "{}: {}", self.what, self.text());
        for member in ["error", "message", "title", "detail", "requestId"] {
            let text = body[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{}: no {member} in {}", self.what, self.text());
        }
        assert!(body["details"].is_object(), "{}: no details in {}", self.what, self.text());
        assert_eq!(self.header("x-request-id"), body["requestId"].as_str(), "{}", self.what);
        body
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error} in {:?} ({})", self.what, self.text(), self.status))
    }

    /// A member that must be text.
    #[track_caller]
    pub fn text_of(&self, member: &str) -> String {
        let body = self.json();
        let value = body[member].as_str();
        value.unwrap_or_else(|| panic!("{}: no text {member} in {body}", self.what)).to_owned()
    }
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = rest.get(line + 2..)?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
