//! The way to one registry. One that says nothing costs the patience for it once, and not once for each of its images.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Unfound;

/// The way to one registry, as long as the gate runs.
#[derive(Default)]
pub struct Door {
    answers: AtomicUsize,
    /// What its first question ended with that was left without an answer, while no other was answered.
    silence: OnceLock<String>,
}

impl Door {
    /// Asks, unless the registry is known to say nothing.
    pub async fn ask<T, F>(&self, question: impl FnOnce() -> F) -> Result<T, Unfound>
    where
        F: Future<Output = Result<T, Unfound>>,
    {
        if let Some(why) = self.silence.get() {
            return Err(Unfound::Silent(format!("{why}; it was not asked about this image any more")));
        }
        let before = self.answers.load(Ordering::Relaxed);
        let answer = question().await;
        match &answer {
            // Whoever answers others meanwhile is slow about this one alone.
            Err(Unfound::Silent(why)) if self.answers.load(Ordering::Relaxed) == before => {
                self.silence.get_or_init(|| why.clone());
            }
            Err(Unfound::Silent(_)) => {}
            Ok(_) | Err(Unfound::Absent(_) | Unfound::Unreachable(_)) => {
                self.answers.fetch_add(1, Ordering::Relaxed);
            }
        }
        answer
    }
}
