//! What truly differs between the two databases: how a session is set up and how a transaction
//! begins. Together with [`super::keys`] and [`super::bulk`], which write sets of keys and of rows in
//! each database's way, the only place that knows which one it talks to.

use super::error::DbError;
use super::keys::StoreScope;
use super::session::{Backend, Session};
use super::url::DatabaseUrl;

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A writer's transactions: nothing but look-ups by key.
    Write(Layout),
    /// Callers' reads; it cannot write.
    Read,
    /// Deleting what is too old, in small steps beside the writers.
    Prune,
    /// Asking whether the database can be read and written.
    Probe,
    /// An operator's command: no time limits.
    Operate,
    /// An operator's look at a database that must be there: no time limits either.
    Inspect,
}

/// How the tables are laid out over database servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// On one server: a transaction may be about several stores.
    #[default]
    Single,
    /// On several servers, by store: a transaction is about one store, and each of its statements names
    /// that store by equality, so that one server answers it.
    Sharded,
}

impl Layout {
    /// How many stores a transaction may lock.
    pub const fn stores_per_transaction(self) -> usize {
        match self {
            Self::Single => 64,
            Self::Sharded => 1,
        }
    }
}

/// How many stores the statements of a session are about: several only where a writer takes several
/// stores' commands into one transaction.
pub const fn store_scope(purpose: Purpose) -> StoreScope {
    match purpose {
        Purpose::Write(Layout::Single) => StoreScope::Many,
        Purpose::Write(Layout::Sharded)
        | Purpose::Read
        | Purpose::Prune
        | Purpose::Probe
        | Purpose::Operate
        | Purpose::Inspect => StoreScope::One,
    }
}

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionMode {
    /// Write, under locks that the first statements take.
    Write,
    /// Read one snapshot.
    Read,
}

/// Has a PostgreSQL server notice within half a minute that the service's end of a connection is gone, so
/// that its processes do not pile up behind a network that loses packets.
const KEEPALIVE: &str = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; \
                         SET tcp_keepalives_count = 3; SET tcp_user_timeout = 15000";

/// What every writer on PostgreSQL needs. It has no timeout of the server's, whatever the role or the
/// server sets by default: statement_timeout would also cut COMMIT, and nothing that a writer does waits
/// for a lock. A session whose service is frozen gives its stores up after 10 s. What was committed must
/// survive a crash, so a default of `synchronous_commit = off` is overridden; a stronger one than `on` is
/// kept.
const WRITER: &str = "SET lock_timeout = 0; SET statement_timeout = 0; \
                      SET idle_in_transaction_session_timeout = '10s'; SET jit = off; \
                      SELECT set_config('synchronous_commit', 'on', false) \
                      WHERE current_setting('synchronous_commit') = 'off'";

/// The statements that set a new session up, to be run one by one.
pub fn set_up(url: &DatabaseUrl, purpose: Purpose) -> &'static [&'static str] {
    match (url, purpose) {
        // busy_timeout comes first: switching to WAL takes a lock too. FULL, because NORMAL can lose
        // commits at power loss. The writer's cache is larger: it alone reads what it changes.
        (DatabaseUrl::Sqlite(_), Purpose::Write(_)) => &[
            "PRAGMA busy_timeout = 5000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA cache_size = -24000",
            "PRAGMA wal_autocheckpoint = 8000",
            // After a long reader, the log is cut down when it is written from its beginning again.
            "PRAGMA journal_size_limit = 67108864",
        ],
        // query_only comes last: switching to WAL writes.
        (DatabaseUrl::Sqlite(_), Purpose::Read) => &[
            "PRAGMA busy_timeout = 5000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA cache_size = -2000",
            "PRAGMA query_only = ON",
        ],
        (DatabaseUrl::Sqlite(_), Purpose::Prune | Purpose::Probe | Purpose::Operate | Purpose::Inspect) => &[
            "PRAGMA busy_timeout = 5000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA cache_size = -2000",
        ],
        // A writer's plans are kept from when the tables were empty, so the planner is told what holds
        // for every size: each statement looks a few keys up by an index.
        (DatabaseUrl::Postgres(_), Purpose::Write(Layout::Single)) => &[
            WRITER,
            KEEPALIVE,
            "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
             SET enable_mergejoin = off",
        ],
        // A generic plan cannot be sent to one shard: the planner must see the store. No local plan is
        // kept, so the planner needs no guidance either.
        (DatabaseUrl::Postgres(_), Purpose::Write(Layout::Sharded)) => &[WRITER, KEEPALIVE],
        (DatabaseUrl::Postgres(_), Purpose::Read) => &[
            KEEPALIVE,
            "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s'; \
             SET default_transaction_read_only = on",
        ],
        // A step takes milliseconds; if it is held up, the next minute's step waits for it. No
        // statement_timeout: it would also cut COMMIT.
        (DatabaseUrl::Postgres(_), Purpose::Prune) => {
            &[KEEPALIVE, "SET lock_timeout = '1s'; SET idle_in_transaction_session_timeout = '30s'"]
        }
        (DatabaseUrl::Postgres(_), Purpose::Probe) => &[KEEPALIVE, "SET statement_timeout = '1s'"],
        (DatabaseUrl::Postgres(_), Purpose::Operate) => &[],
        // Each check joins whole tables of a store. Without statistics, as after a restore, the planner
        // takes them for a few rows and would go through one table for each row of another: such plans
        // are ruled out instead of being left to what it knows. jit, because a plan that cannot do
        // without a ruled-out step seems so expensive that each would be compiled.
        (DatabaseUrl::Postgres(_), Purpose::Inspect) => {
            &["SET enable_nestloop = off", "SET work_mem = '64MB'", "SET jit = off"]
        }
    }
}

