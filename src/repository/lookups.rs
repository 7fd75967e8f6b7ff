//! Every way in which rows are found by keys.

use diesel::sql_types::{BigInt, Integer, Text};

use super::keys::{Both, KeyPart, Lookup, Source, Written};
use super::schema;

use KeyPart::{Int, Text as Name};

/// Stores by id, without a lock.
pub struct Stores;
impl Lookup for Stores {
    type Table = schema::store::table;
    const KEY: &'static [KeyPart] = &[Name];
    const JOINS: &'static [&'static str] = &["store ON store.store_id = k.k0"];
}

/// What the roles of a store allow now.
pub struct RolesOfStore;
impl Lookup for RolesOfStore {
    type Table = schema::role_permission::table;
    const KEY: &'static [KeyPart] = &[Name];
    const JOINS: &'static [&'static str] =
        &["role_permission ON role_permission.store_id = k.k0 AND role_permission.to_event IS NULL"];
}

/// The roles that a principal holds in a store now.
pub struct GrantsOfPrincipal;
impl Lookup for GrantsOfPrincipal {
    type Table = schema::role_grant::table;
    const KEY: &'static [KeyPart] = &[Name, Name];
    const JOINS: &'static [&'static str] = &["role_grant ON role_grant.store_id = k.k0 \
        AND role_grant.principal = k.k1 AND role_grant.to_event IS NULL"];
}

/// The roles that anybody holds in a store now.
pub struct GrantsOfStore;
impl Lookup for GrantsOfStore {
    type Table = schema::role_grant::table;
    const KEY: &'static [KeyPart] = &[Name];
    const JOINS: &'static [&'static str] =
        &["role_grant ON role_grant.store_id = k.k0 AND role_grant.to_event IS NULL"];
}

/// Headers by store and order.
pub struct Orders;
impl Lookup for Orders {
    type Table = schema::purchase_order::table;
    const KEY: &'static [KeyPart] = &[Name, Name];
    const JOINS: &'static [&'static str] =
        &["purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.po_id = k.k1"];
}

/// The orders of a chain, by its original.
pub struct OrdersOfChain;
impl Lookup for OrdersOfChain {
    type Table = schema::purchase_order::table;
    const KEY: &'static [KeyPart] = &[Name, Name];
    const JOINS: &'static [&'static str] =
        &["purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.root_id = k.k1"];
}

/// Lines, each with the level of its product. Every line has one: its order's creation made it.
type LinesWithLevels = Both<schema::purchase_order_line::table, schema::inventory_level::table>;

const LEVEL_OF_LINE: &str = "inventory_level ON inventory_level.store_id = k.k0 \
     AND inventory_level.product_id = purchase_order_line.product_id";

/// All lines of an order, with their levels.
pub struct LinesOfOrder;
impl Lookup for LinesOfOrder {
    type Table = LinesWithLevels;
    const KEY: &'static [KeyPart] = &[Name, Name];
    const JOINS: &'static [&'static str] = &[
        "purchase_order_line ON purchase_order_line.store_id = k.k0 AND purchase_order_line.po_id = k.k1",
        LEVEL_OF_LINE,
    ];
}

/// Lines by store, order and number, with their levels.
pub struct Lines;
impl Lookup for Lines {
    type Table = LinesWithLevels;
    const KEY: &'static [KeyPart] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] = &[
        "purchase_order_line ON purchase_order_line.store_id = k.k0 \
         AND purchase_order_line.po_id = k.k1 AND purchase_order_line.line_number = k.k2",
        LEVEL_OF_LINE,
    ];
}

/// The lines that a receipt has items of, with their levels.
pub struct LinesOfReceipt;
impl Lookup for LinesOfReceipt {
    type Table = LinesWithLevels;
    const KEY: &'static [KeyPart] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] = &[
        "receipt_item ON receipt_item.store_id = k.k0 AND receipt_item.po_id = k.k1 \
         AND receipt_item.receipt_number = k.k2",
        "purchase_order_line ON purchase_order_line.store_id = k.k0 \
         AND purchase_order_line.po_id = receipt_item.po_id \
         AND purchase_order_line.line_number = receipt_item.line_number",
        LEVEL_OF_LINE,
    ];
}

