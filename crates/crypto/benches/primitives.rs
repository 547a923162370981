//! What the primitives cost through this crate: `cargo bench -p crypto` prints the median of twenty batches for each.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use crypto::Error;
use crypto::algorithm::Algorithm;
use crypto::context::Context;
use crypto::entropy::{EntropyPool, Source, SourceFailed};
use crypto::key::{PrivateKey, PublicKey};
use crypto::message::{self, Encoding, EpochKey, Place, Purpose, Seal};
use crypto::random::Random as _;
use crypto::secret::Key32;
use crypto::symmetric;

const PLACE: Place = Place { tenant: [1; 16], key: [2; 16], version: 1 };
const BATCH: Duration = Duration::from_millis(20);
const BATCHES: usize = 20;

fn main() -> Result<(), Error> {
    let random = EntropyPool::new(Box::new(OperatingSystem));
    let seal = Seal { place: &PLACE, purpose: Purpose::Message, encoding: Encoding::Utf8, aad: b"" };
    let plaintext = [7; 64];

    measure("random 36 B from the pool", || random.fill(&mut black_box([0; 36])));
    let cell_key = Key32::random(&random);
    measure("symmetric seal 64 B", || {
        symmetric::seal_with_key(&cell_key, &Context::new("bench"), &plaintext, &random).is_ok()
    });
    for algorithm in
        [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87, Algorithm::EcdsaP256, Algorithm::Ed25519]
    {
        let (key, public) = pair(algorithm, &random)?;
        let signature = key.sign(&plaintext, &random)?;
        measure(&format!("{algorithm} sign 64 B"), || key.sign(&plaintext, &random).is_ok());
        measure(&format!("{algorithm} verify 64 B"), || public.verify(&plaintext, &signature));
    }
    for algorithm in [Algorithm::MlKem768, Algorithm::MlKem1024, Algorithm::XWing] {
        let (key, public) = pair(algorithm, &random)?;
        let (encapsulation, _) = public.encapsulate(&random)?;
        measure(&format!("{algorithm} generate"), || PrivateKey::generate(algorithm, &random).is_ok());
        measure(&format!("{algorithm} encapsulate"), || public.encapsulate(&random).is_ok());
        measure(&format!("{algorithm} decapsulate"), || key.decapsulate(&encapsulation).is_ok());
        let sealed = message::seal(&public, &seal, &plaintext, &random)?;
        measure(&format!("{algorithm} seal 64 B"), || message::seal(&public, &seal, &plaintext, &random).is_ok());
        measure(&format!("{algorithm} open 64 B"), || {
            message::open(&key, &PLACE, Purpose::Message, b"", &sealed).is_ok()
        });
    }
    let (_, public) = pair(Algorithm::MlKem768, &random)?;
    let (epoch, _) = EpochKey::establish(&public, &PLACE, &random)?;
    let sealed = message::seal_fast(&epoch, &seal, &plaintext, &random)?;
    measure("seal fast 64 B", || message::seal_fast(&epoch, &seal, &plaintext, &random).is_ok());
    measure("open fast 64 B", || message::open_fast(&epoch, &PLACE, Purpose::Message, b"", &sealed).is_ok());
    Ok(())
}

fn pair(algorithm: Algorithm, random: &EntropyPool) -> Result<(PrivateKey, PublicKey), Error> {
    let key = PrivateKey::generate(algorithm, random)?;
    let public = key.public_key().ok_or(Error::Provider)?;
    Ok((key, public))
}

fn measure<T>(name: &str, mut operation: impl FnMut() -> T) {
    let mut nanoseconds: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let (start, mut count) = (Instant::now(), 0_u32);
            while start.elapsed() < BATCH {
                black_box(operation());
                count += 1;
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
        })
        .collect();
    nanoseconds.sort_by(f64::total_cmp);
    let median = nanoseconds.get(BATCHES / 2).copied().unwrap_or_default();
    println!("{name:<32} {:>10.2} us {:>12.0} /s", median / 1e3, 1e9 / median);
}

struct OperatingSystem;

impl Source for OperatingSystem {
    fn name(&self) -> &str {
        "os"
    }

    fn is_quantum(&self) -> bool {
        false
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), SourceFailed> {
        crypto::random::operating_system(out).map_err(|_| SourceFailed)
    }
}
