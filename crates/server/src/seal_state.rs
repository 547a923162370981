//! Whether the platform is sealed, and the way from one to the other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::error::ErrorCode;
use arc_swap::{ArcSwap, ArcSwapOption};
use crypto::hash::ct_eq;
use crypto::secret::SecretBytes;
use crypto::shamir::{self, Share};

use crate::keyring::Keyring;
use crate::problem::{Outcome, Problem};
use crate::seal::{Method, SealRecord, bad_share, combine};

/// The seal of a running server.
pub struct SealState {
    record: SealRecord,
    keyring: ArcSwapOption<Keyring>,
    shares: Mutex<Vec<Share>>,
    /// By what shares are recognised; empty until a platform of an earlier version is opened.
    commitments: ArcSwap<Vec<[u8; 32]>>,
    attempts: tokio::sync::Mutex<()>,
}

/// How long an attempt waits for its turn.
const TURN: Duration = Duration::from_secs(10);
/// Shares held at most, where nothing says yet which ones are right.
const MOST_SHARES: usize = 512;

/// How far an unsealing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Whether the platform is still sealed.
    pub sealed: bool,
    /// Shares given so far.
    pub given: usize,
    /// Shares needed; one for the other methods.
    pub threshold: u8,
    /// Shares made; one for the other methods.
    pub shares: u8,
}

impl SealState {
    /// A sealed platform.
    pub fn new(record: SealRecord) -> Self {
        let commitments = ArcSwap::from_pointee(record.commitments.clone());
        Self {
            record,
            keyring: ArcSwapOption::empty(),
            shares: Mutex::default(),
            commitments,
            attempts: tokio::sync::Mutex::default(),
        }
    }

    /// The keyring, if the platform is unsealed.
    pub fn keyring(&self) -> Outcome<Arc<Keyring>> {
        self.keyring.load_full().ok_or_else(Problem::sealed)
    }

