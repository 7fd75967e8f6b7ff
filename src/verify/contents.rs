//! How much a database holds, so that an empty copy of a full database is seen to be empty, however sound
//! it is.

use std::fmt;

use diesel::sql_types::{BigInt, Nullable};

use crate::repository::error::DbError;
use crate::repository::session::Session;

/// What was counted, in one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, diesel::QueryableByName)]
pub struct Contents {
    /// How many stores there are.
    #[diesel(sql_type = BigInt)]
    pub stores: i64,
    /// How many purchase orders there are, back orders included.
    #[diesel(sql_type = BigInt)]
    pub orders: i64,
    /// How many events are retained.
    #[diesel(sql_type = BigInt)]
    pub events: i64,
    /// When the newest event was, in microseconds; none without events.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub newest: Option<i64>,
}

/// Counts what the database holds. All counts are one statement, so they are of one snapshot.
pub fn contents(session: &mut Session) -> Result<Contents, DbError> {
    let query = "SELECT (SELECT count(*) FROM store) AS stores,
                        (SELECT count(*) FROM purchase_order) AS orders,
                        (SELECT count(*) FROM event) AS events,
                        (SELECT max(last_event_time) FROM store) AS newest";
    let rows: Vec<Contents> = session.load(diesel::sql_query(query))?;
    rows.into_iter().next().ok_or_else(|| DbError::unreadable("contents", "they have no row"))
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stores, orders, events, newest } = self;
        let counted = |count: &i64, what: &str| format!("{count} {what}{}", if *count == 1 { "" } else { "s" });
        let (stores, orders) = (counted(stores, "store"), counted(orders, "purchase order"));
        write!(f, "{stores}, {orders}, {}", counted(events, "event"))?;
        match newest.and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok()) {
            Some(time) => write!(f, ", the newest at {time}"),
            None => Ok(()),
        }
    }
}
