//! Just enough of an HTTP client to prepare a measurement.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// One server and one credential; a connection for each call.
pub struct Client {
    pub address: String,
    pub key: String,
}

impl Client {
    pub fn new(address: &str, key: &str) -> Self {
        Self { address: address.to_owned(), key: key.to_owned() }
    }

    pub fn create_secret(&self, name: &str, value: &str) -> Result<String> {
        self.create("/api/v1/secrets", &json!({"name": name, "value": value}))
    }

    pub fn create_key(&self, name: &str, kind: &str, algorithm: &str) -> Result<String> {
        self.create("/api/v1/keys", &json!({"name": name, "keyType": kind, "algorithm": algorithm}))
    }

    fn create(&self, path: &str, body: &Value) -> Result<String> {
        let made = self.call("POST", path, &body.to_string())?;
        made["id"].as_str().map(str::to_owned).with_context(|| format!("{path} answered without an id: {made}"))
    }

    pub fn call(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let mut stream = TcpStream::connect(&self.address)?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            self.key
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no end of head")?;
        ensure!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
        serde_json::from_str(body).with_context(|| format!("{method} {path}: {body}"))
    }
}
