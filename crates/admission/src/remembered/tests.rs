use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const FRESH: Duration = Duration::from_secs(60);
const STALE: Duration = Duration::from_secs(600);
const ROOM: Room = Room { entries: 10, bytes: 1_000 };

impl Weighed for usize {
    fn bytes(&self) -> usize {
        *self
    }
}

/// Counts how often something is looked up, and answers as it is told.
#[derive(Clone)]
struct Place {
    asked: Arc<AtomicUsize>,
    answer: Result<usize, Failure>,
    takes: Duration,
}

impl Place {
    fn new() -> Self {
        Self { asked: Arc::default(), answer: Ok(1), takes: Duration::from_secs(1) }
    }

    fn that(&self, answer: Result<usize, Failure>) -> Self {
        Self { answer, ..self.clone() }
    }

    fn lookup(&self) -> impl FnOnce() -> Lookup<usize> + Send + use<> {
        let place = self.clone();
        move || {
            place.asked.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                tokio::time::sleep(place.takes).await;
                place.answer
            })
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn down() -> Failure {
    Failure::Unreachable("down".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_thousand_who_ask_at_once_are_one_question() {
    let (remembered, place) = (Remembered::<u8, usize>::new(STALE, ROOM), Place::new());
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let (remembered, place) = (Arc::clone(&remembered), place.clone());
        asking.spawn(async move { remembered.get(&1, FRESH, place.lookup()).await });
    }
    while let Some(known) = asking.join_next().await {
        assert_eq!(known.unwrap().unwrap().value, 1);
    }
    assert_eq!(place.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_used_is_looked_up_again_before_it_is_too_old() {
    let (remembered, place) = (Remembered::<u8, usize>::new(STALE, ROOM), Place::new());
    remembered.get(&1, FRESH, place.lookup()).await.unwrap();
    tokio::time::advance(FRESH / 2 + Duration::from_secs(1)).await;
    let known = remembered.get(&1, FRESH, place.that(Ok(2)).lookup()).await.unwrap();
    assert_eq!((known.value, known.source), (1, Source::Memory), "nobody waits");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let known = remembered.get(&1, FRESH, place.lookup()).await.unwrap();
    assert_eq!((known.value, known.source, place.asked()), (2, Source::Memory, 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_known_serves_a_while_when_nobody_answers() {
    let (remembered, place) = (Remembered::<u8, usize>::new(STALE, ROOM), Place::new());
    remembered.get(&1, FRESH, place.lookup()).await.unwrap();
    tokio::time::advance(FRESH * 2).await;
    let known = remembered.get(&1, FRESH, place.that(Err(down())).lookup()).await.unwrap();
    assert_eq!((known.value, known.source), (1, Source::Stale("down".to_owned())));
    // The failure is remembered: the next one does not wait for it.
    let known = remembered.get(&1, FRESH, place.lookup()).await.unwrap();
    assert_eq!((known.source, place.asked()), (Source::Stale("down".to_owned()), 2));
    tokio::time::advance(STALE).await;
    assert_eq!(remembered.get(&1, FRESH, place.that(Err(down())).lookup()).await, Err(down()));
    tokio::time::advance(FAILURE).await;
    let known = remembered.get(&1, FRESH, place.that(Ok(3)).lookup()).await.unwrap();
    assert_eq!((known.value, known.source), (3, Source::Lookup));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_not_remembered() {
    let (remembered, place) = (Remembered::<u8, usize>::new(STALE, ROOM), Place::new());
    remembered.get(&1, FRESH, place.lookup()).await.unwrap();
    let gone = Failure::NotThere("gone".to_owned());
    let looked_up = remembered.get(&1, Duration::ZERO, place.that(Err(gone.clone())).lookup()).await;
    assert_eq!(looked_up, Err(gone.clone()));
    assert_eq!(remembered.get(&1, FRESH, place.lookup()).await, Err(gone));
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_does_not_stop_the_question() {
    let (remembered, place) = (Remembered::<u8, usize>::new(STALE, ROOM), Place::new());
    let waited = tokio::time::timeout(Duration::from_millis(10), remembered.get(&1, FRESH, place.lookup())).await;
    assert!(waited.is_err());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(remembered.get(&1, FRESH, place.lookup()).await.unwrap().source, Source::Memory);
    assert_eq!(place.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_remembered_than_there_is_room_for() {
    let (remembered, place) =
        (Remembered::<u8, usize>::new(STALE, Room { entries: 3, bytes: usize::MAX }), Place::new());
    for key in 0..20 {
        remembered.get(&key, FRESH, place.lookup()).await.unwrap();
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert!(remembered.len() <= 4, "{}", remembered.len());
    remembered.get(&19, FRESH, place.lookup()).await.unwrap();
    assert_eq!(place.asked(), 20, "the youngest is still there");
}

#[tokio::test(start_paused = true)]
async fn no_more_bytes_are_remembered_than_there_is_room_for() {
    let remembered = Remembered::<u8, usize>::new(STALE, ROOM);
    let place = Place::new().that(Ok(400));
    for key in 0..5 {
        remembered.get(&key, FRESH, place.lookup()).await.unwrap();
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(remembered.bytes() <= ROOM.bytes, "{}", remembered.bytes());
    }
    assert_eq!((remembered.len(), remembered.bytes()), (2, 800));
    assert_eq!(remembered.get(&4, FRESH, place.lookup()).await.unwrap().source, Source::Memory);
    // What is longer than the room is alone in it, and makes room for what comes after it.
    remembered.get(&9, FRESH, place.that(Ok(5_000)).lookup()).await.unwrap();
    assert_eq!((remembered.len(), remembered.bytes()), (1, 5_000));
    remembered.get(&1, FRESH, place.lookup()).await.unwrap();
    assert_eq!((remembered.len(), remembered.bytes()), (1, 400));
    // What is gone takes no room, and what changes takes what it takes now.
    remembered.get(&1, Duration::ZERO, place.that(Ok(7)).lookup()).await.unwrap();
    assert_eq!(remembered.bytes(), 7);
    let gone = Failure::NotThere("gone".to_owned());
    let _gone = remembered.get(&1, Duration::ZERO, place.that(Err(gone)).lookup()).await;
    assert_eq!(remembered.bytes(), 0);
}
