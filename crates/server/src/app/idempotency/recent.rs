//! Requests of the last few seconds, in this process: for clients that repeat a create without an idempotency key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::time::{SECOND_MS, Timestamp};
use tokio::sync::watch;

/// How long a repetition is recognised.
const WINDOW_MS: i64 = 5 * SECOND_MS;
/// How long a repetition waits for the first to be answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests remembered at most; beyond it the oldest go.
const CAPACITY: usize = 4_096;

type Request = [u8; 32];
type Requests = Arc<Mutex<HashMap<Request, Entry>>>;

/// What was asked lately.
#[derive(Default)]
pub struct Recent(Requests);

enum Entry {
    /// Being served; the channel closes when it was.
    Open(watch::Receiver<()>),
    /// Served: the sealed answer, until when it is given again.
    Answered(Vec<u8>, Timestamp),
}

/// Whether a request was seen.
pub enum Seen {
    /// Not lately.
    Never(Slot),
    /// And answered with this.
    Before(Vec<u8>),
}

/// The place of a request that is being served. Dropped without an answer, it is as if never asked.
pub struct Slot {
    request: Request,
    requests: Requests,
    answered: bool,
    _open: watch::Sender<()>,
}

impl Recent {
    /// Looks for the request, and takes its place if it is new. A repetition of one that is being served waits for it.
    pub async fn look(&self, request: Request, now: Timestamp) -> Seen {
        loop {
            let mut open = match self.take(request, now) {
                Ok(seen) => return seen,
                Err(open) => open,
            };
            // Ends with the slot, however that ends. Whoever is too slow is not waited for.
            if tokio::time::timeout(PATIENCE, open.changed()).await.is_err() {
                self.lock().remove(&request);
            }
        }
    }

    fn take(&self, request: Request, now: Timestamp) -> Result<Seen, watch::Receiver<()>> {
        let mut requests = self.lock();
        match requests.get(&request) {
            Some(Entry::Answered(sealed, until)) if *until > now => return Ok(Seen::Before(sealed.clone())),
            Some(Entry::Open(open)) => return Err(open.clone()),
            Some(Entry::Answered(..)) | None => {}
        }
        if requests.len() >= CAPACITY {
            requests.retain(|_, entry| matches!(entry, Entry::Answered(_, until) if *until > now));
        }
        let (sender, open) = watch::channel(());
        requests.insert(request, Entry::Open(open));
        Ok(Seen::Never(Slot { request, requests: Arc::clone(&self.0), answered: false, _open: sender }))
    }

    /// Forgets what is over.
    pub fn expire(&self, now: Timestamp) {
        self.lock().retain(|_, entry| !matches!(entry, Entry::Answered(_, until) if *until <= now));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Request, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Which request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Remembers the answer.
    pub fn answer(mut self, sealed: Vec<u8>, now: Timestamp) {
        self.answered = true;
        let entry = Entry::Answered(sealed, now.plus_millis(WINDOW_MS));
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).insert(self.request, entry);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.answered {
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    #[tokio::test]
    async fn a_repetition_gets_the_first_answer_for_a_while() {
        let recent = Recent::default();
        let Seen::Never(slot) = recent.look([1; 32], NOW).await else { panic!("new") };
        slot.answer(b"answer".to_vec(), NOW);
        assert!(matches!(recent.look([1; 32], NOW).await, Seen::Before(answer) if answer == b"answer"));
        assert!(matches!(recent.look([2; 32], NOW).await, Seen::Never(_)));
        assert!(matches!(recent.look([1; 32], NOW.plus_millis(WINDOW_MS)).await, Seen::Never(_)));
    }

    #[tokio::test]
    async fn a_repetition_waits_and_takes_over_what_was_refused() {
        let recent = Arc::new(Recent::default());
        let Seen::Never(slot) = recent.look([1; 32], NOW).await else { panic!("new") };
        let second = tokio::spawn({
            let recent = Arc::clone(&recent);
            async move { matches!(recent.look([1; 32], NOW).await, Seen::Never(_)) }
        });
        tokio::task::yield_now().await;
        drop(slot);
        assert!(second.await.unwrap());
    }
}
