//! Copies a SQLite database, and puts a copy in the place of one.
//!
//! A copy appears under its final name complete or not at all: it is made under another name beside it, verified by the
//! caller, and renamed at the end. Nothing is overwritten, and nothing is deleted but what was created here; the files of
//! a replaced database are kept under another name.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use diesel::sql_types::{BigInt, Text};

use super::database_file::{FileState, beside, inspect, lock_to_replace, mark_closed};
use super::dialect::Purpose;
use super::error::{DbError, DbErrorKind};
use super::session::Session;
use super::transaction::TransactionName;
use super::url::DatabaseUrl;

/// The time between two reports of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// A copy that does not have its final name yet. Its files are removed when this is dropped, unless it got there.
pub struct UnfinishedCopy {
    path: String,
}

#[derive(diesel::QueryableByName)]
struct Size {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

/// The path of a SQLite database. For PostgreSQL, an error that names the programs to use instead.
pub fn path_of(url: &DatabaseUrl) -> Result<&str, DbError> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(path),
        DatabaseUrl::Postgres(_) => {
            Err(failed("this command is for SQLite; PostgreSQL is backed up by pg_dump and restored by pg_restore"))
        }
    }
}

/// Copies a database, which may be in use, to a file beside `target`. It reads one snapshot: however much is written
/// meanwhile, the copy is of one state and comes to an end. Until then the write-ahead log cannot be shortened.
/// `progress` is called with how many bytes are copied and how many there are.
pub fn copy(url: &DatabaseUrl, target: &Path, mut progress: impl FnMut(u64, u64)) -> Result<UnfinishedCopy, DbError> {
    path_of(url)?;
    if target.symlink_metadata().is_ok() {
        return Err(failed(format_args!("{} exists; name a file that does not", target.display())));
    }
    let copy = UnfinishedCopy::beside(target)?;
    let (in_use, state) = inspect(url)?;
    // The copy would be marked as closed, and nobody could see any more that the latest changes may be missing.
    if state == FileState::LogMissing {
        return Err(failed(format_args!("{url} lacks its write-ahead log (-wal); a copy would hide that")));
    }
    let mut session = Session::connect(url, Purpose::Inspect, None)?;
    let query = "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size";
    let sizes: Vec<Size> =
        session.autocommit(TransactionName::Backup, |session| session.load(diesel::sql_query(query)))?;
    let size = sizes.first().ok_or_else(|| DbError::unreadable("page_count", "it has no row"))?.bytes.unsigned_abs();
    // VACUUM INTO reads one snapshot, leaves out free pages, and refuses to write to a file that has content.
    let vacuum = diesel::sql_query("VACUUM INTO $1").bind::<Text, _>(copy.path.clone());
    thread::scope(|scope| {
        let copying = scope.spawn(|| session.autocommit(TransactionName::Backup, |session| session.execute(vacuum)));
        while !copying.is_finished() {
            // The file does not exist at first, and its size is only shown: an error here is no reason to stop.
            let copied = fs::metadata(&copy.path).map_or(0, |file| file.len());
            progress(copied.min(size), size);
            thread::sleep(PROGRESS_INTERVAL);
        }
        copying.join().map_err(|_| failed("the copying thread panicked"))?
    })?;
    copy.close()?;
    // The use of the database can be ended only when no other session of this process is open.
    drop(session);
    if let Some(in_use) = in_use {
        in_use.close()?;
    }
    Ok(copy)
}

/// Copies a backup to a file beside the database that it is to replace, so that the replacement is a rename within one
/// file system, and the backup itself is never opened by SQLite.
pub fn copy_backup(backup: &Path, url: &DatabaseUrl) -> Result<UnfinishedCopy, DbError> {
    let database = path_of(url)?;
    let backup_path = backup.display().to_string();
    // A log with content belongs to a database that is, or was, in use. `fs::copy` would leave it behind.
    let log_length = match fs::metadata(beside(&backup_path, "-wal")) {
        Ok(log) => log.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(file_error(&backup_path, &error)),
    };
    if log_length > 0 {
        return Err(failed(format_args!(
            "{backup_path} has a -wal beside it, so it was in use: make a copy of it by `backup`"
        )));
    }
    let copy = UnfinishedCopy::beside(Path::new(database))?;
    fs::copy(backup, &copy.path).map_err(|error| file_error(&backup_path, &error))?;
    Ok(copy)
}