    /// How the platform is sealed.
    pub fn method(&self) -> &'static str {
        self.record.method.as_str()
    }

    /// The public half of the audit key, known even while sealed.
    pub fn audit_public(&self) -> &[u8] {
        &self.record.root.audit_public
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let (threshold, shares) = match self.record.method {
            Method::Shamir { threshold, shares } => (threshold, shares),
            _ => (1, 1),
        };
        let given = self.shares.lock().map(|shares| largest(&shares).len()).unwrap_or_default();
        Progress { sealed: self.keyring.load().is_none(), given, threshold, shares }
    }

    /// Takes a passphrase, a file's content or one share; unseals when that is enough. Slow for passphrases, on purpose:
    /// call it on a blocking thread.
    pub fn unseal(&self, secret: &SecretBytes) -> Outcome<Progress> {
        if self.keyring.load().is_some() {
            return Ok(self.progress());
        }
        let Method::Shamir { threshold, .. } = self.record.method else {
            self.open(&self.record.unseal_key(secret)?)?;
            return Ok(self.progress());
        };
        let text = std::str::from_utf8(secret.expose()).map_err(|_| bad_share())?;
        let fresh =
            text.split_whitespace().map(|share| self.recognised(share, threshold)).collect::<Outcome<Vec<_>>>()?;
        let mut given = self.shares.lock().map_err(|_| Problem::internal("unsealing", "a lock is poisoned"))?;
        for share in fresh {
            if given.iter().all(|other| other.index() != share.index() || !other.goes_with(&share)) {
                given.push(share);
            }
        }
        if given.len() > MOST_SHARES {
            given.remove(0);
        }
        if largest(&given).len() < usize::from(threshold) {
            drop(given);
            return Ok(self.progress());
        }
        let shares = take_largest(&mut given);
        drop(given);
        // Those that do not open are spent, and no others: whoever else gave some goes on.
        self.open(&combine(&shares, threshold)?)?;
        self.forget_shares();
        self.complete(&shares);
        Ok(self.progress())
    }

    /// A share of this platform; with commitments there is no doubt about it, without them one that could be.
    fn recognised(&self, text: &str, threshold: u8) -> Outcome<Share> {
        let share = Share::parse(text).map_err(|_| bad_share())?;
        let commitments = self.commitments.load();
        let place = usize::from(share.index()).checked_sub(1).and_then(|place| commitments.get(place));
        let is_ours = match place {
            Some(commitment) => ct_eq(commitment, &share.commitment()),
            None => commitments.is_empty() && share.threshold() == threshold,
        };
        if is_ours { Ok(share) } else { Err(bad_share()) }
    }

    /// Learns by what the shares are recognised, from those that have opened the platform.
    fn complete(&self, shares: &[Share]) {
        let Method::Shamir { shares: count, .. } = self.record.method else { return };
        if self.commitments.load().is_empty()
            && let Ok(all) = shamir::complete(shares, count)
        {
            self.commitments.store(Arc::new(all.iter().map(Share::commitment).collect()));
        }
    }

    /// The record to be stored when it lacks what was learned since, and what it was before.
    pub fn completed(&self) -> Outcome<Option<Vec<u8>>> {
        let commitments = self.commitments.load();
        if commitments.len() == self.record.commitments.len() {
            return Ok(None);
        }
        self.record.completed(&commitments).map(Some)
    }

    fn open(&self, unseal_key: &crypto::secret::SecretArray<32>) -> Outcome<()> {
        let root = self.record.open(unseal_key)?;
        self.keyring.store(Some(Arc::new(Keyring::new(root))));
        Ok(())
    }

    /// The right to try to unseal: one at a time, in the order in which they come.
    pub async fn attempt(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        tokio::time::timeout(TURN, self.attempts.lock()).await.ok()
    }

    /// Begins again with a share in hand. Whoever holds none must not undo what others have given.
    pub fn begin_again(&self, secret: &SecretBytes) -> Outcome<()> {
        let Method::Shamir { threshold, .. } = self.record.method else { return Ok(()) };
        let text = std::str::from_utf8(secret.expose()).map_err(|_| bad_share())?;
        let shares =
            text.split_whitespace().map(|share| self.recognised(share, threshold)).collect::<Outcome<Vec<_>>>()?;
        if let Ok(mut given) = self.shares.lock() {
            given.retain(|given| shares.iter().all(|share| !given.goes_with(share)));
        }
        Ok(())
    }

    /// Forgets the shares given so far.
    fn forget_shares(&self) {
        if let Ok(mut shares) = self.shares.lock() {
            shares.clear();
        }
    }

    /// Whether sealing makes sense: a platform that opens itself would be open again at its next start.
    pub fn can_be_sealed(&self) -> Outcome<()> {
        if self.record.method.as_str() == "file" {
            return Err(Problem::new(
                ErrorCode::Unsupported,
                "A platform that unseals itself from a file is sealed by stopping it.",
            ));
        }
        Ok(())
    }

    /// Forgets every key.
    pub fn seal(&self) -> Outcome<()> {
        self.can_be_sealed()?;
        self.keyring.store(None);
        Ok(())
    }
}

/// The shares of the set of which most were given.
fn largest(given: &[Share]) -> Vec<&Share> {
    let set = |first: &Share| given.iter().filter(|share| share.goes_with(first)).count();
    let Some(first) = given.iter().max_by_key(|share| set(share)) else { return Vec::new() };
    given.iter().filter(|share| share.goes_with(first)).collect()
}

fn take_largest(given: &mut Vec<Share>) -> Vec<Share> {
    let indexes: Vec<bool> = {
        let taken = largest(given);
        given.iter().map(|share| taken.iter().any(|taken| std::ptr::eq(*taken, share))).collect()
    };
    let mut taken = indexes.into_iter();
    given.extract_if(.., |_| taken.next().unwrap_or_default()).collect()
}
