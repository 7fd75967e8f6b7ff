//! Lookups of lists over stores: lines and headers of several stores by their keys.

use super::{Int, Name};
use crate::repository::keys::{ColumnsOfTwoTables, KeyType, Lookup};
use crate::repository::rows::order::Header;
use crate::repository::schema;

/// Headers of orders of several stores. In a session that reads, the lookup of orders by id is about one store.
pub struct OrdersOfStores;
impl Lookup for OrdersOfStores {
    type Columns = Header;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] =
        &["purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.po_id = k.k1"];
}

/// Lines by order and number, each with its order.
pub struct LinesWithHeaders;
impl Lookup for LinesWithHeaders {
    type Columns = ColumnsOfTwoTables<Header, schema::purchase_order_line::table>;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] = &[
        "purchase_order_line ON purchase_order_line.store_id = k.k0 AND purchase_order_line.po_id = k.k1 \
         AND purchase_order_line.line_number = k.k2",
        "purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.po_id = k.k1",
    ];
}
