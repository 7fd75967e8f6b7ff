//! A fresh database per test, on either engine, gone when the test is.

use std::sync::Arc;

use purchase_order_service::repository::dialect::Purpose;
use purchase_order_service::repository::migrate::migrate;
use purchase_order_service::repository::session::Session;
use purchase_order_service::repository::url::DatabaseUrl;
use tempfile::TempDir;

use super::cluster::{Scratch, cluster};

/// The tables whose rows belong to stores: all but the clock's days and the key of page tokens.
pub const STORE_TABLES: [&str; 14] = [
    "store",
    "role_permission",
    "role_grant",
    "purchase_order",
    "purchase_order_line",
    "line_cancellation",
    "receipt",
    "receipt_item",
    "receipt_lot",
    "inventory_level",
    "inventory_lot",
    "stock_movement",
    "event",
    "stored_response",
];

/// Which engine a test runs on: every story runs on both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A database of one test.
pub struct Database {
    /// Its URL.
    pub url: DatabaseUrl,
    /// Its engine.
    pub engine: Engine,
    /// What it is kept in.
    _home: Home,
}

enum Home {
    Folder(#[expect(dead_code, reason = "kept to be dropped")] TempDir),
    Server(
        #[expect(dead_code, reason = "kept to be dropped")] Scratch,
        #[expect(dead_code, reason = "kept to be dropped")] Option<Arc<Scratch>>,
    ),
    /// On a server that the test looks after itself.
    Elsewhere,
}

impl Database {
    /// A database with the service's schema; `None` if there is no PostgreSQL to be had.
    pub fn migrated(engine: Engine) -> Option<Self> {
        if engine == Engine::Postgres {
            let (scratch, template) = cluster()?.create_migrated();
            return Some(Self::on_server(scratch, Some(template)));
        }
        let database = Self::empty(engine)?;
        migrate(&mut database.session(), |_, _| {}).expect("an empty database can be migrated");
        Some(database)
    }

    /// A database without anything in it; `None` if there is no PostgreSQL to be had.
    pub fn empty(engine: Engine) -> Option<Self> {
        Some(match engine {
            Engine::Sqlite => Self::in_folder(),
            Engine::Postgres => Self::on_server(cluster()?.create_empty(), None),
        })
    }

    /// The PostgreSQL database at this URL, of a server that the test looks after itself; the service's
    /// schema is made where it takes writes and has none.
    pub fn somewhere(url: &str) -> Self {
        let url = url.parse().expect("it is a database URL");
        let database = Self { url, engine: Engine::Postgres, _home: Home::Elsewhere };
        migrate(&mut database.session(), |_, _| {}).expect("the database can be migrated");
        database
    }

    fn in_folder() -> Self {
        let folder = TempDir::new().expect("there is room for a folder");
        let url = DatabaseUrl::Sqlite(folder.path().join("orders.sqlite").display().to_string());
        Self { url, engine: Engine::Sqlite, _home: Home::Folder(folder) }
    }

    fn on_server(scratch: Scratch, template: Option<Arc<Scratch>>) -> Self {
        let url = scratch.url().parse().expect("it is a database URL");
        Self { url, engine: Engine::Postgres, _home: Home::Server(scratch, template) }
    }

    /// The URL as a command line takes it.
    pub fn url_text(&self) -> String {
        match &self.url {
            DatabaseUrl::Sqlite(path) => format!("sqlite:{path}"),
            DatabaseUrl::Postgres(url) => url.clone(),
        }
    }

    /// A session of the test's own.
    pub fn session(&self) -> Session {
        Session::connect(&self.url, Purpose::Operate, None).expect("the test's database is there")
    }

    /// A session like that of the `verify` command.
    pub fn session_that_inspects(&self) -> Session {
        Session::connect(&self.url, Purpose::Inspect, None).expect("the test's database is there")
    }

    /// A session that may write where the database's default is that nobody does.
    pub fn session_that_writes(&self) -> Session {
        let mut session = Session::connect(&self.url, Purpose::Inspect, None).expect("the test's database is there");
        session.batch("SET default_transaction_read_only = off").expect("anybody may set it");
        session
    }

    /// Holds the lock that every write to a store takes first, until it is released: on SQLite that is
    /// the lock of the whole database. `store` must exist.
    pub fn hold(&self, store: &str) -> StoreHeld {
        let mut session = self.session();
        let statements = match self.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE".to_owned(),
            Engine::Postgres => format!("BEGIN; SELECT FROM store WHERE store_id = '{store}' FOR UPDATE"),
        };
        session.batch(&statements).expect("nobody else writes");
        StoreHeld(session)
    }

    /// Holds the locks of all stores. Unlike a store's own lock, which a writer on PostgreSQL leaves alone and retries,
    /// this one is waited for on both databases: what a writer has taken stays with it, and the rest stays queued.
    pub fn hold_all_stores(&self) -> StoreHeld {
        let mut session = self.session();
        let statements = match self.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN; LOCK TABLE store IN EXCLUSIVE MODE",
        };
        session.batch(statements).expect("nobody else writes");
        StoreHeld(session)
    }
}

/// A store whose lock is held, or all of them.
pub struct StoreHeld(Session);

impl StoreHeld {
    /// Lets it go.
    pub fn release(mut self) {
        self.0.batch("ROLLBACK").expect("the session holds a transaction");
    }
}
