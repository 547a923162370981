//! Batches: what many requests in one have alike. Their length is checked before anything is done, items fail one by one, other
//! requests get their turn in between, and the trail says how many there were and how many failed.

use api::encryption as wire;
use api::error::ErrorCode;

use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// After so many items other requests get their turn.
const TURN: usize = 32;

/// Refuses batches that are empty or too long.
pub fn within(items: usize, most: usize) -> Outcome<()> {
    match items {
        0 => Err(Problem::invalid("The batch holds no items.")),
        items if items > most => {
            Err(Problem::new(ErrorCode::TooManyItems, format!("A batch takes at most {most} items."))
                .detail("limit", most))
        }
        _ => Ok(()),
    }
}

/// Does `work` for one item after the other.
pub async fn each<'a, I, T, F>(items: &'a [I], entry: &mut Entry, work: impl Fn(&'a I) -> F) -> Done<T>
where
    F: Future<Output = Outcome<T>>,
{
    let mut done = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        done.push(work(item).await);
        if index % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
    }
    entry.batch(done.len(), done.iter().filter(|result| result.is_err()).count());
    Done(done)
}

/// What became of the items, in their order.
pub struct Done<T>(Vec<Outcome<T>>);

impl<T> Done<T> {
    /// The last item that did not fail.
    pub fn last(&self) -> Option<&T> {
        self.0.iter().rev().find_map(|result| result.as_ref().ok())
    }

    /// The items in the wire's words: the place of each, what came of it, and otherwise why nothing did.
    pub fn spelled<R>(self, spell: impl Fn(u32, Option<T>, Option<Problem>) -> R) -> Vec<R> {
        let spelled = |(index, result): (usize, Outcome<T>)| {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            match result {
                Ok(value) => spell(index, Some(value), None),
                Err(problem) => spell(index, None, Some(problem)),
            }
        };
        self.0.into_iter().enumerate().map(spelled).collect()
    }
}

/// An item's problem in the batch's words.
pub fn item_error(problem: Problem) -> wire::ItemError {
    wire::ItemError { code: problem.code.as_str().to_owned(), message: problem.message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn items_fail_one_by_one_and_keep_their_places() {
        let mut entry = Entry::new("Encrypt", "keys", "CryptoKey");
        let items: Vec<u32> = (0..100).collect();
        let halve = |item: &u32| {
            let item = *item;
            async move { if item.is_multiple_of(2) { Ok(item / 2) } else { Err(Problem::invalid("odd")) } }
        };
        let done = each(&items, &mut entry, halve).await;
        assert_eq!(done.last(), Some(&49));
        let spelled =
            done.spelled(|index, half, problem| (index, half, problem.map(|problem| item_error(problem).message)));
        assert_eq!(spelled.len(), 100);
        assert_eq!(spelled[98], (98, Some(49), None));
        assert_eq!(spelled[99], (99, None, Some("odd".to_owned())));
    }

    #[test]
    fn an_empty_batch_and_a_long_one_are_refused() {
        let code = |items, most| within(items, most).err().map(|problem| problem.code);
        assert_eq!(code(0, 10), Some(ErrorCode::InvalidRequest));
        assert_eq!(code(11, 10), Some(ErrorCode::TooManyItems));
        assert_eq!((code(1, 10), code(10, 10)), (None, None));
    }
}
