//! Just enough of an HTTP client to prepare a measurement.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::load::Request;
use super::process::{Running, credentials};

/// Of everybody who has one.
pub const PASSWORD: &str = "correct horse battery staple";

/// One server and one credential; a connection for each call.
pub struct Client {
    pub address: String,
    pub key: String,
}

impl Client {
    pub fn new(address: &str, key: &str) -> Self {
        Self { address: address.to_owned(), key: key.to_owned() }
    }

    /// The administrator of what `qapid dev` runs over a data directory.
    pub fn of(server: &Running, data: &Path) -> Result<Self> {
        let key = credentials(data)?.remove("QUANTUMAPI_KEY").context("no key in dev.env")?;
        Ok(Self { address: server.address.clone(), key })
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

    /// A service that asks for tokens of this form for itself: what its `Authorization` header says.
    pub fn create_service(&self, token_format: &str) -> Result<String> {
        let body = json!({
            "name": format!("bench {token_format}"), "applicationType": "MachineToMachine", "accessTokenFormat": token_format,
            "allowedScopes": ["bench:read"],
        });
        let made = self.call("POST", "/api/v1/applications", &body.to_string())?;
        let text = |member: &str| made[member].as_str().with_context(|| format!("no {member} in {made}"));
        let pair = format!("{}:{}", text("clientId")?, text("clientSecret")?);
        Ok(format!("Basic {}", STANDARD.encode(pair)))
    }

    /// The forms by which so many people sign in for a device; they work again and again until somebody says yes. Tries of one account at
    /// once slow each other down.
    pub fn create_logins(&self, people: usize) -> Result<Vec<Request>> {
        let device = self.create_device()?;
        let emails = (0..people).map(|person| format!("person{person}@bench.example"));
        emails
            .map(|email| {
                self.create_person(&device, &email, Some(PASSWORD))?;
                Ok(self.sign_in(&device, &email, PASSWORD))
            })
            .collect()
    }

    /// An installed application whose device waits to be allowed.
    pub fn create_device(&self) -> Result<Device> {
        let app =
            json!({"name": "bench device", "applicationType": "NativeApp", "redirectUris": ["http://127.0.0.1/cb"]});
        let made = self.call("POST", "/api/v1/applications", &app.to_string())?;
        let text = |member: &str| made[member].as_str().with_context(|| format!("no {member} in {made}"));
        let asked = format!("client_id={}&scope=openid", text("clientId")?);
        let waiting = self.ask(&Request::page("/oauth2/device_authorization", &self.origin(), &asked))?;
        let code = waiting["user_code"].as_str().with_context(|| format!("no user_code in {waiting}"))?;
        Ok(Device { people: format!("/api/v1/applications/{}/end-users", text("id")?), code: code.to_owned() })
    }

    /// An end user of the application of a device. Answers with their id.
    pub fn create_person(&self, device: &Device, email: &str, password: Option<&str>) -> Result<String> {
        let mut person = json!({"email": email, "displayName": "Ada"});
        if let Some(password) = password {
            person["password"] = password.into();
        }
        self.create(&device.people, &person)
    }

    /// The form by which somebody signs in for a device.
    pub fn sign_in(&self, device: &Device, email: &str, password: &str) -> Request {
        let (email, password) = (email.replace('@', "%40"), password.replace(' ', "+"));
        let body = format!("user_code={}&email={email}&password={password}", device.code);
        Request::page("/device", &self.origin(), &body)
    }

    /// What pages of the server come from.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a form is answered with.
    pub fn ask(&self, form: &Request) -> Result<Value> {
        let mut stream = TcpStream::connect(&self.address)?;
        let mut text = String::from_utf8(form.bytes().to_vec())?;
        text = text.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        stream.write_all(text.as_bytes())?;
        answered(&mut stream, "a form")
    }

    pub fn call(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let mut stream = TcpStream::connect(&self.address)?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            self.key
        )?;
        answered(&mut stream, &format!("{method} {path}"))
    }
}

/// An application and its device that waits.
pub struct Device {
    /// Where its people are managed.
    pub people: String,
    code: String,
}

fn answered(stream: &mut TcpStream, what: &str) -> Result<Value> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no end of head")?;
    ensure!(head.starts_with("HTTP/1.1 2"), "{what}: {answer}");
    serde_json::from_str(body).with_context(|| format!("{what}: {body}"))
}
