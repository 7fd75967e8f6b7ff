//! The checks and the preparation of the database before a server starts, and why one does not start.
//!
//! A server refuses to start on a database that it could not use correctly: an older or newer schema, a
//! pooler that shares sessions. What is only risky is logged and served.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::repository::database_file::{self, DatabaseInUse, FileState};
use crate::repository::error::DbError;
use crate::repository::migrate::{SchemaState, prepare};
use crate::repository::page_key;
use crate::repository::server_check;
use crate::repository::transaction::TransactionCounters;
use crate::repository::url::DatabaseUrl;
use crate::rpc::page::PageKey;
use crate::traces;
use crate::workers::error::WorkerError;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened, reached or checked.
    #[error("the database {url} cannot be used: {error}")]
    Database {
        /// The database, without its password when shown.
        url: DatabaseUrl,
        /// The error of the driver or of the file system.
        error: DbError,
    },
    /// The database's schema is older than this binary's. A PostgreSQL
    /// database, which several instances may share, is migrated by an operator; a SQLite database is migrated
    /// at the start and never refused for this.
    #[error(
        "the schema of {0} is older than this binary's; bring it up to date with: purchase-order-service migrate --database-url {0}"
    )]
    SchemaOlder(DatabaseUrl),
    /// The database's schema is newer than this binary's, which does not know what it would write to.
    #[error(
        "the schema of {0} is newer than this binary's: it was migrated by a later version; \
         run that version, here and with: purchase-order-service migrate"
    )]
    SchemaNewer(DatabaseUrl),
    /// A pooler stands between, and the settings and prepared statements of a session would be lost or
    /// reach other sessions.
    #[error(
        "{0} leads to a connection pooler in transaction or statement mode, which lends one server process to several \
         sessions; the service needs sessions of its own: use the pooler's session mode, or connect directly"
    )]
    SharedSessions(DatabaseUrl),
    /// The operating system refused a socket, a thread or a file.
    #[error("cannot start: {0}")]
    Io(#[from] std::io::Error),
    /// A file with keys or certificates cannot be read or parsed.
    #[error("{0}")]
    Credentials(String),
    /// Traces cannot be sent as they are configured.
    #[error(transparent)]
    Traces(traces::StartError),
    /// The reflection service cannot use the contract's descriptors: a fault of the build.
    #[error("the contract cannot be served by reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The contract's descriptors cannot be decoded to name the rpcs in metrics: a fault of the build.
    #[error("the contract's rpcs cannot be counted: {0}")]
    Descriptors(#[from] prost::DecodeError),
    /// An address beside the one of the calls cannot be listened on.
    #[error("cannot listen for {purpose} on {address}: {error}")]
    Listener {
        /// Who would call there.
        purpose: &'static str,
        /// The configured address.
        address: SocketAddr,
        /// Why the operating system refused it.
        error: std::io::Error,
    },
    /// The demo store could not be created.
    #[error("cannot create the demo store: {0}")]
    Demo(WorkerError),
}

/// What a server takes from its database before it starts.
pub(super) struct PreparedDatabase {
    /// Signs page tokens; stored in the database so that all its instances share it.
    pub(super) page_key: PageKey,
    /// Holds a SQLite database until the server closes it.
    pub(super) in_use: OpenedDatabase,
}

/// A SQLite database that is in use by a server that may still fail to start, or be stopped before it has; nothing for
/// PostgreSQL. Then it is closed again, because SQLite removes the log with the last session: a file that is marked as in
/// use would look as if it had been copied without its log.
pub(super) struct OpenedDatabase {
    in_use: Option<DatabaseInUse>,
    /// Whether its log was missing before. Such a file keeps its mark until a server has run.
    log_was_missing: bool,
}

impl OpenedDatabase {
    /// The database, for a server that runs and closes it when it stops.
    pub(super) fn keep(mut self) -> Option<DatabaseInUse> {
        self.in_use.take()
    }
}

impl Drop for OpenedDatabase {
    fn drop(&mut self) {
        if let Some(in_use) = self.in_use.take()
            && !self.log_was_missing
            && let Err(error) = in_use.close()
        {
            tracing::error!(%error, "the database was not closed: a copy of it needs its -wal file too");
        }
    }
}

/// Checks the database, migrates it if it is a SQLite file, and loads the page key.
pub(super) async fn prepare_database(
    url: &DatabaseUrl,
    counters: &Arc<TransactionCounters>,
) -> Result<PreparedDatabase, StartError> {
    let url = url.clone();
    let counters = Arc::clone(counters);
    // Diesel blocks, so this runs on a thread for blocking work.
    let prepared = tokio::task::spawn_blocking(move || prepare_blocking(url, &counters));
    prepared.await.map_err(std::io::Error::other)?
}

fn prepare_blocking(url: DatabaseUrl, counters: &Arc<TransactionCounters>) -> Result<PreparedDatabase, StartError> {
    let failed = |error| StartError::Database { url: url.clone(), error };
    let (in_use, state) = database_file::open(&url, counters).map_err(failed)?;
    // From here on it is closed when this fails.
    let in_use = OpenedDatabase { in_use, log_was_missing: state == FileState::LogMissing };
    if state == FileState::LogMissing {
        tracing::error!(
            database = %url,
            "the database was in use when it was last written, and its write-ahead log (-wal) is missing: the latest \
             changes may be lost. If this file was copied from a running service, stop, and restore a copy \
             made by `purchase-order-service backup`"
        );
    }
    let checked = server_check::check(&url, counters).map_err(failed)?;
    if checked.shares_processes {
        return Err(StartError::SharedSessions(url));
    }
    for setting in checked.unsafe_settings {
        tracing::warn!(setting, "the database server may lose what it has acknowledged when its machine fails");
    }
    match prepare(&url, counters).map_err(failed)? {
        SchemaState::Current => {
            let page_key = PageKey::new(&page_key::load(&url, counters).map_err(failed)?);
            Ok(PreparedDatabase { page_key, in_use })
        }
        SchemaState::Older(_) => Err(StartError::SchemaOlder(url)),
        SchemaState::Newer(_) => Err(StartError::SchemaNewer(url)),
    }
}
