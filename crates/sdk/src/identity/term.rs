//! How long a connection may go on.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

/// Why a connection must not go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over {
    /// A certificate of its ends has expired: what is under way may finish, within a short while.
    Expired,
    /// Its peer is not believed any more: its certificate is on the deny list, or its authority has left the trust bundle.
    /// Whoever speaks there may be somebody else, and gets nothing more.
    Disbelieved,
}

/// How long a connection may go on: while the certificates of both ends are valid, and its peer is believed.
pub struct Term {
    end: Instant,
    disbelief: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Term {
    pub(crate) fn new(lifetime: Duration, disbelief: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { end: Instant::now() + lifetime, disbelief: Box::pin(disbelief) }
    }

    /// When the first certificate of the two ends.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// Waits for the end.
    pub async fn over(self) -> Over {
        tokio::select! {
            biased;
            () = self.disbelief => Over::Disbelieved,
            () = tokio::time::sleep_until(self.end) => Over::Expired,
        }
    }

    /// Waits for the moment from which on nothing may be said: at once when the peer is not believed, and `drain` after a
    /// certificate has expired.
    pub async fn closed(mut self, drain: Duration) -> Over {
        let expired = self.end + drain;
        tokio::select! {
            biased;
            () = &mut self.disbelief => Over::Disbelieved,
            () = tokio::time::sleep_until(expired) => Over::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[tokio::test(start_paused = true)]
    async fn a_term_ends_with_a_certificate_or_with_the_belief_in_the_peer_whichever_is_first() {
        let begun = Instant::now();
        assert_eq!(Term::new(HOUR, ready(())).closed(HOUR).await, Over::Disbelieved);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(Term::new(HOUR, pending()).over().await, Over::Expired);
        assert_eq!(begun.elapsed(), HOUR);
        assert_eq!(Term::new(HOUR, tokio::time::sleep(HOUR / 2)).over().await, Over::Disbelieved);
        assert_eq!(begun.elapsed(), HOUR * 3 / 2);
        // What is under way when a certificate expires is cut off when its peer is not believed meanwhile.
        assert_eq!(Term::new(HOUR, tokio::time::sleep(HOUR * 3 / 2)).closed(HOUR).await, Over::Disbelieved);
        assert_eq!(begun.elapsed(), HOUR * 3);
        assert_eq!(Term::new(HOUR, pending()).closed(HOUR).await, Over::Expired);
        assert_eq!(begun.elapsed(), HOUR * 5);
    }
}
