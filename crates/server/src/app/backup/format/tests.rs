use std::sync::atomic::{AtomicU64, Ordering};

use crypto::algorithm::Algorithm;

use super::*;

/// Different bytes at every call, the same in every run.
struct Counted(AtomicU64);

impl Random for Counted {
    fn fill(&self, out: &mut [u8]) {
        for block in out.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            block.copy_from_slice(&sha256(&[&count.to_be_bytes()])[..block.len()]);
        }
    }
}

fn key(seed: u64) -> PrivateKey {
    PrivateKey::generate(Algorithm::MlKem1024, &Counted(AtomicU64::new(seed))).unwrap()
}

fn sealed(plain: &[u8], to: &PrivateKey) -> Vec<u8> {
    let random = Counted(AtomicU64::new(1 << 32));
    let (mut sealer, mut out) = Sealer::begin(&to.public_key().unwrap(), &random).unwrap();
    for piece in plain.chunks(10_007) {
        sealer.push(piece, &mut out).unwrap();
    }
    sealer.finish(&mut out).unwrap();
    out
}

fn opened(bytes: &[u8], with: &PrivateKey) -> Result<Vec<u8>, Unusable> {
    let mut opener = Opener::begin(with, bytes)?;
    let mut plain = Vec::new();
    while let Some(chunk) = opener.next()? {
        plain.extend_from_slice(chunk.expose());
    }
    Ok(plain)
}

/// Where each chunk begins, and where the file ends.
fn starts(bytes: &[u8]) -> Vec<usize> {
    let mut at = MAGIC.len() + 1 + 32 + 4 + read_length(&bytes[MAGIC.len() + 33..][..4]);
    let mut starts = vec![at];
    while at < bytes.len() {
        at += 5 + read_length(&bytes[at + 1..][..4]);
        starts.push(at);
    }
    starts
}

#[test]
fn every_length_comes_back_whole() {
    let key = key(1);
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
        let plain: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        assert_eq!(opened(&sealed(&plain, &key), &key).unwrap(), plain, "{length}");
    }
}

#[test]
fn whatever_is_changed_moved_cut_or_added_is_refused() {
    let (key, other) = (key(1), key(2));
    let whole = sealed(&vec![7; 3 * CHUNK - 5], &key);
    let starts = starts(&whole);
    let [first, second, third, end] = starts[..] else { panic!("three chunks") };
    assert!(matches!(opened(&whole, &other), Err(Unusable::OtherRecipient)));
    assert!(matches!(opened(b"something else", &key), Err(Unusable::NotABackup)));
    let joined = |parts: &[&[u8]]| parts.concat();
    let rows: [(Vec<u8>, &str); 6] = [
        (whole[..third].to_vec(), "cut short"),
        (whole[..end - 1].to_vec(), "cut short"),
        (joined(&[&whole, b"x"]), "behind its end"),
        (joined(&[&whole[..first], &whole[second..]]), "chunk 0 does not open"),
        (joined(&[&whole[..second], &whole[first..]]), "chunk 1 does not open"),
        (
            joined(&[&whole[..first], &whole[second..third], &whole[first..second], &whole[third..]]),
            "chunk 0 does not open",
        ),
    ];
    for (bytes, complaint) in rows {
        let error = opened(&bytes, &key).unwrap_err().to_string();
        assert!(error.contains(complaint), "{error}");
    }
    for at in (0..whole.len()).step_by(4_099).chain([0, 8, 9, first, first + 1, second, end - 1]) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(opened(&changed, &key).is_err(), "byte {at}");
    }
}
