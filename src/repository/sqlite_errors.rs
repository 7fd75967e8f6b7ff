//! Finds the kind of a SQLite error. Except for constraints, Diesel passes on the text of an error and not its result
//! code. For the codes below, the text is that of `sqlite3_errstr` and nothing else, in every locale, because SQLite
//! writes a text of its own only for errors in a statement. So the text is compared with what the linked SQLite returns
//! for each code; no wording is copied into this code, where it could become outdated.

use libsqlite3_sys as ffi;

use super::error::DbErrorKind;

/// The primary result codes that somebody reacts to. An extended code has the text of its primary code.
const CODES: [(i32, DbErrorKind); 7] = [
    (ffi::SQLITE_BUSY, DbErrorKind::Busy),
    (ffi::SQLITE_LOCKED, DbErrorKind::Busy),
    (ffi::SQLITE_PROTOCOL, DbErrorKind::Busy),
    (ffi::SQLITE_FULL, DbErrorKind::StorageFull),
    (ffi::SQLITE_IOERR, DbErrorKind::StorageFailed),
    // The file or its folder was removed or made read-only. A new connection may find it repaired.
    (ffi::SQLITE_CANTOPEN, DbErrorKind::Lost),
    (ffi::SQLITE_READONLY, DbErrorKind::Lost),
];

/// The kind of an error by its text; `None` if nobody reacts to it differently.
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
