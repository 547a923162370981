//! The policy in use: loaded at the start, and again whenever its files change.
//!
//! A policy that cannot be read is not used, and the one before stays: an empty file must neither open the cluster nor stop it.
//! Whoever waits for a change learns that it has not come about from metrics, the log, and warnings with every answer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use artifact::policy::Policy;
use tokio::sync::watch;

use crate::clock;
use crate::listener::stopped;
use crate::numbers::Numbers;
use crate::review::chain;

/// How often the files are read. A key or a digest that is taken back is refused within twice that.
const PERIOD: Duration = Duration::from_secs(5);

/// The policy in use.
pub struct Policies {
    file: PathBuf,
    current: ArcSwap<Policy>,
    complaint: Mutex<Option<String>>,
    numbers: Arc<Numbers>,
}

impl Policies {
    /// Loads it for the first time; it has to be usable.
    pub fn load(file: PathBuf, numbers: Arc<Numbers>) -> anyhow::Result<Arc<Self>> {
        let policy = Policy::load(&file).with_context(|| format!("the policy {}", file.display()))?;
        numbers.policy_loaded.set(clock::now_s());
        numbers.policy_current.set(1);
        tracing::info!(policy = %policy.hash(), keys = policy.keys().len(), "policy loaded");
        Ok(Arc::new(Self { file, current: ArcSwap::from_pointee(policy), complaint: Mutex::default(), numbers }))
    }

    /// The one in use.
    pub fn current(&self) -> Arc<Policy> {
        self.current.load_full()
    }

    /// What everybody should know of it.
    pub fn complaint(&self) -> Option<String> {
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again and again until told to stop.
    pub async fn keep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = stopped(&mut stop) => return,
            }
            let policies = Arc::clone(&self);
            if tokio::task::spawn_blocking(move || policies.look()).await.is_err() {
                tracing::error!("reading the policy ended without an answer");
            }
        }
    }

    fn look(&self) {
        match Policy::load(&self.file) {
            Ok(policy) => {
                if self.say(None) || policy.hash() != self.current().hash() {
                    tracing::info!(policy = %policy.hash(), keys = policy.keys().len(), "policy loaded");
                    self.numbers.reloaded("loaded");
                    self.numbers.policy_loaded.set(clock::now_s());
                    self.numbers.policy_current.set(1);
                    self.current.store(Arc::new(policy));
                }
            }
            Err(error) => {
                let why = chain(&error);
                if self.say(Some(format!(
                    "the policy file of qapi-admission is not usable, and the one before is in use: {why}"
                ))) {
                    tracing::error!(error = why, "policy not loaded; the one before stays");
                    self.numbers.reloaded("failed");
                    self.numbers.policy_current.set(0);
                }
            }
        }
    }

    /// Whether that is news.
    fn say(&self, complaint: Option<String>) -> bool {
        let mut current = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *current != complaint;
        *current = complaint;
        is_news
    }
}
