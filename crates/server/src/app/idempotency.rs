//! A request sent twice is done once.
//!
//! With an idempotency key the first answer is kept, sealed, for a day, and a repetition gets it again, on whichever
//! replica. Without one, creates that the official SDKs repeat after a lost answer are recognised for a few seconds by
//! the replica that served them. An answer that shows a value once is remembered and never shown again.

mod recent;

use std::sync::Arc;

use api::error::ErrorCode;
use api::routes::Route;
use crypto::context::Context;
use crypto::hash::sha256;
use domain::environment::Environment;
use domain::time::{DAY_MS, SECOND_MS, Timestamp};
use serde::{Deserialize, Serialize};
use store::idempotency::{Claim, Ended, Kept};

use super::Core;
use super::tenants::bytes;
use crate::ctx::Ctx;
use crate::keyring::cells::Cell;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;
use recent::{Recent, Seen, Slot};

/// How long an answer is kept.
const KEPT_MS: i64 = DAY_MS;
/// How long a key stays taken by a request that is not answered. Whoever comes later takes it over: should the first
/// still be at work, its transaction finds that and is undone.
const CLAIMED_MS: i64 = 15 * SECOND_MS;
/// What the store says of a request that was done and not answered.
const DONE: u16 = 1;
/// A larger answer is not kept, only that there was one.
const ANSWER_MAX: usize = 1 << 20;

/// Requests that may be repeated.
pub struct Replays {
    core: Core,
    recent: Recent,
}

/// A request, as far as it decides whether it is the same one.
pub struct Asked<'a> {
    /// Its route.
    pub route: &'static Route,
    /// The client's key for it, if it gave one.
    pub key: Option<String>,
    /// Path and query.
    pub address: &'a str,
    /// Its body.
    pub body: &'a [u8],
}

/// An answer as it can be given again.
#[derive(Serialize, Deserialize)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// `Location`, `ETag` and what else was said about the body.
    pub headers: Vec<(String, String)>,
    /// The body in base64.
    pub body: String,
}

/// What is to be done with a request.
pub enum Begun {
    /// Serve it, then hand the ticket back.
    First(Ticket),
    /// It was served before: this was the answer.
    Again(Answered),
}

/// How often an answer may be shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown {
    /// It holds a value that nobody is shown twice.
    Once,
    /// It holds none.
    AnyNumberOfTimes,
}

/// The right to serve a request, and the duty to say how it ended.
pub enum Ticket {
    /// Its key is taken in the store.
    Stored(Arc<Claim>),
    /// It is remembered in this process.
    Remembered(Slot),
}

impl Replays {
    /// Nothing was asked yet.
    pub fn new(core: Core) -> Self {
        Self { core, recent: Recent::default() }
    }

    /// Decides whether the request is the first of its kind.
    pub async fn begin(&self, ctx: &Ctx, asked: Asked<'_>) -> Outcome<Begun> {
        let request = fingerprint(ctx, &asked);
        let Some(key) = asked.key else { return self.begin_recent(ctx, asked.route, request).await };
        let token = bytes(&*self.core.entropy);
        let claim =
            Claim { tenant: ctx.tenant(), principal: ctx.principal.actor.uuid().into_bytes(), key, request, token };
        let now = ctx.now();
        let Some(kept) = self.core.store.claim_idempotency(&claim, now, now.plus_millis(CLAIMED_MS)).await? else {
            return Ok(Begun::First(Ticket::Stored(Arc::new(claim))));
        };
        let answer = self.kept_answer(ctx, &claim, &kept);
        self.again(ctx, asked.route, answer).await
    }

    async fn begin_recent(&self, ctx: &Ctx, route: &'static Route, request: [u8; 32]) -> Outcome<Begun> {
        match self.recent.look(request, ctx.now()).await {
            Seen::Never(slot) => Ok(Begun::First(Ticket::Remembered(slot))),
            Seen::Before(sealed) => {
                let answer = self.open(ctx, &request, &sealed);
                self.again(ctx, route, answer).await
            }
        }
    }

    fn kept_answer(&self, ctx: &Ctx, claim: &Claim, kept: &Kept) -> Outcome<Answered> {
        if kept.request != claim.request {
            return Err(Problem::new(
                ErrorCode::IdempotencyKeyReused,
                "The idempotency key came with another request before.",
            ));
        }
        if kept.status == 0 {
            return Err(unanswered());
        }
        if kept.status == DONE {
            if ctx.now() < kept.claimed_at.plus_millis(CLAIMED_MS) {
                return Err(unanswered());
            }
            let message = "The first request was done; its answer was lost with the server that gave it.";
            return Err(Problem::new(ErrorCode::ValueNotReplayable, message));
        }
        let Some(sealed) = &kept.answer else {
            let message = "The first request was done; its answer showed a value that is shown only once.";
            return Err(Problem::new(ErrorCode::ValueNotReplayable, message));
        };
        self.open(ctx, &row(claim), sealed)
    }

