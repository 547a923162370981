//! The stretching of a password by itself, at the cost that people's passwords have.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crypto::passphrase::{Params, derive};
use crypto::secret::SecretBytes;

const LASTS: Duration = Duration::from_secs(3);

/// Passwords stretched in a second on one core.
pub fn rate() -> anyhow::Result<f64> {
    let params = Params { m_kib: 19 << 10, t: 2, p: 1, salt: [7; 16] };
    let password = SecretBytes::copy_from(b"correct horse battery staple");
    let began = Instant::now();
    let mut done = 0_u32;
    while began.elapsed() < LASTS {
        black_box(derive(black_box(&password), &params)?);
        done += 1;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}
