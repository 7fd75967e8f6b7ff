//! What differs between the two databases in SQL: how a session is set up for its purpose, how a transaction begins, and
//! a few queries of the databases' own catalogues.
//!
//! Everything else that differs is in this folder too, and nothing outside of it knows which database it uses: sets of
//! keys ([`super::keys`]) and of rows ([`super::bulk`]) are sent differently, a COMMIT fails differently
//! (`sqlite_commit`), migrations are in a folder per database ([`super::migrate`]), and only SQLite has a file
//! to take care of ([`super::database_file`], [`super::wal`], [`super::room`], [`super::backup`]).

use super::error::DbError;
use super::keys::StoreScope;
use super::session::{Backend, Session};
use super::url::DatabaseUrl;

/// What a session is for. It decides the settings of the session: its time limits, its memory, and whether it can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The transactions of a writer, which look rows up by keys and do nothing else.
    Write(Layout),
    /// Reads for callers. The session cannot write, whatever statement is sent on it.
    Read,
    /// Deletes what is too old, in small steps beside the writers.
    Prune,
    /// Asks whether the database can be read and written. It must be answered soon, so it has a time limit.
    Probe,
    /// A command of an operator that may change the database. It may take as long as it needs.
    Operate,
    /// A command of an operator that only reads a database, which must exist. It may take as long as it needs.
    Inspect,
}

/// How the tables are laid out over database servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// All on one server: a transaction may be about several stores.
    #[default]
    Single,
    /// By store on several servers: a transaction is about one store, and each of its statements compares `store_id` with
    /// that store, so that it can be sent to the one server that has it.
    Sharded,
}

impl Layout {
    /// How many stores one transaction may lock. More would share an fsync among more commands, but every one of the
    /// stores would be locked until the last of their commands is decided.
    pub const fn stores_per_transaction(self) -> usize {
        match self {
            Self::Single => 64,
            Self::Sharded => 1,
        }
    }
}

/// How many stores the statements of a session are about. Only a writer that takes commands of several stores into one
/// transaction needs more than one.
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
    /// It writes, under locks that its first statement takes.
    Write,
    /// It reads one snapshot, and cannot write.
    Read,
}

/// Has a PostgreSQL server notice within half a minute that this end of a connection is gone. Otherwise its processes, and
/// the locks that they hold, would stay for hours behind a network that loses packets.
const KEEPALIVE: &str = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; \
                         SET tcp_keepalives_count = 3; SET tcp_user_timeout = 15000";

/// The settings of every writer on PostgreSQL.
///
/// - Timeouts that a role or the server sets by default are switched off. statement_timeout would also interrupt a COMMIT,
///   whose outcome would then be unknown; nothing else that a writer does waits for long.
/// - A process that is frozen in a transaction loses it, and with it the locks of its stores, after 10 s.
/// - What was committed must survive a crash, so a default of `synchronous_commit = off` is overridden. A setting that
///   promises more than `on` is kept.
///
/// See [`JOINS_AS_WRITTEN`] for the order of joins.
const WRITER: &str = "SET lock_timeout = 0; SET statement_timeout = 0; \
                      SET idle_in_transaction_session_timeout = '10s'; SET jit = off; \
                      SELECT set_config('synchronous_commit', 'on', false) \
                      WHERE current_setting('synchronous_commit') = 'off'";

/// Joins tables in the order in which a statement names them: lookups lead from their keys to the rows. Without statistics
/// the planner would begin elsewhere, and read every line of an order once for each product that a delivery names.
const JOINS_AS_WRITTEN: &str = "SET join_collapse_limit = 1";

