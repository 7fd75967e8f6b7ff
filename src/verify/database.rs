//! What is checked once for the database as a whole.
//!
//! The triggers that protect the stock ledger belong to no store. And rows of a store that does not exist would be
//! found by no check of a store, because those run for the stores in the table `store` alone.

use diesel::sql_types::Text;

use super::finding::Finding;
use crate::repository::dialect::ledger_triggers;
use crate::repository::error::DbError;
use crate::repository::session::Session;

/// The check that both triggers are there and enabled.
const LEDGER_TRIGGERS: (u8, &str) = (5, "triggers keep the ledger's rows from being changed");
/// The check that no row belongs to a store without a row in `store`. There are no foreign keys that would see to it.
const UNKNOWN_STORE: (u8, &str) = (13, "every row belongs to a store that exists");

/// The invariant and title of each check that is made here.
pub(super) const TITLES: [(u8, &str); 2] = [LEDGER_TRIGGERS, UNKNOWN_STORE];

/// The triggers that must be enabled: the ledger is append-only for every client of the database, not for the
/// service alone.
const TRIGGERS: [&str; 2] = ["stock_movement_no_delete", "stock_movement_no_update"];

/// `named` is every store's id that occurs in any table. Each primary key leads with `store_id`, so each of these
/// SELECTs reads an index only.
const ROWS_OF_UNKNOWN_STORES: &str = "
    WITH named AS (
        SELECT 'role_permission' AS name, store_id FROM role_permission
        UNION SELECT 'role_grant', store_id FROM role_grant
        UNION SELECT 'purchase_order', store_id FROM purchase_order
        UNION SELECT 'purchase_order_line', store_id FROM purchase_order_line
        UNION SELECT 'line_cancellation', store_id FROM line_cancellation
        UNION SELECT 'receipt', store_id FROM receipt
        UNION SELECT 'receipt_item', store_id FROM receipt_item
        UNION SELECT 'receipt_lot', store_id FROM receipt_lot
        UNION SELECT 'inventory_level', store_id FROM inventory_level
        UNION SELECT 'inventory_lot', store_id FROM inventory_lot
        UNION SELECT 'stock_movement', store_id FROM stock_movement
        UNION SELECT 'event', store_id FROM event
        UNION SELECT 'stored_response', store_id FROM stored_response
    )
    SELECT n.name || ' has rows of the store ' || n.store_id || ', which does not exist' AS name
    FROM named n LEFT JOIN store s ON s.store_id = n.store_id
    WHERE s.store_id IS NULL
    ORDER BY 1 LIMIT 100";

/// A row with one text: the name of a trigger, or a sentence about rows of an unknown store.
#[derive(diesel::QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
}

/// What is wrong with the database as a whole, as findings that name no store.
pub(super) fn findings(session: &mut Session) -> Result<Vec<Finding>, DbError> {
    let triggers = names(session, ledger_triggers(session))?;
    let mut findings = Vec::new();
    for trigger in TRIGGERS {
        if !triggers.iter().any(|name| name == trigger) {
            let detail = format!("the trigger {trigger} of the stock ledger is missing, disabled or changed");
            findings.push(finding(LEDGER_TRIGGERS, detail));
        }
    }
    for detail in names(session, ROWS_OF_UNKNOWN_STORES)? {
        findings.push(finding(UNKNOWN_STORE, detail));
    }
    Ok(findings)
}

fn names(session: &mut Session, query: &str) -> Result<Vec<String>, DbError> {
    let rows: Vec<Named> = session.load(diesel::sql_query(query))?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

fn finding((invariant, title): (u8, &'static str), detail: String) -> Finding {
    Finding { store: String::new(), invariant, title, detail }
}
