//! Brings a database to the schema of this binary, or tells how far it is from it.
//!
//! All missing migrations are applied in one transaction, or none. Instances that start at the same time may all try: one
//! applies, the others wait for it and then find nothing to apply.

use std::sync::Arc;

use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource};
use diesel::sql_types::Text;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::dialect::{self, Purpose};
use super::error::{DbError, DbErrorKind};
use super::session::{Backend as Connected, Session, WriteError};
use super::transaction::{TransactionCounters, TransactionName};
use super::url::DatabaseUrl;

// A folder per database, with the same migrations in both: the types and the triggers are written differently.
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// How the schema of a database compares with that of this binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// It has exactly the migrations of this binary.
    Current,
    /// It lacks these migrations, by version.
    Older(Vec<String>),
    /// It has these migrations, which this binary does not know. It must not be written: nothing says what they mean.
    Newer(Vec<String>),
}

#[derive(diesel::QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Compares the schema of a database with that of this binary, without changing anything.
pub fn schema_state(session: &mut Session) -> Result<SchemaState, DbError> {
    let known = known_versions(session)?;
    let applied = session.autocommit(TransactionName::SchemaCheck, applied_versions)?;
    // Unknown ones first: a database that also lacks some must not be migrated by a binary that does not know it.
    let unknown: Vec<String> = applied.iter().filter(|version| !known.contains(version)).cloned().collect();
    if !unknown.is_empty() {
        return Ok(SchemaState::Newer(unknown));
    }
    let missing: Vec<String> = known.into_iter().filter(|version| !applied.contains(version)).collect();
    Ok(if missing.is_empty() { SchemaState::Current } else { SchemaState::Older(missing) })
}

/// Makes a database ready to be served. A SQLite database, which belongs to this process alone, is migrated. One on
/// PostgreSQL is only compared: other instances may run on it with the older schema, so an operator decides when it is
/// migrated.
pub fn prepare(url: &DatabaseUrl, counters: &Arc<TransactionCounters>) -> Result<SchemaState, DbError> {
    let mut session = Session::connect(url, Purpose::Operate, None)?;
    session.count_in(counters);
    let state = schema_state(&mut session)?;
    if matches!((url, &state), (DatabaseUrl::Sqlite(_), SchemaState::Older(_))) {
        migrate(&mut session, |_, _| {})?;
        return Ok(SchemaState::Current);
    }
    Ok(state)
}

/// Applies the missing migrations in one transaction, and returns how many there were. `progress` is called with how many
/// are done and how many there are, before each and at the end.
pub fn migrate(session: &mut Session, mut progress: impl FnMut(usize, usize)) -> Result<usize, DbError> {
    let migrated = session.write(TransactionName::Migrate, |session| {
        dialect::lock_migrations(session)?;
        // Compared under the lock: another instance may have migrated it since the caller looked.
        match schema_state(session)? {
            SchemaState::Current => Ok(0),
            SchemaState::Older(_) => apply(session, &mut progress),
            SchemaState::Newer(versions) => {
                let detail = format!("the schema is newer than this binary: it has {}", versions.join(", "));
                Err(DbError::new(DbErrorKind::Other, detail))
            }
        }
    });
    // After an unanswered COMMIT too: the operator, or the next start, runs it again and finds out.
    migrated.map_err(|error| match error {
        WriteError::Failed(error) | WriteError::CommitUnknown(error) => error,
    })
}

/// Applies the missing migrations of the session's database within the open transaction.
fn apply(session: &mut Session, progress: &mut impl FnMut(usize, usize)) -> Result<usize, DbError> {
    match &mut session.backend {
        Connected::Sqlite(connection) => apply_to(connection, SQLITE, progress),
        Connected::Postgres(connection) => apply_to(connection, POSTGRES, progress),
    }
}

fn apply_to<DB: Backend, C: MigrationHarness<DB>>(
    connection: &mut C,
    source: EmbeddedMigrations,
    progress: &mut impl FnMut(usize, usize),
) -> Result<usize, DbError> {
    let pending = connection.pending_migrations(source).map_err(migration_failed)?;
    for (done, migration) in pending.iter().enumerate() {
        progress(done, pending.len());
        // Diesel opens a transaction for each. Within this one it is a savepoint, so all of them still commit together.
        connection.run_migration(migration).map_err(migration_failed)?;
    }
    progress(pending.len(), pending.len());
    Ok(pending.len())
}

fn migration_failed(error: Box<dyn std::error::Error + Send + Sync>) -> DbError {
    DbError::new(DbErrorKind::Other, error.to_string())
}

/// The version of the newest migration of this binary, as a number: its date and time. `None` if no version is one.
pub fn newest_version() -> Option<i64> {
    // Both folders have the same versions, which a test compares.
    let versions = versions_of::<diesel::sqlite::Sqlite>(SQLITE).ok()?;
    versions.iter().filter_map(|version| version.parse().ok()).max()
}

/// The versions of the migrations that are compiled into this binary for the session's database.
fn known_versions(session: &Session) -> Result<Vec<String>, DbError> {
    match session.backend {
        Connected::Sqlite(_) => versions_of::<diesel::sqlite::Sqlite>(SQLITE),
        Connected::Postgres(_) => versions_of::<diesel::pg::Pg>(POSTGRES),
    }
}

fn versions_of<DB: Backend>(source: EmbeddedMigrations) -> Result<Vec<String>, DbError> {
    let migrations: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(migration_failed)?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// The versions of the migrations that were applied to the database, oldest first.
fn applied_versions(session: &mut Session) -> Result<Vec<String>, DbError> {
    // A new database has no table of migrations. To select from it would be an error, which on PostgreSQL also ends the
    // transaction that this may run in.
    let table = dialect::migrations_table(session);
    if session.load::<Applied, _>(diesel::sql_query(table))?.is_empty() {
        return Ok(Vec::new());
    }
    let versions = diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version");
    Ok(session.load::<Applied, _>(versions)?.into_iter().map(|applied| applied.version).collect())
}
