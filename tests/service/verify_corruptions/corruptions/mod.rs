//! What is corrupted, in SQL that both databases understand. `[PO-000001]` stands for that order's id.

mod access;
mod cancellations;
mod chains;
mod counters;
mod events;
mod lines;
mod lots;
mod orders;
mod requests;
mod stock;
mod times;

use crate::support::{Engine, STORE, STORE_TABLES};

/// The violations that one check must find, each by itself.
pub struct Corruption {
    pub invariant: u8,
    pub check: &'static str,
    pub each: &'static [&'static str],
}

/// All of them.
pub fn corruptions() -> impl Iterator<Item = &'static Corruption> {
    let topics = [
        lines::CORRUPTIONS,
        chains::CORRUPTIONS,
        orders::CORRUPTIONS,
        cancellations::CORRUPTIONS,
        counters::CORRUPTIONS,
        stock::CORRUPTIONS,
        lots::CORRUPTIONS,
        events::CORRUPTIONS,
        times::CORRUPTIONS,
        requests::CORRUPTIONS,
        access::CORRUPTIONS,
    ];
    topics.into_iter().flatten()
}

/// The SQL of one corruption, with order numbers in brackets replaced by look-ups of their ids.
pub fn statements(statement: &str) -> String {
    let order = format!("(SELECT po_id FROM purchase_order WHERE store_id = '{STORE}' AND number = 'PO-");
    statement.replace("[PO-", &order).replace(']', "')")
}

/// The statements that remember every row.
pub fn keep() -> String {
    STORE_TABLES.map(|table| format!("CREATE TABLE kept_{table} AS SELECT * FROM {table};")).concat()
}

/// The statements that bring back what [`keep`] remembered.
pub fn restore() -> String {
    STORE_TABLES.map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table};")).concat()
}

/// Lets in what the schema would not. On SQLite it counts for the session that runs it.
pub const fn loosening(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "PRAGMA ignore_check_constraints = ON;
             DROP TRIGGER stock_movement_no_update;
             DROP TRIGGER stock_movement_no_delete;
             DROP INDEX purchase_order_number;
             DROP INDEX purchase_order_one_child;
             DROP INDEX purchase_order_chain_position;
             DROP INDEX event_by_order"
        }
        Engine::Postgres => {
            "DO $$
             DECLARE held record;
             BEGIN
                 FOR held IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint
                     WHERE contype = 'c' AND connamespace = current_schema()::regnamespace
                 LOOP
                     EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', held.relation, held.conname);
                 END LOOP;
             END $$;
             ALTER TABLE stock_movement DISABLE TRIGGER USER;
             DROP INDEX purchase_order_number, purchase_order_one_child, purchase_order_chain_position, event_by_order"
        }
    }
}

/// The check that must find each of [`guards`].
pub const GUARD: &str = "triggers keep the ledger's rows from being changed";

/// Holes in the ledger's guard: the only violations that each database has its own words for.
pub const fn guards(engine: Engine) -> [&'static str; 3] {
    match engine {
        Engine::Sqlite => [
            "DROP TRIGGER stock_movement_no_update",
            "DROP TRIGGER stock_movement_no_delete",
            "DROP TRIGGER stock_movement_no_delete;
             CREATE TRIGGER stock_movement_no_delete BEFORE DELETE ON stock_movement BEGIN SELECT 1; END",
        ],
        Engine::Postgres => [
            "DROP TRIGGER stock_movement_no_update ON stock_movement",
            "ALTER TABLE stock_movement DISABLE TRIGGER stock_movement_no_delete",
            "CREATE FUNCTION allow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
             DROP TRIGGER stock_movement_no_delete ON stock_movement;
             CREATE TRIGGER stock_movement_no_delete BEFORE DELETE ON stock_movement
                 FOR EACH ROW EXECUTE FUNCTION allow()",
        ],
    }
}