/// How a SQLite transaction begins. A writer takes the one write lock at once: a deferred transaction
/// that writes later fails without waiting.
pub fn sqlite_begin(access: TransactionMode) -> &'static str {
    match access {
        TransactionMode::Write => "BEGIN IMMEDIATE",
        TransactionMode::Read => "BEGIN",
    }
}

/// How a PostgreSQL transaction begins. A writer must see what was committed while it waited for its
/// locks, so it never runs under REPEATABLE READ.
pub fn postgres_begin(access: TransactionMode) -> &'static str {
    match access {
        TransactionMode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED",
        TransactionMode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    }
}

/// How many writers write at once: one for SQLite, which has one write lock.
pub fn writers_for(url: &DatabaseUrl, wanted: usize) -> usize {
    match url {
        DatabaseUrl::Sqlite(_) => 1,
        DatabaseUrl::Postgres(_) => wanted,
    }
}

/// Whether the tables of this database can be spread over several servers.
pub fn may_be_sharded(url: &DatabaseUrl) -> bool {
    matches!(url, DatabaseUrl::Postgres(_))
}

/// Holds other migrations off until the transaction ends. SQLite's write transaction does so already.
pub fn lock_migrations(session: &mut Session) -> Result<(), DbError> {
    match session.backend {
        Backend::Sqlite(_) => Ok(()),
        Backend::Postgres(_) => session.batch("SELECT pg_advisory_xact_lock(5065263417310212461)"),
    }
}

/// A query for whether the database takes no writes, as `read_only`, and for its clock, if it has one, as
/// `now_micros`.
pub fn probe(session: &Session) -> &'static str {
    match session.backend {
        // Reads the file, to see that it can be read.
        Backend::Sqlite(_) => "SELECT count(*) < 0 AS read_only, NULL AS now_micros FROM sqlite_schema",
        // It is on for a standby, and where the server or the role has a default of no writes.
        Backend::Postgres(_) => {
            "SELECT current_setting('transaction_read_only')::bool AS read_only,
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_micros"
        }
    }
}

/// A query for the migrations table's name, if there is one.
pub fn migrations_table(session: &Session) -> &'static str {
    match session.backend {
        Backend::Sqlite(_) => "SELECT name AS version FROM sqlite_schema WHERE name = '__diesel_schema_migrations'",
        Backend::Postgres(_) => {
            "SELECT relname::text AS version FROM pg_class WHERE oid = to_regclass('__diesel_schema_migrations')"
        }
    }
}

/// A query for the `name`s of the triggers that are in force and refuse changes to the ledger.
pub fn ledger_triggers(session: &Session) -> &'static str {
    match session.backend {
        Backend::Sqlite(_) => {
            "SELECT name FROM sqlite_schema
             WHERE type = 'trigger' AND tbl_name = 'stock_movement' AND sql LIKE '%RAISE(ABORT%'"
        }
        Backend::Postgres(_) => {
            "SELECT t.tgname::text AS name FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
             WHERE t.tgrelid = to_regclass('stock_movement') AND NOT t.tgisinternal
               AND t.tgenabled IN ('O', 'A') AND p.prosrc LIKE '%RAISE EXCEPTION%'"
        }
    }
}
