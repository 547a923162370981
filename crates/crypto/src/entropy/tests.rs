use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::random::Seeded;

/// A source that computes its bytes, counting how many it gave.
struct Computed<F> {
    name: &'static str,
    given: Arc<AtomicU64>,
    bytes: F,
}

impl<F: FnMut(u64) -> Option<u8> + Send> Source for Computed<F> {
    fn name(&self) -> &str {
        self.name
    }

    fn is_quantum(&self) -> bool {
        self.name == "quantum"
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), SourceFailed> {
        for byte in out {
            *byte = (self.bytes)(self.given.fetch_add(1, Ordering::Relaxed)).ok_or(SourceFailed)?;
        }
        Ok(())
    }
}

fn source(
    name: &'static str,
    bytes: impl FnMut(u64) -> Option<u8> + Send + 'static,
) -> (Box<dyn Source>, Arc<AtomicU64>) {
    let given = Arc::new(AtomicU64::new(0));
    (Box::new(Computed { name, given: Arc::clone(&given), bytes }), given)
}

/// Good bytes, the same for the same name.
fn good(name: &'static str) -> Box<dyn Source> {
    let random = Seeded::new(name.as_bytes());
    let mut buffer = Vec::new();
    source(name, move |_| {
        if buffer.is_empty() {
            buffer = vec![0; 4096];
            random.fill(&mut buffer);
        }
        buffer.pop()
    })
    .0
}

fn draw(pool: &EntropyPool, length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    pool.fill(&mut out);
    out
}

#[test]
fn every_source_changes_the_output() {
    let alone = EntropyPool::new(good("os"));
    let mixed = EntropyPool::new(good("os"));
    mixed.add_source("quantum", good("quantum"));
    assert_eq!(draw(&alone, 3000), draw(&EntropyPool::new(good("os")), 3000), "the test's sources repeat themselves");
    assert_ne!(draw(&EntropyPool::new(good("os")), 64), draw(&mixed, 64));
    assert_ne!(draw(&EntropyPool::new(good("os")), 64), draw(&EntropyPool::new(good("other")), 64));
}

#[test]
fn output_does_not_repeat_across_blocks_and_lengths() {
    let pool = EntropyPool::new(good("os"));
    let all = draw(&pool, 200_000);
    let mut pieces: Vec<_> = all.chunks(16).collect();
    pieces.sort_unstable();
    pieces.dedup();
    assert_eq!(pieces.len(), 200_000 / 16);
    let (whole, parts) = (EntropyPool::new(good("os")), EntropyPool::new(good("os")));
    let joined: Vec<u8> = [1, 30, 993, 1024, 5, 2000].iter().flat_map(|length| draw(&parts, *length)).collect();
    assert_eq!(draw(&whole, joined.len()), joined);
}

#[test]
fn a_stuck_a_biased_and_a_silent_source_are_dropped_and_output_goes_on() {
    let pool = EntropyPool::new(good("os"));
    pool.add_source("stuck", source("stuck", |_| Some(7)).0);
    pool.add_source("biased", source("biased", |at| Some(if at % 5 == 0 { at as u8 } else { 9 })).0);
    pool.add_source("silent", source("silent", |_| None).0);
    pool.add_source("quantum", good("quantum"));
    let mut out = [0; 64];
    let provenance = pool.fill_with_provenance(&mut out);
    assert_eq!(provenance, Provenance { sources: vec!["os".into(), "quantum".into()], is_quantum: true });
    assert_ne!(out, [0; 64]);
    let failures: Vec<_> = pool.status().into_iter().map(|status| (status.is_healthy, status.failure)).collect();
    let expected = [
        (true, None),
        (false, Some(Failure::Repetition)),
        (false, Some(Failure::Proportion)),
        (false, Some(Failure::Unreadable)),
        (true, None),
    ];
    assert_eq!(failures, expected);
}

#[test]
fn a_source_that_breaks_later_is_dropped_for_good() {
    let pool = EntropyPool::new(good("os"));
    let random = Seeded::new(b"breaks");
    let (breaking, given) = source("quantum", move |at| {
        let mut byte = [0];
        random.fill(&mut byte);
        Some(if (3000..4000).contains(&at) { 0 } else { byte[0] })
    });
    pool.add_source("quantum", breaking);
    let mut out = [0; 32];
    assert!((0..200).any(|_| !pool.fill_with_provenance(&mut out).is_quantum));
    let stopped_at = given.load(Ordering::Relaxed);
    assert!((3040..4000).contains(&stopped_at), "{stopped_at}");
    assert!(!pool.fill_with_provenance(&mut out).is_quantum);
    assert_eq!(given.load(Ordering::Relaxed), stopped_at, "it is not asked again");
    assert_eq!(pool.status()[1].failure, Some(Failure::Repetition));
}

#[test]
fn a_source_that_comes_back_is_tested_from_the_start() {
    let pool = EntropyPool::new(good("os"));
    let random = Seeded::new(b"comes back");
    let mut asked = 0;
    let (flaky, given) = source("quantum", move |_| {
        asked += 1;
        let mut byte = [0];
        random.fill(&mut byte);
        (asked > 3).then_some(byte[0])
    });
    pool.add_source("quantum", flaky);
    let mut out = [0; 32];
    let quantum: Vec<bool> = (0..5).map(|_| pool.fill_with_provenance(&mut out).is_quantum).collect();
    assert_eq!(quantum, [false, false, false, true, true]);
    assert!(given.load(Ordering::Relaxed) > 1024);
}

#[test]
fn good_bytes_pass_a_million_times() {
    let random = Seeded::new(b"a million");
    let mut health = Health::default();
    let mut sample = vec![0; 1_000_000];
    assert!(health.take(&mut sample, |out| {
        random.fill(out);
        Ok(())
    }));
    assert!(health.is_healthy());
}

#[test]
fn a_source_that_hangs_holds_up_only_who_asked_it() {
    let pool = Arc::new(EntropyPool::new(good("os")));
    let (asked, was_asked) = std::sync::mpsc::channel();
    let (answer, answered) = std::sync::mpsc::channel::<()>();
    let mut byte = 0_u8;
    let hanging = source("quantum", move |at| {
        if at == 0 {
            asked.send(()).unwrap();
            answered.recv().unwrap();
        }
        byte = byte.wrapping_add(101);
        Some(byte)
    });
    pool.add_source("quantum", hanging.0);
    let waiting = std::thread::spawn({
        let pool = Arc::clone(&pool);
        move || draw(&pool, 64)
    });
    was_asked.recv().unwrap();
    assert_ne!(draw(&pool, 300_000), vec![0; 300_000]);
    assert_eq!(pool.status().len(), 1, "the source has not been seen yet");
    answer.send(()).unwrap();
    assert_eq!(waiting.join().unwrap().len(), 64);
    assert!(pool.fill_with_provenance(&mut [0; 8]).is_quantum);
    assert!(pool.status().iter().all(|status| status.is_healthy));
}
