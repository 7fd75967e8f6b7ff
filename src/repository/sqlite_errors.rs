//! What SQLite's errors mean. Diesel hands on the text of an error and not its result code, except for
//! constraints. For the codes below the text is `sqlite3_errstr` of the code and nothing else, in every
//! locale, because SQLite sets a text of its own only for errors in a statement. So the text is compared
//! with what the linked SQLite itself says for each code, and no wording is copied into this code.

use libsqlite3_sys as ffi;

use super::error::DbErrorKind;

/// Primary result codes that somebody reacts to. Extended codes have the text of their primary one.
const CODES: [(i32, DbErrorKind); 7] = [
    (ffi::SQLITE_BUSY, DbErrorKind::Busy),
    (ffi::SQLITE_LOCKED, DbErrorKind::Busy),
    (ffi::SQLITE_PROTOCOL, DbErrorKind::Busy),
    (ffi::SQLITE_FULL, DbErrorKind::StorageFull),
    (ffi::SQLITE_IOERR, DbErrorKind::StorageFailed),
    // The file or its folder was taken away or made read-only: another connection may find it mended.
    (ffi::SQLITE_CANTOPEN, DbErrorKind::Lost),
    (ffi::SQLITE_READONLY, DbErrorKind::Lost),
];

/// The kind of an error by its text; `None` if it is none of SQLite's that matter.
pub(super) fn kind_of(message: &str) -> Option<DbErrorKind> {
    CODES.into_iter().find(|(code, _)| ffi::code_to_str(*code) == message).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_the_code_that_it_belongs_to() {
        let cases = [
            (ffi::SQLITE_BUSY_SNAPSHOT, Some(DbErrorKind::Busy)),
            (ffi::SQLITE_FULL, Some(DbErrorKind::StorageFull)),
            (ffi::SQLITE_IOERR_FSYNC, Some(DbErrorKind::StorageFailed)),
            (ffi::SQLITE_IOERR_SHMSIZE, Some(DbErrorKind::StorageFailed)),
            (ffi::SQLITE_READONLY, Some(DbErrorKind::Lost)),
            (ffi::SQLITE_CORRUPT, None),
            (ffi::SQLITE_ERROR, None),
        ];
        for (code, kind) in cases {
            assert_eq!(kind_of(ffi::code_to_str(code)), kind, "{code}");
        }
    }
}
