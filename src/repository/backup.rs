//! Copies of an embedded database, and putting one in its place. A copy appears under its name whole or not
//! at all, and nothing is ever overwritten or deleted but what was made here.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use diesel::sql_types::{BigInt, Text};

use super::database_file::{Found, beside, inspect, lock_to_replace, mark_closed};
use super::dialect::Purpose;
use super::error::{DbError, DbErrorKind};
use super::session::Session;
use super::url::DatabaseUrl;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// A copy that is not under its name yet: removed, unless it gets there.
pub struct Copy {
    path: String,
}

#[derive(diesel::QueryableByName)]
struct Size {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

/// The path of an embedded database; an error that says what to use for a server's.
pub fn path_of(url: &DatabaseUrl) -> Result<&str, DbError> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(path),
        DatabaseUrl::Postgres(_) => {
            Err(failed("this command is for SQLite; PostgreSQL is backed up by pg_dump and restored by pg_restore"))
        }
    }
}

/// Copies a database, which may be in use, beside `target`. It reads one snapshot, so it ends however much is
/// written meanwhile; the write-ahead log grows until then. `progress` is told how many bytes are copied, of
/// how many.
pub fn copy(url: &DatabaseUrl, target: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Copy, DbError> {
    path_of(url)?;
    if target.symlink_metadata().is_ok() {
        return Err(failed(format_args!("{} exists; name a file that does not", target.display())));
    }
    let copy = Copy::beside(target)?;
    let (in_use, found) = inspect(url)?;
    if found == Found::WithoutLog {
        return Err(failed(format_args!("{url} lacks its write-ahead log (-wal); a copy would hide that")));
    }
    let mut session = Session::connect(url, Purpose::Inspect, None)?;
    let query = "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size";
    let size: Vec<Size> = session.load(diesel::sql_query(query))?;
    let of = size.first().map_or(0, |size| size.bytes.unsigned_abs());
    let vacuum = diesel::sql_query("VACUUM INTO $1").bind::<Text, _>(copy.path.clone());
    thread::scope(|scope| {
        let copying = scope.spawn(|| session.execute(vacuum));
        while !copying.is_finished() {
            progress(fs::metadata(&copy.path).map_or(0, |file| file.len()).min(of), of);
            thread::sleep(TELL_EVERY);
        }
        copying.join().map_err(|_| failed("the copying thread panicked"))?
    })?;
    copy.close()?;
    drop(session);
    if let Some(in_use) = in_use {
        in_use.close()?;
    }
    Ok(copy)
}

/// Copies a backup to beside the database that it is to replace.
pub fn copy_back(backup: &Path, url: &DatabaseUrl) -> Result<Copy, DbError> {
    let database = path_of(url)?;
    let text = backup.display().to_string();
    let log = fs::metadata(beside(&text, "-wal")).map_or(0, |log| log.len());
    if log > 0 {
        return Err(failed(format_args!(
            "{text} has a -wal beside it, so it was in use: make a copy of it by `backup`"
        )));
    }
    let copy = Copy::beside(Path::new(database))?;
    fs::copy(backup, &copy.path).map_err(|error| failed(format_args!("{text}: {error}")))?;
    Ok(copy)
}

impl Copy {
    fn beside(target: &Path) -> Result<Self, DbError> {
        let copy = Self { path: format!("{}.unfinished-{}", target.display(), std::process::id()) };
        match Path::new(&copy.path).symlink_metadata() {
            Err(_) => Ok(copy),
            Ok(_) => {
                let path = copy.path.clone();
                std::mem::forget(copy);
                Err(failed(format_args!("{path} is left from a copy that was not finished; remove it")))
            }
        }
    }

    /// Where it is, to be verified.
    pub fn url(&self) -> DatabaseUrl {
        DatabaseUrl::Sqlite(self.path.clone())
    }

    /// Makes one file of it that is whole and says so.
    pub fn close(&self) -> Result<(), DbError> {
        let mut session = Session::connect(&self.url(), Purpose::Operate, None)?;
        if !mark_closed(&mut session)? {
            return Err(failed(format_args!("{} is used by somebody else", self.path)));
        }
        drop(session);
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(|error| told(&self.path, &error))
    }

    /// Puts it under its name, unless something is there.
    pub fn publish(self, target: &Path) -> Result<(), DbError> {
        let name = target.display().to_string();
        // Unlike a rename, a link never replaces what somebody has put there meanwhile.
        fs::hard_link(&self.path, target).map_err(|error| told(&name, &error))?;
        fs::remove_file(&self.path).map_err(|error| told(&self.path, &error))?;
        sync_folder_of(target)
    }

    /// Puts it in the place of a database that nobody uses; under which names the old files are kept. The log
    /// goes first: if this stops halfway, what is left says that its log is missing.
    pub fn replace(self, replaced: Unused<'_>, stamp: &str) -> Result<Vec<PathBuf>, DbError> {
        let path = replaced.path;
        let mut kept = Vec::new();
        for suffix in ["-wal", "-shm", ""] {
            let old = beside(path, suffix);
            if old.exists() {
                let name = beside(&format!("{path}.replaced-{stamp}"), suffix);
                fs::rename(&old, &name).map_err(|error| told(&old.display().to_string(), &error))?;
                kept.push(name);
            }
        }
        sync_folder_of(Path::new(path))?;
        self.publish(Path::new(path))?;
        // Held until here, and of no more use.
        let _ = fs::remove_file(beside(path, ".lock"));
        Ok(kept)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal", ".lock"] {
            // What was never made, or got its name, is not there.
            let _ = fs::remove_file(beside(&self.path, suffix));
        }
    }
}

/// A database that no service uses, and that none begins to use as long as this is held.
pub struct Unused<'p> {
    path: &'p str,
    _lock: File,
}

/// Sees to it that nobody uses a database; an error if somebody does.
pub fn unused(url: &DatabaseUrl) -> Result<Unused<'_>, DbError> {
    let path = path_of(url)?;
    match lock_to_replace(path)? {
        Some(lock) => Ok(Unused { path, _lock: lock }),
        None => Err(DbError::new(DbErrorKind::Busy, format!("{path} is in use: stop the service first"))),
    }
}

fn sync_folder_of(file: &Path) -> Result<(), DbError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| told(&folder.display().to_string(), &error))
}

fn told(path: &str, error: &std::io::Error) -> DbError {
    failed(format_args!("{path}: {error}"))
}

fn failed(detail: impl ToString) -> DbError {
    DbError::new(DbErrorKind::Other, detail.to_string())
}
