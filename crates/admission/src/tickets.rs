//! Tickets for emergencies, as the platform lists them: who holds one lets images run that the policy refuses, for a while, by
//! name, and in the platform's audit trail.
//!
//! The list is asked for again and again. When the platform does not answer, the last list counts for less than a minute, so that
//! a ticket that was taken back is not honoured longer than that: an emergency in which the platform is down as well is one for
//! the policy file, which somebody has to change.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use artifact::digest::Digest;
use artifact::gate::ticket::Ticket;
use artifact::policy::Judgement;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::listener::stopped;
use crate::numbers::Numbers;

/// The tickets that count.
pub struct Tickets {
    held: ArcSwap<Held>,
    numbers: Arc<Numbers>,
}

struct Held {
    tickets: Vec<Ticket>,
    /// When the platform has said so; never, when there is no platform.
    confirmed: Option<Instant>,
}

/// How often the list is asked for.
const PERIOD: Duration = Duration::from_secs(5);
/// How long a list counts.
const COUNTS: Duration = Duration::from_secs(45);
const ACTIVE: &str = "active";

impl Tickets {
    /// None are known yet.
    pub fn none(numbers: Arc<Numbers>) -> Arc<Self> {
        let held = Held { tickets: Vec::new(), confirmed: None };
        Arc::new(Self { held: ArcSwap::from_pointee(held), numbers })
    }

    /// What a ticket makes of a judgement, if one covers the image here and now.
    pub fn apply(
        &self,
        judgement: Arc<Judgement>,
        image: Option<&Digest>,
        environment: Option<&str>,
        now: i64,
    ) -> Arc<Judgement> {
        let held = self.held.load();
        let counts = held.confirmed.is_some_and(|confirmed| confirmed.elapsed() < COUNTS);
        if judgement.passes() || !counts {
            return judgement;
        }
        match held.tickets.iter().find(|ticket| ticket.covers(image, environment, now)) {
            Some(ticket) => {
                tracing::warn!(ticket = ticket.id, issued_by = ticket.issued_by, reason = ticket.reason, "ticket used");
                Arc::new(ticket.apply(Judgement::clone(&judgement)))
            }
            None => judgement,
        }
    }

    /// Asks the platform for its list until told to stop.
    pub async fn keep(self: Arc<Self>, client: sdk::Client, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        loop {
            match self.look(&client).await {
                Ok(()) => failing = false,
                Err(error) if failing => tracing::debug!(error, "tickets not listed"),
                Err(error) => {
                    failing = true;
                    tracing::warn!(error, "tickets not listed; those that are known count for a moment only");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = stopped(&mut stop) => return,
            }
        }
    }

    async fn look(&self, client: &sdk::Client) -> Result<(), String> {
        let listed = client.gate_tickets().await.map_err(|error| sdk::report(&error))?;
        let active = listed.items.into_iter().filter(|ticket| ticket.status == ACTIVE);
        let tickets: Vec<Ticket> = active
            .map(|ticket| {
                // A digest that is none names nothing; a ticket that is left without a bound covers nothing.
                let digests: Vec<Digest> = ticket.digests.iter().filter_map(|digest| digest.parse().ok()).collect();
                let is_whole = digests.len() == ticket.digests.len();
                let expires = if is_whole { ticket.expires_at.timestamp().millis() / 1_000 } else { 0 };
                let (id, reason, issued_by) = (ticket.id.to_string(), ticket.reason, ticket.issued_by);
                Ticket { id, reason, issued_by, environment: ticket.environment, digests, expires }
            })
            .collect();
        self.numbers.tickets.set(i64::try_from(tickets.len()).unwrap_or(i64::MAX));
        self.held.store(Arc::new(Held { tickets, confirmed: Some(Instant::now()) }));
        Ok(())
    }
}
