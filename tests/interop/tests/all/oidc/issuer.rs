//! Another issuer, on this machine: its keys, its metadata, and tokens of the shape that each system gives its jobs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crypto::algorithm::Algorithm;
use crypto::jose::SigningKey;
use crypto::random::Seeded;
use serde_json::{Value, json};

use super::provider::{client_key, now_s};

pub struct Issuer {
    pub url: String,
    pub key: SigningKey,
    fetched: Arc<AtomicUsize>,
}

impl Issuer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let key = client_key(Algorithm::EcdsaP256, b"another issuer");
        let fetched = Arc::new(AtomicUsize::new(0));
        let (served, counted, base) = (key.public().to_jwk(), Arc::clone(&fetched), url.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &base, &served, &counted);
            }
        });
        Self { url, key, fetched }
    }

    /// How often its keys were asked for.
    pub fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }

    /// A token with what every system says, and these claims.
    pub fn token(&self, audience: &str, claims: &Value) -> String {
        self.token_by(&self.key, audience, claims)
    }

    pub fn token_by(&self, key: &SigningKey, audience: &str, claims: &Value) -> String {
        key.sign("JWT", self.claims(audience, claims).to_string().as_bytes(), &Seeded::new(b"hedge")).expect("a token")
    }

    pub fn claims(&self, audience: &str, claims: &Value) -> Value {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mut all = json!({
            "iss": self.url, "aud": audience, "iat": now_s(), "exp": now_s() + 300,
            "jti": format!("job {}", NEXT.fetch_add(1, Ordering::SeqCst)),
        });
        for (name, value) in claims.as_object().expect("claims") {
            all[name] = value.clone();
        }
        all
    }
}

fn serve(mut stream: TcpStream, base: &str, key: &Value, fetched: &AtomicUsize) {
    let mut request = [0; 4096];
    let length = stream.read(&mut request).unwrap_or_default();
    let line = String::from_utf8_lossy(request.get(..length).unwrap_or_default()).into_owned();
    let body = match line.split(' ').nth(1) {
        Some("/.well-known/openid-configuration") => json!({"issuer": base, "jwks_uri": format!("{base}/keys")}),
        Some("/keys") => {
            fetched.fetch_add(1, Ordering::SeqCst);
            json!({"keys": [key]})
        }
        // Whoever follows this would find keys.
        Some("/moved") => {
            let _ = stream.write_all(
                format!("HTTP/1.1 302 x\r\nLocation: {base}/keys\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .as_bytes(),
            );
            return;
        }
        _ => Value::Null,
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}
