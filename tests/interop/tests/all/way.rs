//! A way to a registry on which somebody reads along what is asked.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Carries bytes to a registry and back, until the test is over.
pub struct Way {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Way {
    pub fn to(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let (host, seen) = (host.to_owned(), Arc::clone(&asked));
        std::thread::spawn(move || {
            for from in listener.incoming() {
                let (from, to) = (from.unwrap(), TcpStream::connect(&host).unwrap());
                let (back, forth) = (to.try_clone().unwrap(), from.try_clone().unwrap());
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || carry(from, to, |bytes| seen.lock().unwrap().extend(requests(bytes))));
                std::thread::spawn(move || carry(back, forth, |_| ()));
            }
        });
        Self { address, asked }
    }

    /// What was asked since this was asked last: the first lines of the requests.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// First lines of requests, which a client sends in one piece.
fn requests(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.split("\r\n").filter_map(|line| Some(line.strip_suffix(" HTTP/1.1")?.to_owned())).collect()
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(&[u8])) {
    let mut buffer = [0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        look(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}
