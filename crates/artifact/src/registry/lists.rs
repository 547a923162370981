//! Tags that several programs change: the list of referrers of a registry that keeps none itself, and legacy signatures.
//!
//! A registry that honours `If-Match` refuses a change to what has changed meanwhile. Most send an entity tag and do not honour
//! it, so nobody relies on it: whoever has written looks again, after longer than another writer needs between reading and
//! writing. One that had not seen our entries has written by then, and we add them to what it wrote.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Client;
use super::error::Error;
use super::manifests::{Condition, Target};
use crate::manifest::Manifest;
use crate::reference::Repository;

/// How often a list is written before we give up.
const MOST_WRITES: u32 = 60;
/// How often a list has to be seen whole after we wrote it.
const SIGHTINGS: u32 = 2;
const SHORTEST_SETTLING: Duration = Duration::from_millis(100);
const LONGEST_SETTLING: Duration = Duration::from_secs(3);

impl Client {
    /// Changes what a tag stands for until it is as wanted. `change` gives the manifest to store in place of the present one, or
    /// nothing when the present one is already as wanted.
    pub(crate) async fn change_tag(
        &self,
        repository: &Repository,
        tag: &str,
        change: impl Fn(Option<&Manifest>) -> Result<Option<Manifest>, Error>,
    ) -> Result<(), Error> {
        let name = repository.tagged(tag).map_err(|error| Error::Config(error.to_string()))?;
        let lock = self.writing(&name.to_string());
        let (mut writes, mut sightings, mut window) = (0, 0, Duration::ZERO);
        loop {
            let turn = lock.lock().await;
            let began = Instant::now();
            let present = self.find_tagged(&name).await?;
            match change(present.as_ref().map(|tagged| &tagged.manifest))? {
                None if writes == 0 || sightings + 1 >= SIGHTINGS => return Ok(()),
                None => sightings += 1,
                Some(_) if writes == MOST_WRITES => return Err(Error::Contended(name.to_string())),
                Some(wanted) => {
                    let condition = match present.as_ref().map(|tagged| tagged.etag.as_deref()) {
                        Some(Some(etag)) => Condition::Unchanged(etag),
                        Some(None) => Condition::None,
                        None => Condition::Absent,
                    };
                    // Whether it was stored or not, the next look tells.
                    self.put_manifest_if(repository, Target::Tag(tag), &wanted, &condition).await?;
                    (writes, sightings) = (writes + 1, 0);
                }
            }
            drop(turn);
            window = window.max(began.elapsed());
            sleep(settling(window, writes)).await;
        }
    }
}

/// Longer than any writer has been seen to need, and longer with every write that was lost, by a random part: writers that
/// collided do not collide again.
fn settling(window: Duration, writes: u32) -> Duration {
    let collided = window.mul_f64(super::jitter() * f64::from(writes.saturating_sub(1).min(20)));
    (window * 2 + collided).clamp(SHORTEST_SETTLING, LONGEST_SETTLING)
}
