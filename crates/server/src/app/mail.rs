//! The post: letters leave by SMTP, or into a folder where a developer reads them.
//!
//! What is to be sent is a row of the transaction that asked for it; [`Mail::deliver_due`] is called from time to time by every
//! replica. A letter may arrive twice (a replica that dies between the relay's answer and its own note of it), never not at all while
//! the relay can be reached; its `Message-ID` is the same both times.

mod message;
mod smtp;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::authz::{WriteEndUsers, on_behalf_of_the_platform};
use domain::identity::mail::{Letter, wait_ms};
use domain::time::Timestamp;
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use store::mail::{DueLetter, give_up_letter};

use super::Core;
use crate::config::mail::{MailConfig, Way};
use crate::ctx::{Ctx, Origin};
use crate::keyring::Keyring;
use crate::keyring::cells::Cell;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Letters of one turn.
const BATCH: u32 = 50;
/// A letter is somebody else's no sooner than this after it was taken, however the try ends.
const TAKEN_MS: i64 = 120_000;
/// A try ends well before.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends letters.
pub struct Mail {
    core: Core,
    office: Option<Office>,
}

/// From whom, and by what way.
struct Office {
    from: Mailbox,
    post: Post,
}

enum Post {
    Folder(PathBuf),
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
}

/// Why a letter did not leave.
struct Failed {
    is_for_good: bool,
    why: String,
}

impl Failed {
    fn for_now(why: impl ToString) -> Self {
        Self { is_for_good: false, why: why.to_string() }
    }

    fn for_good(why: impl ToString) -> Self {
        Self { is_for_good: true, why: why.to_string() }
    }
}

impl Mail {
    /// As configured. Without a configuration letters wait until there is one.
    pub fn new(core: Core, config: Option<&MailConfig>) -> anyhow::Result<Self> {
        let office = config.map(Office::new).transpose()?;
        Ok(Self { core, office })
    }

    /// Sends what is due.
    pub async fn deliver_due(&self, keyring: &Arc<Keyring>, now: Timestamp) -> Outcome<()> {
        let Some(office) = &self.office else { return Ok(()) };
        for letter in self.core.store.due_letters(now, BATCH).await? {
            // One that fails must not keep the others waiting.
            if let Err(problem) = self.deliver(office, keyring, &letter, now).await {
                tracing::warn!(mail.id = %letter.id, error.cause = ?problem.cause, "a letter was not sent: {}", problem.message);
            }
        }
        Ok(())
    }

    async fn deliver(&self, office: &Office, keyring: &Arc<Keyring>, due: &DueLetter, now: Timestamp) -> Outcome<()> {
        let wait = wait_ms(due.tries + 1);
        if !self.core.store.take_letter(due, now.plus_millis(TAKEN_MS)).await? {
            return Ok(());
        }
        let keys = keyring.tenant(&self.core.store, due.tenant).await?;
        let cell = Cell { table: "mail", row: due.id.as_bytes(), column: "sealed", version: 0 };
        let opened = keys.cells.open(cell, &due.sealed)?;
        // A parser's message could quote what it read.
        let letter: Letter = serde_json::from_slice(opened.expose())
            .map_err(|_| Problem::internal("opening a letter", "it has another form"))?;
        let sent = match office.message(due, &letter) {
            Ok(message) => tokio::time::timeout(PATIENCE, office.post.carry(due, message))
                .await
                .unwrap_or_else(|_| Err(Failed::for_now("the relay took too long"))),
            Err(failed) => Err(failed),
        };
        match sent {
            Ok(()) => {
                tracing::info!(mail.id = %due.id, "a letter was sent");
                Ok(self.core.store.forget_letter(due).await?)
            }
            Err(failed) => match wait.filter(|_| !failed.is_for_good) {
                Some(wait) => {
                    tracing::warn!(mail.id = %due.id, tries = due.tries + 1, error.cause = %failed.why, "a letter will be tried again");
                    Ok(self.core.store.put_letter_back(due, now.plus_millis(wait)).await?)
                }
                None => {
                    let origin = Origin::of_the_platform(&*self.core.entropy, now, "mail");
                    let ctx = Ctx::of_the_platform(origin, Arc::clone(keyring), keys);
                    self.give_up(&ctx, due, &failed).await
                }
            },
        }
    }

    async fn give_up(&self, ctx: &Ctx, due: &DueLetter, failed: &Failed) -> Outcome<()> {
        tracing::warn!(mail.id = %due.id, error.cause = %failed.why, "a letter cannot be delivered");
        let mut entry = Entry::new("LetterUndeliverable", "identity", "Letter");
        entry.resource_id(due.id);
        let event = self.core.trail.event(ctx, &entry)?;
        let auth = on_behalf_of_the_platform::<WriteEndUsers>(due.tenant);
        self.core.change("give up a letter", due.tenant, vec![give_up_letter(&auth, due.id)], event).await
    }
}

impl Office {
    fn new(config: &MailConfig) -> anyhow::Result<Self> {
        let post = match &config.way {
            Way::Folder(folder) => {
                std::fs::create_dir_all(folder)?;
                Post::Folder(folder.clone())
            }
            Way::Smtp(config) => Post::Smtp(Box::new(smtp::transport(config)?)),
        };
        Ok(Self { from: config.from.parse()?, post })
    }

    fn message(&self, due: &DueLetter, letter: &Letter) -> Result<Message, Failed> {
        message::message(&self.from, &due.id.to_string(), letter).map_err(Failed::for_good)
    }
}

impl Post {
    async fn carry(&self, due: &DueLetter, message: Message) -> Result<(), Failed> {
        match self {
            Self::Folder(folder) => lay_down(folder, &due.id.to_string(), &message).await.map_err(Failed::for_now),
            Self::Smtp(relay) => match relay.send(message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_permanent() => Err(Failed::for_good(error)),
                Err(error) => Err(Failed::for_now(crate::problem::report(&error))),
            },
        }
    }
}

/// Writes a letter beside its place and moves it there, so that nobody reads half of one.
async fn lay_down(folder: &Path, name: &str, message: &Message) -> std::io::Result<()> {
    let beside = folder.join(format!(".{name}"));
    let mut options = tokio::fs::OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(&beside).await?;
    tokio::io::AsyncWriteExt::write_all(&mut file, &message.formatted()).await?;
    file.sync_all().await?;
    tokio::fs::rename(&beside, folder.join(format!("{name}.eml"))).await
}
