//! Whether the platform is sealed, and the way from one to the other.

use std::sync::{Arc, Mutex};

use api::error::ErrorCode;
use arc_swap::ArcSwapOption;
use crypto::secret::SecretBytes;
use crypto::shamir::Share;

use crate::keyring::Keyring;
use crate::problem::{Outcome, Problem};
use crate::seal::{Method, SealRecord, bad_share, combine};

/// The seal of a running server.
pub struct SealState {
    record: SealRecord,
    keyring: ArcSwapOption<Keyring>,
    shares: Mutex<Vec<Share>>,
    attempts: tokio::sync::Mutex<()>,
}

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
        Self {
            record,
            keyring: ArcSwapOption::empty(),
            shares: Mutex::default(),
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
        let given = self.shares.lock().map(|shares| shares.len()).unwrap_or_default();
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
        let mut given = self.shares.lock().map_err(|_| Problem::internal("unsealing", "a lock is poisoned"))?;
        for share in text.split_whitespace() {
            let share = Share::parse(share).map_err(|_| bad_share())?;
            if given.iter().all(|other| other.index() != share.index()) {
                given.push(share);
            }
        }
        if given.len() >= usize::from(threshold) {
            // Right or wrong, these shares are spent: a wrong one must not spoil the next attempt.
            let shares = std::mem::take(&mut *given);
            drop(given);
            self.open(&combine(&shares, threshold)?)?;
        } else {
            drop(given);
        }
        Ok(self.progress())
    }

    fn open(&self, unseal_key: &crypto::secret::SecretArray<32>) -> Outcome<()> {
        let root = self.record.open(unseal_key)?;
        self.keyring.store(Some(Arc::new(Keyring::new(root))));
        Ok(())
    }

    /// The right to try to unseal: one at a time.
    pub fn attempt(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, tokio::sync::TryLockError> {
        self.attempts.try_lock()
    }

    /// Forgets the shares given so far.
    pub fn forget_shares(&self) {
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