/// Receipts by store, order and number.
pub struct Receipts;
impl Lookup for Receipts {
    type Table = schema::receipt::table;
    const KEY: &'static [KeyPart] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] =
        &["receipt ON receipt.store_id = k.k0 AND receipt.po_id = k.k1 AND receipt.receipt_number = k.k2"];
}

/// The items of receipts by store, order and number.
pub struct ItemsOfReceipt;
impl Lookup for ItemsOfReceipt {
    type Table = schema::receipt_item::table;
    const KEY: &'static [KeyPart] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] = &["receipt_item ON receipt_item.store_id = k.k0 \
        AND receipt_item.po_id = k.k1 AND receipt_item.receipt_number = k.k2"];
}

/// Selects the items of active receipts: store, order, receipt, line, `receive_time`, accepted.
pub struct StagedItemColumns;
impl Source for StagedItemColumns {
    type Columns = Written<(Text, Text, Integer, Integer, BigInt, BigInt)>;

    fn columns() -> Self::Columns {
        Written::new(
            "receipt.store_id, receipt.po_id, receipt.receipt_number, receipt_item.line_number, \
             receipt.receive_time, receipt_item.accepted",
        )
    }
}

/// The items of an order's active receipts.
pub struct StagedItems;
impl Lookup for StagedItems {
    type Table = StagedItemColumns;
    const KEY: &'static [KeyPart] = &[Name, Name];
    const JOINS: &'static [&'static str] = &[
        "receipt ON receipt.store_id = k.k0 AND receipt.po_id = k.k1 AND receipt.void_time IS NULL",
        "receipt_item ON receipt_item.store_id = k.k0 AND receipt_item.po_id = receipt.po_id \
         AND receipt_item.receipt_number = receipt.receipt_number",
    ];
}

/// Selects a line's receive times: store, order, line, first, last.
pub struct ReceiveTimeColumns;
impl Source for ReceiveTimeColumns {
    type Columns = Written<(Text, Text, Integer, Integer, BigInt, BigInt)>;

    fn columns() -> Self::Columns {
        Written::new("k.k0, k.k1, k.k2, receipt_item.line_number, min(receipt.receive_time), max(receipt.receive_time)")
    }
}

/// For each line of a receipt, between which times the order's other active receipts received it. The
/// other receipts' items are read first, and each is looked for in the receipt: reading them by line
/// would take an index that every delivery had to write.
pub struct OtherReceiveTimes;
impl Lookup for OtherReceiveTimes {
    type Table = ReceiveTimeColumns;
    const KEY: &'static [KeyPart] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] = &[
        "receipt ON receipt.store_id = k.k0 AND receipt.po_id = k.k1 AND receipt.void_time IS NULL \
         AND receipt.receipt_number <> k.k2",
        "receipt_item ON receipt_item.store_id = k.k0 AND receipt_item.po_id = receipt.po_id \
         AND receipt_item.receipt_number = receipt.receipt_number",
        "receipt_item AS mine ON mine.store_id = k.k0 AND mine.po_id = k.k1 AND mine.receipt_number = k.k2 \
         AND mine.line_number = receipt_item.line_number",
    ];
    const GROUP: &'static str = " GROUP BY k.k0, k.k1, k.k2, receipt_item.line_number";
}

/// Levels by store and product.
pub struct Levels;
impl Lookup for Levels {
    type Table = schema::inventory_level::table;
    const KEY: &'static [KeyPart] = &[Name, Name];
    const JOINS: &'static [&'static str] =
        &["inventory_level ON inventory_level.store_id = k.k0 AND inventory_level.product_id = k.k1"];
}
