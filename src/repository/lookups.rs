//! Every way in which rows are found by keys.

use super::keys::{KeyPart, Lookup};
use super::schema;

use KeyPart::{Int, Text};

/// Stores by id, without a lock.
pub struct Stores;
impl Lookup for Stores {
    type Table = schema::store::table;
    const KEY: &'static [KeyPart] = &[Text];
    const JOINS: &'static [&'static str] = &["store ON store.store_id = k.k0"];
}

/// First answers by store, principal and request id.
pub struct Requests;
impl Lookup for Requests {
    type Table = schema::request_record::table;
    const KEY: &'static [KeyPart] = &[Text, Text, Text];
    const JOINS: &'static [&'static str] = &["request_record ON request_record.store_id = k.k0 \
        AND request_record.principal = k.k1 AND request_record.request_id = k.k2"];
}

/// What the roles of a store allow now.
pub struct RolesOfStore;
impl Lookup for RolesOfStore {
    type Table = schema::role_permission::table;
    const KEY: &'static [KeyPart] = &[Text];
    const JOINS: &'static [&'static str] =
        &["role_permission ON role_permission.store_id = k.k0 AND role_permission.to_event IS NULL"];
}

/// The roles that a principal holds in a store now.
pub struct GrantsOfPrincipal;
impl Lookup for GrantsOfPrincipal {
    type Table = schema::role_grant::table;
    const KEY: &'static [KeyPart] = &[Text, Text];
    const JOINS: &'static [&'static str] = &["role_grant ON role_grant.store_id = k.k0 \
        AND role_grant.principal = k.k1 AND role_grant.to_event IS NULL"];
}

/// The roles that anybody holds in a store now.
pub struct GrantsOfStore;
impl Lookup for GrantsOfStore {
    type Table = schema::role_grant::table;
    const KEY: &'static [KeyPart] = &[Text];
    const JOINS: &'static [&'static str] =
        &["role_grant ON role_grant.store_id = k.k0 AND role_grant.to_event IS NULL"];
}

/// Headers by store and order.
pub struct Orders;
impl Lookup for Orders {
    type Table = schema::purchase_order::table;
    const KEY: &'static [KeyPart] = &[Text, Text];
    const JOINS: &'static [&'static str] =
        &["purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.po_id = k.k1"];
}

/// The orders of a chain, by its original.
pub struct OrdersOfChain;
impl Lookup for OrdersOfChain {
    type Table = schema::purchase_order::table;
    const KEY: &'static [KeyPart] = &[Text, Text];
    const JOINS: &'static [&'static str] =
        &["purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.root_id = k.k1"];
}

/// All lines of an order.
pub struct LinesOfOrder;
impl Lookup for LinesOfOrder {
    type Table = schema::purchase_order_line::table;
    const KEY: &'static [KeyPart] = &[Text, Text];
    const JOINS: &'static [&'static str] =
        &["purchase_order_line ON purchase_order_line.store_id = k.k0 AND purchase_order_line.po_id = k.k1"];
}

/// Lines by store, order and number.
pub struct Lines;
impl Lookup for Lines {
    type Table = schema::purchase_order_line::table;
    const KEY: &'static [KeyPart] = &[Text, Text, Int];
    const JOINS: &'static [&'static str] = &["purchase_order_line ON purchase_order_line.store_id = k.k0 \
        AND purchase_order_line.po_id = k.k1 AND purchase_order_line.line_number = k.k2"];
}

/// The lines that a receipt has items of.
pub struct LinesOfReceipt;
impl Lookup for LinesOfReceipt {
    type Table = schema::purchase_order_line::table;
    const KEY: &'static [KeyPart] = &[Text, Text, Int];
    const JOINS: &'static [&'static str] = &[
        "receipt_item ON receipt_item.store_id = k.k0 AND receipt_item.po_id = k.k1 \
         AND receipt_item.receipt_number = k.k2",
        "purchase_order_line ON purchase_order_line.store_id = receipt_item.store_id \
         AND purchase_order_line.po_id = receipt_item.po_id \
         AND purchase_order_line.line_number = receipt_item.line_number",
    ];
}

/// Receipts by store, order and number.
pub struct Receipts;
impl Lookup for Receipts {
    type Table = schema::receipt::table;
    const KEY: &'static [KeyPart] = &[Text, Text, Int];
    const JOINS: &'static [&'static str] =
        &["receipt ON receipt.store_id = k.k0 AND receipt.po_id = k.k1 AND receipt.receipt_number = k.k2"];
}

/// The items of receipts by store, order and number.
pub struct ItemsOfReceipt;
impl Lookup for ItemsOfReceipt {
    type Table = schema::receipt_item::table;
    const KEY: &'static [KeyPart] = &[Text, Text, Int];
    const JOINS: &'static [&'static str] = &["receipt_item ON receipt_item.store_id = k.k0 \
        AND receipt_item.po_id = k.k1 AND receipt_item.receipt_number = k.k2"];
}

/// The standing receipts of an order.
pub struct StandingReceipts;
impl Lookup for StandingReceipts {
    type Table = schema::receipt::table;
    const KEY: &'static [KeyPart] = &[Text, Text];
    const JOINS: &'static [&'static str] =
        &["receipt ON receipt.store_id = k.k0 AND receipt.po_id = k.k1 AND receipt.void_time IS NULL"];
}

/// The items of an order's standing receipts.
pub struct StandingItems;
impl Lookup for StandingItems {
    type Table = schema::receipt_item::table;
    const KEY: &'static [KeyPart] = &[Text, Text];
    const JOINS: &'static [&'static str] = &[
        "receipt ON receipt.store_id = k.k0 AND receipt.po_id = k.k1 AND receipt.void_time IS NULL",
        "receipt_item ON receipt_item.store_id = receipt.store_id AND receipt_item.po_id = receipt.po_id \
         AND receipt_item.receipt_number = receipt.receipt_number",
    ];
}

/// Levels by store and product.
pub struct Levels;
impl Lookup for Levels {
    type Table = schema::inventory_level::table;
    const KEY: &'static [KeyPart] = &[Text, Text];
    const JOINS: &'static [&'static str] =
        &["inventory_level ON inventory_level.store_id = k.k0 AND inventory_level.product_id = k.k1"];
}