/// The statements that set a new session up, to be run one by one and in this order.
pub fn set_up(url: &DatabaseUrl, purpose: Purpose) -> &'static [&'static str] {
    match (url, purpose) {
        // busy_timeout comes first, because switching to WAL takes a lock. FULL, because with NORMAL the last commits can
        // be lost when the power fails. The writer has a larger cache than the others, because it reads what it changes.
        (DatabaseUrl::Sqlite(_), Purpose::Write(_)) => &[
            "PRAGMA busy_timeout = 5000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA cache_size = -24000",
            "PRAGMA wal_autocheckpoint = 8000",
            // A log that a long read has let grow is cut to this size when SQLite writes it from its beginning again.
            "PRAGMA journal_size_limit = 67108864",
        ],
        // query_only comes last, because switching to WAL writes.
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
        // The plans of prepared statements are kept, also those from when the tables were empty. So the planner is told
        // what is right for every size of the tables: each statement looks a few keys up by an index.
        (DatabaseUrl::Postgres(_), Purpose::Write(Layout::Single)) => &[
            WRITER,
            KEEPALIVE,
            JOINS_AS_WRITTEN,
            "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
             SET enable_mergejoin = off",
        ],
        // The planner must see the store to send a statement to one server, which a generic plan hides. No plan is kept
        // then, so none gets old.
        (DatabaseUrl::Postgres(_), Purpose::Write(Layout::Sharded)) => &[WRITER, KEEPALIVE, JOINS_AS_WRITTEN],
        // Compiling a report's statement takes longer than running it: a year of a large store takes a third of the time
        // without.
        (DatabaseUrl::Postgres(_), Purpose::Read) => &[
            KEEPALIVE,
            JOINS_AS_WRITTEN,
            "SET jit = off",
            "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s'; \
             SET default_transaction_read_only = on",
        ],
        // A step takes milliseconds. If a lock keeps it from that, it fails, and the round a minute later tries again.
        // There is no statement_timeout, because it would also interrupt COMMIT.
        (DatabaseUrl::Postgres(_), Purpose::Prune) => {
            &[KEEPALIVE, "SET lock_timeout = '1s'; SET idle_in_transaction_session_timeout = '30s'"]
        }
        (DatabaseUrl::Postgres(_), Purpose::Probe) => &[KEEPALIVE, "SET statement_timeout = '1s'"],
        (DatabaseUrl::Postgres(_), Purpose::Operate) => &[],
        // Each check joins whole tables of a store. Without statistics, as after a restore, the planner expects a few rows
        // and would read one table for each row of another, so nested loops are ruled out; and merge joins too, because
        // those by an index compare only the columns that both indexes begin with, and all rows of an order with each
        // other. A plan that needs one all the same gets a very high cost, by which PostgreSQL would compile every such
        // statement: so jit is off.
        (DatabaseUrl::Postgres(_), Purpose::Inspect) => {
            &["SET enable_nestloop = off; SET enable_mergejoin = off", "SET work_mem = '64MB'", "SET jit = off"]
        }
    }
}

/// How a SQLite transaction begins. A writer takes the one write lock at once and waits for it if it must; a transaction
/// that begins without it and writes later fails without waiting.
pub fn sqlite_begin(mode: TransactionMode) -> &'static str {
    match mode {
        TransactionMode::Write => "BEGIN IMMEDIATE",
        TransactionMode::Read => "BEGIN",
    }
}

/// How a PostgreSQL transaction begins. A writer must see what was committed before it got its locks. Under REPEATABLE READ
/// its snapshot could be older than its locks, so it runs under READ COMMITTED; the locks of the stores keep what it reads
/// from changing.
pub fn postgres_begin(mode: TransactionMode) -> &'static str {
    match mode {
        TransactionMode::Write => "BEGIN ISOLATION LEVEL READ COMMITTED",
        TransactionMode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    }
}

/// How many writers to start where an operator wants this many. SQLite gets one: it has one write lock, and writers that
/// compete for it keep each other waiting for seconds.
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

/// Keeps other instances from migrating until the transaction ends. SQLite's write transaction does so already. The number
/// is arbitrary, and must stay the same in every version: older and newer ones must exclude each other.
pub fn lock_migrations(session: &mut Session) -> Result<(), DbError> {
    match session.backend {
        Backend::Sqlite(_) => Ok(()),
        Backend::Postgres(_) => session.batch("SELECT pg_advisory_xact_lock(5065263417310212461)"),
    }
}

/// A query that returns whether the database takes no writes as `read_only`, and the time of its server, or NULL if it has
/// none, as `now_micros`.
pub fn probe(session: &Session) -> &'static str {
    match session.backend {
        // Never true: the count is there so that the file is read.
        Backend::Sqlite(_) => "SELECT count(*) < 0 AS read_only, NULL AS now_micros FROM sqlite_schema",
        // On for a standby, and where the server or the role has a default of no writes.
        Backend::Postgres(_) => {
            "SELECT current_setting('transaction_read_only')::bool AS read_only,
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_micros"
        }
    }
}

/// A query that returns the name of Diesel's table of migrations, or no row if there is no such table.
pub fn migrations_table(session: &Session) -> &'static str {
    match session.backend {
        Backend::Sqlite(_) => "SELECT name AS version FROM sqlite_schema WHERE name = '__diesel_schema_migrations'",
        Backend::Postgres(_) => {
            "SELECT relname::text AS version FROM pg_class WHERE oid = to_regclass('__diesel_schema_migrations')"
        }
    }
}

/// A query that returns, as `name`, the triggers that are enabled and refuse changes to the ledger.
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
