use std::path::Path;

use domain::time::Timestamp;
use store::testing::Postgres;
use store::{Options, Store, migrate};
use tempfile::TempDir;

/// A store to test on, and the means to open it again.
pub struct Bed {
    pub store: Store,
    place: Place,
}

enum Place {
    Dir(TempDir),
    Url(String),
}

impl Bed {
    pub async fn sqlite() -> Self {
        Self::at(Place::Dir(tempfile::tempdir().unwrap())).await
    }

    pub async fn postgres() -> Self {
        Self::at(Place::Url(Postgres::shared().create_database().unwrap())).await
    }

    async fn at(place: Place) -> Self {
        let store = place.open().await.unwrap();
        migrate::migrate(&store, Timestamp::from_millis(1)).await.unwrap();
        Self { store, place }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Url(_))
    }

    /// The folder of a SQLite store.
    pub fn dir(&self) -> Option<&Path> {
        match &self.place {
            Place::Dir(dir) => Some(dir.path()),
            Place::Url(_) => None,
        }
    }

    /// Another store on the same data: a second replica on PostgreSQL.
    pub async fn open_again(&self) -> store::Result<Store> {
        self.place.open().await
    }
}

impl Place {
    async fn open(&self) -> store::Result<Store> {
        match self {
            Place::Dir(dir) => Store::open_sqlite(dir.path(), Options::default()).await,
            Place::Url(url) => Store::open_postgres(url, Options::default()).await,
        }
    }
}

/// Makes one test per function and engine.
macro_rules! store_suite {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::suite::bed::Bed::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::suite::bed::Bed::postgres().await).await;
            })+
        }
    };
}
pub(crate) use store_suite;
