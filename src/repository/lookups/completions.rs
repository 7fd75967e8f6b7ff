//! The lookups of reopening an order: its back order, and what its last completion did.

use diesel::prelude::Table;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::{LEVEL_OF_LINE, LinesWithLevels, Name};
use crate::repository::keys::{KeyType, Lookup, SelectedColumns, SqlColumns};
use crate::repository::rows::order::Header;
use crate::repository::schema;

/// The join to the order that is reopened; its header names its back order.
const PARENT: &str = "purchase_order AS parent ON parent.store_id = k.k0 AND parent.po_id = k.k1";

/// The header of the back order of an order.
pub struct BackOrders;
impl Lookup for BackOrders {
    type Columns = Header;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] =
        &[PARENT, "purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.po_id = parent.child_id"];
}

/// All lines of the back order of an order, each with the level of its product.
pub struct LinesOfBackOrder;
impl Lookup for LinesOfBackOrder {
    type Columns = LinesWithLevels;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] = &[
        PARENT,
        "purchase_order_line ON purchase_order_line.store_id = k.k0 AND purchase_order_line.po_id = parent.child_id",
        LEVEL_OF_LINE,
    ];
}

/// The number of the event of an order's last completion, by the ledger rows of its completions: events are not kept for
/// ever. It is a macro because `concat!` takes literals alone.
macro_rules! last_completion {
    () => {
        "(SELECT max(posted.event_number) FROM stock_movement AS posted WHERE posted.store_id = k.k0 \
         AND posted.po_id = k.k1 AND posted.kind = 'RECEIPT')"
    };
}

/// What [`RowsOfLastCompletion`] selects: a ledger row, the average cost of its product before it, and what is on hand of
/// its lot. Either is null where there is no row in front of it, or no lot.
pub struct PostedRowColumns;
impl SelectedColumns for PostedRowColumns {
    type Columns = (
        <schema::stock_movement::table as Table>::AllColumns,
        SqlColumns<Nullable<BigInt>>,
        SqlColumns<Nullable<BigInt>>,
    );

    fn columns(store: Option<&str>) -> Self::Columns {
        let average_before = "(SELECT earlier.average_after FROM stock_movement AS earlier \
             WHERE earlier.store_id = k.k0 AND earlier.product_id = stock_movement.product_id \
             AND earlier.movement_number = stock_movement.movement_number - 1)";
        let on_hand_of_lot = "(SELECT inventory_lot.on_hand FROM inventory_lot \
             WHERE inventory_lot.store_id = k.k0 \
             AND inventory_lot.product_id = stock_movement.product_id \
             AND inventory_lot.lot_code = stock_movement.lot_code \
             AND inventory_lot.expiry_date = COALESCE(stock_movement.expiry_date, 'none'))";
        (
            schema::stock_movement::all_columns,
            SqlColumns::of_store(store, average_before),
            SqlColumns::of_store(store, on_hand_of_lot),
        )
    }
}

/// The ledger rows that the last completion of an order wrote.
pub struct RowsOfLastCompletion;
impl Lookup for RowsOfLastCompletion {
    type Columns = PostedRowColumns;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] = &[concat!(
        "stock_movement ON stock_movement.store_id = k.k0 AND stock_movement.po_id = k.k1 \
         AND stock_movement.kind = 'RECEIPT' AND stock_movement.event_number = ",
        last_completion!(),
    )];
}

/// What the last completion of an order cancelled of its lines.
pub struct CancellationsOfLastCompletion;
impl Lookup for CancellationsOfLastCompletion {
    type Columns = schema::line_cancellation::table;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] = &[concat!(
        "line_cancellation ON line_cancellation.store_id = k.k0 AND line_cancellation.po_id = k.k1 \
         AND line_cancellation.event_number = ",
        last_completion!(),
    )];
}

/// What [`OnHandInLots`] selects: store, order, product, and what is on hand of it in lots.
pub struct OnHandInLotsColumns;
impl SelectedColumns for OnHandInLotsColumns {
    type Columns = SqlColumns<(Text, Text, Text, BigInt)>;

    fn columns(store: Option<&str>) -> Self::Columns {
        // PostgreSQL returns the sum of BIGINT as NUMERIC.
        SqlColumns::of_store(
            store,
            "k.k0, k.k1, purchase_order_line.product_id, \
             (SELECT COALESCE(CAST(sum(lot.on_hand) AS bigint), 0) FROM inventory_lot AS lot \
             WHERE lot.store_id = k.k0 AND lot.product_id = purchase_order_line.product_id AND lot.on_hand > 0)",
        )
    }
}

/// For each product of an order of which something may have been received in no lot, what is on hand of it in lots. The sum
/// is a subquery of the grouped rows, so that each lot is read once, however many lines of the order are of its product.
pub struct OnHandInLots;
impl Lookup for OnHandInLots {
    type Columns = OnHandInLotsColumns;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] =
        &["purchase_order_line ON purchase_order_line.store_id = k.k0 AND purchase_order_line.po_id = k.k1 \
           AND purchase_order_line.received > 0 AND NOT purchase_order_line.lot_required"];
    const SUFFIX: &'static str = " GROUP BY k.k0, k.k1, purchase_order_line.product_id";
}
