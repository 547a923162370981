//! What an image costs its registry, counted on the way, and how long a review of a known image takes.

use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::scene::{Scene, pod};
use crate::program::say;

/// The bar: a cold image, whatever is beside it.
const REQUESTS_AT_MOST: usize = 4;
const PER_SECOND: u32 = 500;
const SECONDS: u32 = 4;
const CONNECTIONS: usize = 8;

/// A way to a registry on which requests are counted.
struct Way {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Way {
    fn to(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let (host, counter) = (host.to_owned(), Arc::clone(&requests));
        std::thread::spawn(move || {
            for from in listener.incoming() {
                let (from, to) = (from.unwrap(), TcpStream::connect(&host).unwrap());
                let (back, forth) = (to.try_clone().unwrap(), from.try_clone().unwrap());
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || {
                    carry(from, to, |bytes| {
                        let heads = bytes.windows(11).filter(|window| *window == b" HTTP/1.1\r\n").count();
                        counter.fetch_add(heads, Ordering::SeqCst);
                    })
                });
                std::thread::spawn(move || carry(back, forth, |_| ()));
            }
        });
        Self { address, requests }
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_image_costs_its_registry_few_requests_and_a_known_one_none() {
    let scene = Scene::new("cost");
    let signed = scene.signed("team/api").await;
    let way = Way::to(&scene.place.host);
    let host = &scene.place.host;
    scene.policy(&format!(
        "registries:\n  - name: {host}\n    endpoint: {}\n    dangerPlainHttp: true\nimages:\n  - name: ours\n    \
         match: ['{host}/**']\n",
        way.address
    ));
    let webhook = scene.start("");
    let image = signed.reference().to_string();
    assert!(webhook.admits(&image).await);
    let cold = way.requests.swap(0, Ordering::SeqCst);
    assert!((1..=REQUESTS_AT_MOST).contains(&cold), "{cold} requests for a cold image");
    let (webhook, review) = (Arc::new(webhook), Arc::new(pod("shop", &image)));
    let (began, turns) = (Instant::now(), Arc::<AtomicU32>::default());
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (webhook, review, turns) = (Arc::clone(&webhook), Arc::clone(&review), Arc::clone(&turns));
        asking.spawn(async move {
            let mut took = Vec::new();
            loop {
                let turn = turns.fetch_add(1, Ordering::SeqCst);
                if turn >= PER_SECOND * SECONDS {
                    return took;
                }
                // Due at fixed times whatever the answers do: a stall is felt by all that waited behind it.
                let due = began + Duration::from_secs(1) * turn / PER_SECOND;
                tokio::time::sleep_until(due.into()).await;
                assert_eq!(webhook.validate(&review).await["allowed"], true);
                took.push(due.elapsed());
            }
        });
    }
    let mut took = asking.join_all().await.concat();
    took.sort();
    assert_eq!(way.requests.load(Ordering::SeqCst), 0, "a known image");
    let at = |share: usize| took[took.len() * share / 100].as_secs_f64() * 1e3;
    say(&format!(
        "admission: {cold} registry requests for a cold image; {PER_SECOND} reviews a second of a known one, p50 {:.2} ms, \
         p99 {:.2} ms (this build, beside other tests)",
        at(50),
        at(99)
    ));
}
