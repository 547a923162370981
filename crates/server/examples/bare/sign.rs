//! The signing primitive by itself, and a request that it signed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::x509::{Request, pem};

use crate::OperatingSystem;

const LASTS: Duration = Duration::from_secs(3);

/// ML-DSA-65 signatures a second over a short message.
pub fn rate() -> anyhow::Result<f64> {
    let key = PrivateKey::generate(Algorithm::MlDsa65, &OperatingSystem)?;
    let began = Instant::now();
    let mut done = 0_u32;
    while began.elapsed() < LASTS {
        black_box(key.sign(black_box(b"QUAPI"), &OperatingSystem)?);
        done += 1;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

/// A PKCS#10 request in PEM for an ML-DSA-65 key and one name.
pub fn request(name: &str) -> anyhow::Result<String> {
    let key = PrivateKey::generate(Algorithm::MlDsa65, &OperatingSystem)?;
    let request = Request { alt_names: vec![name.parse()?], ..Request::default() };
    Ok(pem::encode(pem::REQUEST, &request.sign(&key, &OperatingSystem)?))
}
