//! Whether the storage of an embedded database takes more. A server's storage is its own affair.

use std::path::Path;

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

use super::url::DatabaseUrl;

/// With so much room nothing needs to be tried.
const PLENTY: u64 = 64 << 20;
/// So much must be free for writes to be worth trying: some batches, and what a checkpoint takes.
const LEAST: u64 = 2 << 20;

/// Whether there is room to write. Where little is left, the file system is asked to set aside [`LEAST`] for
/// a nameless file: that respects quotas and blocks that are reserved for root, writes no data, and leaves
/// nothing behind. It blocks, for less than a millisecond on a disk that is well.
pub fn has_room(url: &DatabaseUrl) -> bool {
    let DatabaseUrl::Sqlite(path) = url else { return true };
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // If it cannot be asked, the database's own probe tells more than this could.
    let Ok(space) = rustix::fs::statvfs(folder) else { return true };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    free >= PLENTY || can_reserve(folder).unwrap_or(free >= LEAST)
}

/// `None` where the file system cannot tell.
fn can_reserve(folder: &Path) -> Option<bool> {
    let nameless = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let reserved = rustix::fs::open(folder, nameless, Mode::RUSR | Mode::WUSR)
        .and_then(|file| rustix::fs::fallocate(file, FallocateFlags::empty(), 0, LEAST));
    match reserved {
        Ok(()) => Some(true),
        Err(Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::ROFS) => Some(false),
        Err(_) => None,
    }
}
