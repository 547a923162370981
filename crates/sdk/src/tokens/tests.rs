use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// Tokens of a minute with numbers, until it is told to have none.
#[derive(Default)]
struct Numbers {
    given: AtomicU64,
    is_away: AtomicU64,
}

impl TokenSource for Arc<Numbers> {
    fn fetch<'a>(&'a self, _: Option<&'a str>) -> Fetching<'a> {
        Box::pin(async move {
            if self.is_away.load(Ordering::SeqCst) > 0 {
                return Err(Error::Foreign { status: 502 });
            }
            let n = self.given.fetch_add(1, Ordering::SeqCst);
            Ok(AccessToken::new(&format!("token {n}"), Duration::from_secs(60)))
        })
    }
}

async fn text(tokens: &Tokens) -> String {
    tokens.current().await.unwrap().expose().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_token_serves_until_shortly_before_its_end() {
    let numbers = Arc::new(Numbers::default());
    let tokens = Tokens::of(Arc::clone(&numbers));
    assert_eq!((text(&tokens).await, text(&tokens).await), ("token 0".to_owned(), "token 0".to_owned()));
    tokio::time::advance(Duration::from_secs(44)).await;
    assert_eq!(text(&tokens).await, "token 0");
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(text(&tokens).await, "token 1");
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_soon_serves_while_there_is_no_other_and_no_longer() {
    let numbers = Arc::new(Numbers::default());
    let tokens = Tokens::of(Arc::clone(&numbers));
    assert_eq!(text(&tokens).await, "token 0");
    numbers.is_away.store(1, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(50)).await;
    assert_eq!(text(&tokens).await, "token 0");
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(tokens.current().await.is_err());
    numbers.is_away.store(0, Ordering::SeqCst);
    assert_eq!(text(&tokens).await, "token 1");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_believed_is_replaced_once_for_all_who_hold_it() {
    let numbers = Arc::new(Numbers::default());
    let tokens = Tokens::of(Arc::clone(&numbers));
    let stale = tokens.current().await.unwrap();
    let first = tokens.in_place_of(&stale).await.unwrap();
    let second = tokens.in_place_of(&stale).await.unwrap();
    assert_eq!((first.expose(), second.expose()), ("token 1", "token 1"));
    assert_eq!(format!("{stale:?}"), "AccessToken(..)");
}
