//! What is checked once for the database as a whole: that the ledger is guarded, and that nothing
//! belongs to a store that is not there, which no check of a store would see.

use diesel::sql_types::Text;

use super::finding::Finding;
use crate::repository::dialect::ledger_triggers;
use crate::repository::error::DbError;
use crate::repository::session::Session;

const GUARD: (u8, &str) = (5, "the ledger's rows are immutable by trigger");
const STRAY: (u8, &str) = (13, "whatever names a store is of one that exists");

/// The checks made here.
pub(super) const TITLES: [(u8, &str); 2] = [GUARD, STRAY];

/// The triggers that must be in force.
const TRIGGERS: [&str; 2] = ["stock_movement_no_delete", "stock_movement_no_update"];

/// Each key leads with `store_id`, so each of these reads an index.
const STRAYS: &str = "
    WITH named AS (
        SELECT 'role_permission' AS name, store_id FROM role_permission
        UNION SELECT 'role_grant', store_id FROM role_grant
        UNION SELECT 'purchase_order', store_id FROM purchase_order
        UNION SELECT 'purchase_order_line', store_id FROM purchase_order_line
        UNION SELECT 'receipt', store_id FROM receipt
        UNION SELECT 'receipt_item', store_id FROM receipt_item
        UNION SELECT 'inventory_level', store_id FROM inventory_level
        UNION SELECT 'stock_movement', store_id FROM stock_movement
        UNION SELECT 'event', store_id FROM event
        UNION SELECT 'stored_response', store_id FROM stored_response
    )
    SELECT n.name || ' has rows of ' || n.store_id || ', which is no store' AS name
    FROM named n LEFT JOIN store s ON s.store_id = n.store_id
    WHERE s.store_id IS NULL
    ORDER BY 1 LIMIT 100";

#[derive(diesel::QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
}

/// What is wrong with the database as a whole.
pub(super) fn findings(session: &mut Session) -> Result<Vec<Finding>, DbError> {
    let triggers = names(session, ledger_triggers(session))?;
    let missing = TRIGGERS.into_iter().filter(|trigger| !triggers.iter().any(|name| name == trigger));
    let missing = missing.map(|trigger| format!("the trigger {trigger} does not guard the stock ledger"));
    let mut findings: Vec<Finding> = missing.map(|detail| finding(GUARD, detail)).collect();
    findings.extend(names(session, STRAYS)?.into_iter().map(|detail| finding(STRAY, detail)));
    Ok(findings)
}

fn names(session: &mut Session, query: &str) -> Result<Vec<String>, DbError> {
    let rows: Vec<Named> = session.load(diesel::sql_query(query))?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

fn finding((invariant, title): (u8, &'static str), detail: String) -> Finding {
    Finding { store: String::new(), invariant, title, detail }
}
