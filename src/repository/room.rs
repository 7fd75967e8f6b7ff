//! Finds out whether there is room to write on the storage of a SQLite database, before a write fails for the lack of it.
//! A full disk is then reported by the probe, and reads go on. The storage of a PostgreSQL server is monitored there.

use std::path::Path;

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

use super::url::DatabaseUrl;

/// With this much free space nothing needs to be tried: 64 MiB.
const CERTAINLY_ENOUGH: u64 = 64 << 20;
/// How much must be free for writes to be worth trying: 2 MiB, for some batches and for what a checkpoint takes.
const NEEDED: u64 = 2 << 20;

/// Whether there is room to write. Where little is left, the file system is asked to reserve [`NEEDED`] bytes for a file
/// without a name. That respects quotas and the blocks that are reserved for root, writes no data, and leaves nothing
/// behind. It blocks, for less than a millisecond on a disk without faults.
pub fn has_room(url: &DatabaseUrl) -> bool {
    let DatabaseUrl::Sqlite(path) = url else { return true };
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // If the folder cannot be asked, the statement of the probe finds the fault too, and names it better.
    let Ok(space) = rustix::fs::statvfs(folder) else { return true };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    free >= CERTAINLY_ENOUGH || can_reserve(folder).unwrap_or(free >= NEEDED)
}

/// Tries to reserve space in a folder. `None` where the file system supports no such reservation.
fn can_reserve(folder: &Path) -> Option<bool> {
    let nameless = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let reserved = rustix::fs::open(folder, nameless, Mode::RUSR | Mode::WUSR)
        .and_then(|file| rustix::fs::fallocate(file, FallocateFlags::empty(), 0, NEEDED));
    match reserved {
        Ok(()) => Some(true),
        Err(Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::ROFS) => Some(false),
        Err(_) => None,
    }
}
