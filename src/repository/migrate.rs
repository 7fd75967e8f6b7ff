//! Brings a database to this binary's schema, or tells how far it is from it.

use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource};
use diesel::sql_types::Text;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::dialect::{self, Purpose};
use super::error::{DbError, DbErrorKind};
use super::session::{Backend as Connected, Session, WriteError};
use super::url::DatabaseUrl;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// How a database's schema compares with this binary's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// The same.
    Current,
    /// These migrations are missing.
    Older(Vec<String>),
    /// It has these migrations, which this binary does not know.
    Newer(Vec<String>),
}

#[derive(diesel::QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Compares without changing anything.
pub fn schema_state(session: &mut Session) -> Result<SchemaState, DbError> {
    let known = known_versions(session)?;
    let applied = applied_versions(session)?;
    let unknown: Vec<String> = applied.iter().filter(|version| !known.contains(version)).cloned().collect();
    if !unknown.is_empty() {
        return Ok(SchemaState::Newer(unknown));
    }
    let missing: Vec<String> = known.into_iter().filter(|version| !applied.contains(version)).collect();
    Ok(if missing.is_empty() { SchemaState::Current } else { SchemaState::Older(missing) })
}

/// Makes a database ready to be served, as far as that is a server's business: an embedded one, which
/// is this process's own, is migrated; one that several instances share is only looked at.
pub fn prepare(url: &DatabaseUrl) -> Result<SchemaState, DbError> {
    let mut session = Session::connect(url, Purpose::Operate, None)?;
    let state = schema_state(&mut session)?;
    if matches!((url, &state), (DatabaseUrl::Sqlite(_), SchemaState::Older(_))) {
        migrate(&mut session, |_, _| {})?;
        return Ok(SchemaState::Current);
    }
    Ok(state)
}

/// Applies what is missing, in one transaction that holds other migrations off; several may start at
/// once. `progress` is told how many are done, of how many, before each and at the end.
pub fn migrate(session: &mut Session, mut progress: impl FnMut(usize, usize)) -> Result<usize, DbError> {
    let migrated = session.write(|session| {
        dialect::lock_migrations(session)?;
        match schema_state(session)? {
            SchemaState::Current => Ok(0),
            SchemaState::Older(_) => apply(session, &mut progress),
            SchemaState::Newer(versions) => {
                let detail = format!("the schema is newer than this binary: it has {}", versions.join(", "));
                Err(DbError::new(DbErrorKind::Other, detail))
            }
        }
    });
    migrated.map_err(|error| match error {
        WriteError::Failed(error) | WriteError::CommitUnknown(error) => error,
    })
}

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
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| DbError::new(DbErrorKind::Other, error.to_string());
    let pending = connection.pending_migrations(source).map_err(failed)?;
    for (done, migration) in pending.iter().enumerate() {
        progress(done, pending.len());
        connection.run_migration(migration).map_err(failed)?;
    }
    progress(pending.len(), pending.len());
    Ok(pending.len())
}

fn known_versions(session: &Session) -> Result<Vec<String>, DbError> {
    match session.backend {
        Connected::Sqlite(_) => versions_of::<diesel::sqlite::Sqlite>(SQLITE),
        Connected::Postgres(_) => versions_of::<diesel::pg::Pg>(POSTGRES),
    }
}

fn versions_of<DB: Backend>(source: EmbeddedMigrations) -> Result<Vec<String>, DbError> {
    let migrations: Vec<Box<dyn Migration<DB>>> =
        source.migrations().map_err(|error| DbError::new(DbErrorKind::Other, error.to_string()))?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

fn applied_versions(session: &mut Session) -> Result<Vec<String>, DbError> {
    let table = dialect::migrations_table(session);
    if session.load::<Applied, _>(diesel::sql_query(table))?.is_empty() {
        return Ok(Vec::new());
    }
    let versions = diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version");
    Ok(session.load::<Applied, _>(versions)?.into_iter().map(|applied| applied.version).collect())
}