    /// Showing an answer again is a use of its own.
    async fn again(&self, ctx: &Ctx, route: &'static Route, answer: Outcome<Answered>) -> Outcome<Begun> {
        let mut entry = Entry::new("AnswerReplayed", route.tag, "Route");
        entry.note(format!("operation={}", route.operation_id));
        self.core.trail.conclude(ctx, entry, answer.map(Begun::Again)).await
    }

    /// Keeps the answer of a request that was served. What was done is done: if the answer cannot be kept, that is
    /// logged, and the client still gets it.
    pub async fn served(&self, ctx: &Ctx, ticket: Ticket, answer: &Answered, shown: Shown) {
        let shows_once = shown == Shown::Once || answer.body.len() > ANSWER_MAX;
        let kept = match ticket {
            Ticket::Stored(claim) if shows_once => self.keep(ctx, &claim, answer.status, None).await,
            Ticket::Stored(claim) => match self.seal(ctx, &row(&claim), answer) {
                Ok(sealed) => self.keep(ctx, &claim, answer.status, Some(sealed)).await,
                Err(problem) => Err(problem),
            },
            Ticket::Remembered(_) if shows_once => Ok(()),
            Ticket::Remembered(slot) => {
                self.seal(ctx, slot.request(), answer).map(|sealed| slot.answer(sealed, ctx.now()))
            }
        };
        if let Err(problem) = kept {
            tracing::error!(error.cause = ?problem.cause, "an answer was not kept for its idempotency key");
        }
    }

    /// Gives the key of a refused request back: it may be sent again. Gives a refusal of its own when another request had
    /// taken the key over, because then it was that which was in the way.
    pub async fn refused(&self, ticket: Ticket, status: u16) -> Option<Problem> {
        let Ticket::Stored(claim) = ticket else { return None };
        let ended = if status < 500 { Ended::Refused } else { Ended::Unknown };
        match self.core.store.release_idempotency(&claim, ended).await {
            Ok(true) => None,
            Ok(false) => {
                let message = "Another request with this idempotency key was faster; nothing was done.";
                Some(Problem::new(ErrorCode::Conflict, message).retry_after(1))
            }
            Err(error) => {
                tracing::warn!(error = %crate::problem::report(&error), "an idempotency key was not given back");
                None
            }
        }
    }

    /// Forgets what has run out.
    pub async fn expire(&self, now: Timestamp) -> store::Result<()> {
        self.recent.expire(now);
        while self.core.store.expire_idempotency(now).await? > 0 {}
        Ok(())
    }

    async fn keep(&self, ctx: &Ctx, claim: &Claim, status: u16, sealed: Option<Vec<u8>>) -> Outcome<()> {
        Ok(self.core.store.keep_answer(claim, status, sealed, ctx.now().plus_millis(KEPT_MS)).await?)
    }

    fn seal(&self, ctx: &Ctx, row: &[u8; 32], answer: &Answered) -> Outcome<Vec<u8>> {
        let plain = serde_json::to_vec(answer).map_err(|error| Problem::internal("keeping an answer", error))?;
        ctx.keys.cells.seal(cell(row), &zeroize::Zeroizing::new(plain), &*self.core.entropy)
    }

    fn open(&self, ctx: &Ctx, row: &[u8; 32], sealed: &[u8]) -> Outcome<Answered> {
        let plain = ctx.keys.cells.open(cell(row), sealed)?;
        serde_json::from_slice(plain.expose()).map_err(|error| Problem::internal("reading a kept answer", error))
    }
}

fn unanswered() -> Problem {
    let message = "The first request with this idempotency key is not answered yet, or was cut off.";
    Problem::new(ErrorCode::Conflict, message).retry_after(1)
}

/// Until when the mark of a request that was done is kept.
pub fn kept_until(now: Timestamp) -> Timestamp {
    now.plus_millis(KEPT_MS)
}

/// Bodies may hold a secret that can be guessed, so what is stored of them is a keyed hash. The sender is part of it.
fn fingerprint(ctx: &Ctx, asked: &Asked<'_>) -> [u8; 32] {
    // Who may do less than before must not be shown what they got then.
    let limits = ctx.principal.limits.iter().map(ToString::to_string);
    let reach = limits.fold(ctx.principal.scopes.to_string(), |reach, limit| reach + "\n" + &limit);
    let environment = ctx.principal.limits.environment().map_or("", Environment::as_str);
    let context = Context::new("qapi/idempotency/request/v1")
        .bytes(ctx.tenant().as_bytes())
        .bytes(ctx.principal.actor.uuid().as_bytes())
        .bytes(reach.as_bytes())
        .bytes(environment.as_bytes())
        .bytes(asked.route.operation_id.as_bytes())
        .bytes(asked.address.as_bytes())
        .bytes(asked.body);
    ctx.keyring.root.token_hash("idempotency", context.as_bytes())
}

/// The row's place: an answer moved to another key or another request does not open.
fn row(claim: &Claim) -> [u8; 32] {
    let context = Context::new("qapi/idempotency/row/v1")
        .bytes(&claim.principal)
        .bytes(claim.key.as_bytes())
        .bytes(&claim.request);
    sha256(&[context.as_bytes()])
}

fn cell(row: &[u8; 32]) -> Cell<'_> {
    Cell { table: "idempotency", row, column: "answer", version: 0 }
}