impl UnfinishedCopy {
    /// Chooses the name under which a copy is made. A file that already has it is not this process's, and is kept.
    fn beside(target: &Path) -> Result<Self, DbError> {
        let path = format!("{}.unfinished-{}", target.display(), std::process::id());
        // `symlink_metadata` also finds a link that leads nowhere, through which SQLite would write somewhere else.
        if Path::new(&path).symlink_metadata().is_ok() {
            return Err(failed(format_args!("{path} is left from a copy that was not finished; remove it")));
        }
        Ok(Self { path })
    }

    /// The URL under which it can be verified before it gets its final name.
    pub fn url(&self) -> DatabaseUrl {
        DatabaseUrl::Sqlite(self.path.clone())
    }

    /// Moves its log into the file, marks the file as closed and has it written to the disk. Verification opens the copy,
    /// so this comes after it.
    pub fn close(&self) -> Result<(), DbError> {
        let mut session = Session::connect(&self.url(), Purpose::Operate, None)?;
        if !mark_closed(&mut session)? {
            return Err(failed(format_args!("{} is used by somebody else", self.path)));
        }
        drop(session);
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(|error| file_error(&self.path, &error))
    }

    /// Gives it its final name, unless a file has that name.
    pub fn publish(self, target: &Path) -> Result<(), DbError> {
        // Unlike a rename, a hard link fails if somebody has created a file with that name meanwhile.
        fs::hard_link(&self.path, target).map_err(|error| file_error(&target.display().to_string(), &error))?;
        fs::remove_file(&self.path).map_err(|error| file_error(&self.path, &error))?;
        sync_folder_of(target)
    }

    /// Puts it in the place of a database that nobody uses, and returns the names under which the old files are kept.
    pub fn replace(self, replaced: ExclusiveLock<'_>, stamp: &str) -> Result<Vec<PathBuf>, DbError> {
        let path = replaced.path;
        let mut kept = Vec::new();
        // The log is moved first. If this stops halfway, a database that was in use has no log beside it, which the next
        // start reports. The other way round the new file could meet the log of the old one, which would corrupt it.
        for suffix in ["-wal", "-shm", ""] {
            let old = beside(path, suffix);
            if old.exists() {
                let name = beside(&format!("{path}.replaced-{stamp}"), suffix);
                fs::rename(&old, &name).map_err(|error| file_error(&old.display().to_string(), &error))?;
                kept.push(name);
            }
        }
        // The old files must be out of the way on the disk too before the new one appears, or a crash of the machine could
        // bring the old log back beside it.
        sync_folder_of(Path::new(path))?;
        self.publish(Path::new(path))?;
        // While the lock is still held; `database_file` has the reason why that is safe.
        let _ = fs::remove_file(beside(path, ".lock"));
        Ok(kept)
    }
}

impl Drop for UnfinishedCopy {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal", ".lock"] {
            // An error means that the file was never created, or has got its final name.
            let _ = fs::remove_file(beside(&self.path, suffix));
        }
    }
}

/// The exclusive lock of a SQLite database: no service uses the database, and none can begin to while this is held.
pub struct ExclusiveLock<'p> {
    path: &'p str,
    /// Closing the file frees the lock.
    _file: File,
}

/// Takes the exclusive lock of a SQLite database; an error if somebody uses the database.
pub fn lock_exclusively(url: &DatabaseUrl) -> Result<ExclusiveLock<'_>, DbError> {
    let path = path_of(url)?;
    match lock_to_replace(path)? {
        Some(file) => Ok(ExclusiveLock { path, _file: file }),
        None => Err(DbError::new(DbErrorKind::Busy, format!("{path} is in use: stop the service first"))),
    }
}

/// Has the folder of a file written to the disk: a rename or a link survives a crash of the machine only after that.
fn sync_folder_of(file: &Path) -> Result<(), DbError> {
    // The parent of a bare file name is the empty path, which cannot be opened.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| file_error(&folder.display().to_string(), &error))
}

fn file_error(path: &str, error: &std::io::Error) -> DbError {
    failed(format_args!("{path}: {error}"))
}

fn failed(detail: impl ToString) -> DbError {
    DbError::new(DbErrorKind::Other, detail.to_string())
}
