//! Passwords of people and of share links: stretched with Argon2id, few at a time, in one pool for all of them. Whoever comes when
//! too many wait is told to come back: stretching is what makes a server pay, and strangers can ask for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use api::error::ErrorCode;
use api::secret::SecretText;
use crypto::hash::ct_eq;
use crypto::passphrase::{Params, derive};
use crypto::random::Random;
use crypto::secret::{Key32, SecretBytes};
use domain::ids::ShareLinkId;
use domain::rate::Bucket;
use domain::time::Timestamp;
use store::background::Background;
use tokio::sync::Semaphore;

use crate::problem::{Outcome, Problem};

/// What a password costs to try: small beside the seal's, because strangers make the server pay for it.
const MEMORY_KIB: u32 = 19 << 10;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Derivations that wait for their turn; with more the caller is told to come back.
const MOST_WAITING: usize = 64;
const RETRY_S: u64 = 2;
/// So much nicer than what requests wait for weighs a tenth of it, see `sched(7)`: a password takes longer than fifty tokens.
const NICER: i32 = 10;
/// Tries a minute at one link, whoever makes them.
const TRIES_PER_MINUTE: u32 = 30;
/// Links whose tries are remembered; beyond it the memory starts anew.
const CAPACITY: usize = 16_384;

/// Makes and checks password records.
pub struct Passwords {
    threads: Background,
    /// Whoever goes away while waiting gives up the place, which a job in the queue of the threads could not.
    slots: Arc<Semaphore>,
    waiting: Semaphore,
    tries: Mutex<HashMap<ShareLinkId, Bucket>>,
}

impl Passwords {
    /// Starts the threads that stretch: as many as there are cores but one, which stays free for everything else. They bound the
    /// memory too.
    pub fn start() -> store::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = cores.saturating_sub(1).max(1);
        Ok(Self {
            threads: Background::start("passwords", at_once, NICER)?,
            slots: Arc::new(Semaphore::new(at_once)),
            waiting: Semaphore::new(at_once + MOST_WAITING),
            tries: Mutex::default(),
        })
    }

    /// What to keep of a password: the cost, the salt, the key it gives.
    pub async fn hash(&self, password: &SecretText, random: &dyn Random) -> Outcome<SecretBytes> {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        let params = Params { m_kib: MEMORY_KIB, t: PASSES, p: LANES, salt };
        let key = self.stretch(password, params).await?;
        Ok(record(&params, &key))
    }

    /// Whether it is the password of this record.
    pub async fn matches(&self, password: &SecretText, record: &SecretBytes) -> Outcome<bool> {
        let (params, expected) = parsed(record.expose())
            .ok_or_else(|| Problem::internal("checking a password", "a record of another form"))?;
        let key = self.stretch(password, params).await?;
        Ok(ct_eq(key.expose(), expected))
    }

    /// The work of looking at a password when there is nothing to compare it with: nobody learns from the time that there is not.
    pub async fn refuse(&self, password: &SecretText) -> Outcome<()> {
        let params = Params { m_kib: MEMORY_KIB, t: PASSES, p: LANES, salt: [0; 16] };
        self.stretch(password, params).await.map(|_| ())
    }

    /// Counts a try at a link.
    pub fn take_try(&self, link: ShareLinkId, now: Timestamp) -> Outcome<()> {
        let mut tries =
            self.tries.lock().map_err(|_| Problem::internal("checking a password", "a lock is poisoned"))?;
        if tries.len() >= CAPACITY {
            tries.clear();
        }
        let bucket = tries.entry(link).or_insert_with(|| Bucket::full(TRIES_PER_MINUTE, now));
        bucket.take(now).map(|_| ()).map_err(|exhausted| {
            Problem::new(ErrorCode::RateLimitExceeded, "Too many passwords were tried at this link.")
                .retry_after(exhausted.retry_after_s)
        })
    }

    async fn stretch(&self, password: &SecretText, params: Params) -> Outcome<Key32> {
        let closed = |error| Problem::internal("checking a password", error);
        let Ok(_place) = self.waiting.try_acquire() else {
            let message = "Too many passwords are being checked at the moment.";
            return Err(Problem::new(ErrorCode::Unavailable, message).retry_after(RETRY_S));
        };
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(closed)?;
        let password = SecretBytes::copy_from(password.expose().as_bytes());
        let derived = self.threads.run(move || {
            let _slot = slot;
            derive(&password, &params)
        });
        Ok(derived.await.map_err(|error| Problem::internal("checking a password", error))??)
    }
}

const NUMBERS_LEN: usize = 12;

fn record(params: &Params, key: &Key32) -> SecretBytes {
    let numbers = [params.m_kib, params.t, params.p].map(u32::to_be_bytes);
    SecretBytes::new([numbers.as_flattened(), &params.salt, key.expose()].concat())
}

fn parsed(record: &[u8]) -> Option<(Params, &[u8; 32])> {
    let (numbers, rest) = record.split_first_chunk::<NUMBERS_LEN>()?;
    let (salt, key) = rest.split_first_chunk::<16>()?;
    let [m_kib, t, p] = *numbers.as_chunks::<4>().0 else { return None };
    let [m_kib, t, p] = [m_kib, t, p].map(u32::from_be_bytes);
    Some((Params { m_kib, t, p, salt: *salt }, key.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_nothing_else_does() {
        let params = Params { m_kib: 64, t: 1, p: 1, salt: [7; 16] };
        let stored = record(&params, &Key32::new([9; 32]));
        assert_eq!(parsed(stored.expose()), Some((params, &[9; 32])));
        assert_eq!(parsed(&stored.expose()[1..]), None);
        assert_eq!(parsed(&[]), None);
    }

    #[tokio::test]
    async fn only_the_same_password_matches() {
        let passwords = Passwords::start().unwrap();
        let params = Params { m_kib: 64, t: 1, p: 1, salt: [7; 16] };
        let key = derive(&SecretBytes::copy_from(b"open"), &params).unwrap();
        let stored = record(&params, &key);
        assert!(passwords.matches(&SecretText::copy_from("open"), &stored).await.unwrap());
        assert!(!passwords.matches(&SecretText::copy_from("Open"), &stored).await.unwrap());
    }

    #[test]
    fn tries_run_out_for_one_link_alone() {
        let passwords = Passwords::start().unwrap();
        let (one, two) = (ShareLinkId::from_bytes([1; 16]), ShareLinkId::from_bytes([2; 16]));
        let now = Timestamp::from_millis(0);
        assert!((0..TRIES_PER_MINUTE).all(|_| passwords.take_try(one, now).is_ok()));
        let refused = passwords.take_try(one, now).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_s), (ErrorCode::RateLimitExceeded, Some(2)));
        assert!(passwords.take_try(two, now).is_ok());
    }
}
