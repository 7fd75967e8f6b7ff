//! Every lookup of rows by keys: its types of keys and its joins.
//!
//! What each keeps to: the store comes first, every join compares it and then a prefix of the table's primary key or of
//! an index, so that the time a lookup takes depends on its keys and the rows that it finds, and not on how much is
//! stored. Joins lead from the keys themselves, so no lookup waits for what another one has found.

pub mod completions;
pub mod outstanding;

use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use super::keys::{ColumnsOfThreeTables, ColumnsOfTwoTables, KeyType, Lookup, SelectedColumns, SqlColumns};
use super::rows::order::Header;
use super::schema;

use KeyType::{Int, Text as Name};

/// Stores by id. It takes no lock and waits for none, so it also sees stores that another transaction has locked.
pub struct Stores;
impl Lookup for Stores {
    type Columns = schema::store::table;
    const KEY_TYPES: &'static [KeyType] = &[Name];
    const JOINS: &'static [&'static str] = &["store ON store.store_id = k.k0"];
}

/// The permissions of all roles of a store that hold now: the validity period has no end yet.
pub struct RolesOfStore;
impl Lookup for RolesOfStore {
    type Columns = schema::role_permission::table;
    const KEY_TYPES: &'static [KeyType] = &[Name];
    const JOINS: &'static [&'static str] =
        &["role_permission ON role_permission.store_id = k.k0 AND role_permission.to_event IS NULL"];
}

/// The grants of one principal in a store that hold now.
pub struct GrantsOfPrincipal;
impl Lookup for GrantsOfPrincipal {
    type Columns = schema::role_grant::table;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] = &["role_grant ON role_grant.store_id = k.k0 \
        AND role_grant.principal = k.k1 AND role_grant.to_event IS NULL"];
}

/// The grants of all principals in a store that hold now.
pub struct GrantsOfStore;
impl Lookup for GrantsOfStore {
    type Columns = schema::role_grant::table;
    const KEY_TYPES: &'static [KeyType] = &[Name];
    const JOINS: &'static [&'static str] =
        &["role_grant ON role_grant.store_id = k.k0 AND role_grant.to_event IS NULL"];
}

/// Headers of orders by the order's id.
pub struct Orders;
impl Lookup for Orders {
    type Columns = Header;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] =
        &["purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.po_id = k.k1"];
}

/// The headers of a whole chain by the id of its original: the original itself is one of them, and so are back orders that
/// were folded back.
pub struct OrdersOfChain;
impl Lookup for OrdersOfChain {
    type Columns = Header;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] =
        &["purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.root_id = k.k1"];
}

/// Lines, each with the inventory level of its product. The inner join loses no line: the transaction that creates a line
/// creates the level of its product too, and levels are never deleted.
type LinesWithLevels = ColumnsOfTwoTables<schema::purchase_order_line::table, schema::inventory_level::table>;

/// The join from a line to the level of its product; it follows the join to the line.
const LEVEL_OF_LINE: &str = "inventory_level ON inventory_level.store_id = k.k0 \
     AND inventory_level.product_id = purchase_order_line.product_id";

/// All lines of an order, each with the level of its product.
pub struct LinesOfOrder;
impl Lookup for LinesOfOrder {
    type Columns = LinesWithLevels;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] = &[
        "purchase_order_line ON purchase_order_line.store_id = k.k0 AND purchase_order_line.po_id = k.k1",
        LEVEL_OF_LINE,
    ];
}

/// Lines by order and line number, each with the level of its product.
pub struct Lines;
impl Lookup for Lines {
    type Columns = LinesWithLevels;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] = &[
        "purchase_order_line ON purchase_order_line.store_id = k.k0 \
         AND purchase_order_line.po_id = k.k1 AND purchase_order_line.line_number = k.k2",
        LEVEL_OF_LINE,
    ];
}

/// The orders of the chain that an order is of. The indexes by product and bar code have no lines that are carried over;
/// such a line is found by the order of its chain on which it first stands, and keeps its number. Without an index, a
/// delivery that names every product of a large order would read all its lines once for each.
const ORDER: &str = "purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.po_id = k.k1";
const ORDERS_BEFORE: &str = "purchase_order AS bearing ON bearing.store_id = k.k0 AND bearing.root_id = purchase_order.root_id AND NOT bearing.folded_back";
const LINE_OF_ORDER: &str = "purchase_order_line ON purchase_order_line.store_id = k.k0 \
     AND purchase_order_line.po_id = k.k1 AND purchase_order_line.line_number = named.line_number";

/// The lines of an order that are of a product, each with the level of that product.
pub struct LinesOfProduct;
impl Lookup for LinesOfProduct {
    type Columns = LinesWithLevels;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Name];
    const JOINS: &'static [&'static str] = &[
        ORDER,
        ORDERS_BEFORE,
        "purchase_order_line AS named ON named.store_id = k.k0 AND named.product_id = k.k2 \
         AND named.po_id = bearing.po_id AND NOT named.carried_over",
        LINE_OF_ORDER,
        LEVEL_OF_LINE,
    ];
}

/// The same by the number under the bar code, without its leading zeros.
pub struct LinesOfGtin;
impl Lookup for LinesOfGtin {
    type Columns = LinesWithLevels;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Name];
    const JOINS: &'static [&'static str] = &[
        ORDER,
        ORDERS_BEFORE,
        "purchase_order_line AS named ON named.store_id = k.k0 AND ltrim(named.gtin, '0') = k.k2 \
         AND named.po_id = bearing.po_id AND named.gtin IS NOT NULL AND NOT named.carried_over",
        LINE_OF_ORDER,
        LEVEL_OF_LINE,
    ];
}

/// Lines, each with its order and the level of its product.
pub type LinesWithOrders =
    ColumnsOfThreeTables<Header, schema::purchase_order_line::table, schema::inventory_level::table>;

/// The orders of a supplier that can be received, in the chain of a line's order, and the line of the same number on
/// them. The index by product has no lines that were carried over to a back order; their chain leads to them, in which a
/// line keeps its number.
const CHAIN_OF_LINE: &str = "purchase_order AS bearing ON bearing.store_id = k.k0 AND bearing.po_id = named.po_id";
const RECEIVABLE_ORDER: &str = "purchase_order ON purchase_order.store_id = k.k0 \
     AND purchase_order.root_id = bearing.root_id AND purchase_order.supplier_id = k.k1 \
     AND purchase_order.state IN ('ON_ORDER', 'RECEIVING') AND NOT purchase_order.folded_back";
const LIVE_ORDER: &str = "purchase_order ON purchase_order.store_id = k.k0 \
     AND purchase_order.root_id = bearing.root_id AND purchase_order.state IN ('ON_ORDER', 'RECEIVING') AND NOT purchase_order.folded_back";
const RECEIVABLE_LINE: &str = "purchase_order_line ON purchase_order_line.store_id = k.k0 \
     AND purchase_order_line.po_id = purchase_order.po_id AND purchase_order_line.line_number = named.line_number";
/// One more than a delivery looks through, so that more than that is noticed.
const CANDIDATE_LIMIT: &str = " LIMIT 1001";

/// The lines of a product on the orders of a supplier that can be received. The limit is for one store: with several in
/// one statement, the lines of one would leave no room for those of another.
pub struct ReceivableLinesOfProduct;
impl Lookup for ReceivableLinesOfProduct {
    type Columns = LinesWithOrders;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Name];
    const JOINS: &'static [&'static str] = &[
        "purchase_order_line AS named ON named.store_id = k.k0 AND named.product_id = k.k2 AND NOT named.carried_over",
        CHAIN_OF_LINE,
        RECEIVABLE_ORDER,
        RECEIVABLE_LINE,
        LEVEL_OF_LINE,
    ];
    const SUFFIX: &'static str = CANDIDATE_LIMIT;
}

/// The same by the number under the bar code, without its leading zeros.
pub struct ReceivableLinesOfGtin;
impl Lookup for ReceivableLinesOfGtin {
    type Columns = LinesWithOrders;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Name];
    const JOINS: &'static [&'static str] = &[
        "purchase_order_line AS named ON named.store_id = k.k0 AND ltrim(named.gtin, '0') = k.k2 \
         AND named.gtin IS NOT NULL AND NOT named.carried_over",
        CHAIN_OF_LINE,
        RECEIVABLE_ORDER,
        RECEIVABLE_LINE,
        LEVEL_OF_LINE,
    ];
    const SUFFIX: &'static str = CANDIDATE_LIMIT;
}

/// The lines of a product on every order that can be received; a page of them is read, so it has no limit of its own.
pub struct LiveLinesOfProduct;
impl Lookup for LiveLinesOfProduct {
    type Columns = LinesWithOrders;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] = &[
        "purchase_order_line AS named ON named.store_id = k.k0 AND named.product_id = k.k1 AND NOT named.carried_over",
        CHAIN_OF_LINE,
        LIVE_ORDER,
        RECEIVABLE_LINE,
        LEVEL_OF_LINE,
    ];
}

/// The same by the number under the bar code, without its leading zeros.
pub struct LiveLinesOfGtin;
impl Lookup for LiveLinesOfGtin {
    type Columns = LinesWithOrders;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] = &[
        "purchase_order_line AS named ON named.store_id = k.k0 AND ltrim(named.gtin, '0') = k.k1 \
         AND named.gtin IS NOT NULL AND NOT named.carried_over",
        CHAIN_OF_LINE,
        LIVE_ORDER,
        RECEIVABLE_LINE,
        LEVEL_OF_LINE,
    ];
}

/// The lines that a receipt has items of, each with the level of its product. The items lead to the lines, so that a
/// delivery of three lines of a large order loads three.
pub struct LinesOfReceipt;
impl Lookup for LinesOfReceipt {
    type Columns = LinesWithLevels;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] = &[
        "receipt_item ON receipt_item.store_id = k.k0 AND receipt_item.po_id = k.k1 \
         AND receipt_item.receipt_number = k.k2",
        "purchase_order_line ON purchase_order_line.store_id = k.k0 \
         AND purchase_order_line.po_id = receipt_item.po_id \
         AND purchase_order_line.line_number = receipt_item.line_number",
        LEVEL_OF_LINE,
    ];
}

/// Receipts without their items, by order and receipt number.
pub struct Receipts;
impl Lookup for Receipts {
    type Columns = schema::receipt::table;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] =
        &["receipt ON receipt.store_id = k.k0 AND receipt.po_id = k.k1 AND receipt.receipt_number = k.k2"];
}

/// The items of receipts, by order and receipt number.
pub struct ItemsOfReceipt;
impl Lookup for ItemsOfReceipt {
    type Columns = schema::receipt_item::table;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] = &["receipt_item ON receipt_item.store_id = k.k0 \
        AND receipt_item.po_id = k.k1 AND receipt_item.receipt_number = k.k2"];
}

/// The lots of the items of receipts, by order and receipt number.
pub struct LotsOfReceipt;
impl Lookup for LotsOfReceipt {
    type Columns = schema::receipt_lot::table;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] = &["receipt_lot ON receipt_lot.store_id = k.k0 \
        AND receipt_lot.po_id = k.k1 AND receipt_lot.receipt_number = k.k2"];
}

/// The lots of the items of an order's active receipts.
pub struct StagedLots;
impl Lookup for StagedLots {
    type Columns = schema::receipt_lot::table;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] = &[
        "receipt ON receipt.store_id = k.k0 AND receipt.po_id = k.k1 AND receipt.void_time IS NULL",
        "receipt_lot ON receipt_lot.store_id = k.k0 AND receipt_lot.po_id = receipt.po_id \
         AND receipt_lot.receipt_number = receipt.receipt_number",
    ];
}

/// How many lots [`LotsInStock`] and [`LotsWithCode`] find at most.
pub const MOST_LOTS: usize = 3_001;

/// The lots of products that are in stock. The limit is for all products of a statement together: where it is reached,
/// the lots of each must be looked for by themselves.
pub struct LotsInStock;
impl Lookup for LotsInStock {
    type Columns = schema::inventory_lot::table;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] = &["inventory_lot ON inventory_lot.store_id = k.k0 \
        AND inventory_lot.product_id = k.k1 AND inventory_lot.on_hand > 0"];
    const SUFFIX: &'static str = " LIMIT 3001";
}

/// The lots of products with a code, in stock or not. The limit is as that of [`LotsInStock`].
pub struct LotsWithCode;
impl Lookup for LotsWithCode {
    type Columns = schema::inventory_lot::table;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Name];
    const JOINS: &'static [&'static str] = &["inventory_lot ON inventory_lot.store_id = k.k0 \
        AND inventory_lot.product_id = k.k1 AND inventory_lot.lot_code = k.k2"];
    const SUFFIX: &'static str = " LIMIT 3001";
}

/// Single lots by product, code and expiry date, in stock or not.
pub struct NamedLots;
impl Lookup for NamedLots {
    type Columns = schema::inventory_lot::table;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Name, Name];
    const JOINS: &'static [&'static str] = &["inventory_lot ON inventory_lot.store_id = k.k0 \
        AND inventory_lot.product_id = k.k1 AND inventory_lot.lot_code = k.k2 AND inventory_lot.expiry_date = k.k3"];
}

/// What [`StagedItems`] selects: store, order, receipt number, line number, `receive_time`, accepted quantity, its
/// excess, and the costs of a unit of either that the item names.
pub struct StagedItemColumns;
impl SelectedColumns for StagedItemColumns {
    type Columns =
        SqlColumns<(Text, Text, Integer, Integer, BigInt, BigInt, BigInt, Nullable<BigInt>, Nullable<BigInt>)>;

    fn columns(_store: Option<&str>) -> Self::Columns {
        SqlColumns::new(
            "receipt.store_id, receipt.po_id, receipt.receipt_number, receipt_item.line_number, \
             receipt.receive_time, receipt_item.accepted, receipt_item.excess, receipt_item.unit_cost, \
             receipt_item.excess_unit_cost",
        )
    }
}

/// The items of an order's active receipts: what a completion puts on hand.
pub struct StagedItems;
impl Lookup for StagedItems {
    type Columns = StagedItemColumns;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] = &[
        "receipt ON receipt.store_id = k.k0 AND receipt.po_id = k.k1 AND receipt.void_time IS NULL",
        "receipt_item ON receipt_item.store_id = k.k0 AND receipt_item.po_id = receipt.po_id \
         AND receipt_item.receipt_number = receipt.receipt_number",
    ];
}

/// What [`OtherReceiveTimes`] selects: the key of the receipt (store, order, receipt number), then the line number, the
/// earliest and the latest `receive_time`.
pub struct ReceiveTimeColumns;
impl SelectedColumns for ReceiveTimeColumns {
    type Columns = SqlColumns<(Text, Text, Integer, Integer, BigInt, BigInt)>;

    fn columns(_store: Option<&str>) -> Self::Columns {
        SqlColumns::new(
            "k.k0, k.k1, k.k2, receipt_item.line_number, min(receipt.receive_time), max(receipt.receive_time)",
        )
    }
}

/// For each line of a receipt, the earliest and the latest time at which another active receipt of the order received
/// it. The items of the other receipts are read first, and each is looked up in this receipt. Reading them by line would
/// be faster, but needs an index that every delivery would have to write.
///
/// The lookup in this receipt is a subquery with an offset, which PostgreSQL does not turn into a join: as a join it was
/// planned without the receipt's number, and read all items of the order once for each of them.
pub struct OtherReceiveTimes;
impl Lookup for OtherReceiveTimes {
    type Columns = ReceiveTimeColumns;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Int];
    const JOINS: &'static [&'static str] = &[
        "receipt ON receipt.store_id = k.k0 AND receipt.po_id = k.k1 AND receipt.void_time IS NULL \
         AND receipt.receipt_number <> k.k2",
        "receipt_item ON receipt_item.store_id = k.k0 AND receipt_item.po_id = receipt.po_id \
         AND receipt_item.receipt_number = receipt.receipt_number \
         AND EXISTS (SELECT 1 FROM receipt_item AS mine WHERE mine.store_id = k.k0 AND mine.po_id = k.k1 \
         AND mine.receipt_number = k.k2 AND mine.line_number = receipt_item.line_number LIMIT 1 OFFSET 0)",
    ];
    const SUFFIX: &'static str = " GROUP BY k.k0, k.k1, k.k2, receipt_item.line_number";
}

/// What [`ExternalIds`] selects: store, external id, order, number.
pub struct ExternalIdColumns;
impl SelectedColumns for ExternalIdColumns {
    type Columns = SqlColumns<(Text, Text, Text, Text)>;

    fn columns(_store: Option<&str>) -> Self::Columns {
        SqlColumns::new("purchase_order.store_id, k.k1, purchase_order.po_id, purchase_order.number")
    }
}

/// The orders that have these external ids.
pub struct ExternalIds;
impl Lookup for ExternalIds {
    type Columns = ExternalIdColumns;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] =
        &["purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.external_id = k.k1"];
}

/// A column of the latest active receipt of a supplier that bears a delivery note, as a subquery with a limit, so that
/// one entry of an index is read however often a note was used. `$also` is a condition besides.
macro_rules! of_latest_receipt {
    ($column:literal, $supplier:literal, $also:literal) => {
        concat!(
            "(SELECT ",
            $column,
            " FROM receipt JOIN purchase_order AS noted \
              ON noted.store_id = k.k0 AND noted.po_id = receipt.po_id WHERE receipt.store_id = k.k0 \
              AND receipt.supplier_id = ",
            $supplier,
            " AND receipt.delivery_note = k.k2 AND receipt.void_time IS NULL",
            $also,
            " ORDER BY receipt.receive_time DESC, receipt.po_id DESC, receipt.receipt_number DESC LIMIT 1)"
        )
    };
}

/// The same for the order `k.k1`, without its receipt `k.k3`, which is corrected, and the others of that one's delivery.
macro_rules! of_latest_other_receipt {
    ($column:literal) => {
        of_latest_receipt!(
            $column,
            "purchase_order.supplier_id",
            " AND (receipt.po_id <> k.k1 OR receipt.receipt_number <> k.k3) \
              AND NOT EXISTS (SELECT 1 FROM receipt AS corrected WHERE corrected.store_id = k.k0 \
              AND corrected.po_id = k.k1 AND corrected.receipt_number = k.k3 \
              AND corrected.delivery_id = receipt.delivery_id)"
        )
    };
}

/// The same for the supplier `k.k1`.
macro_rules! of_latest_receipt_of_supplier {
    ($column:literal) => {
        of_latest_receipt!($column, "k.k1", "")
    };
}

/// What [`DeliveryNotes`] selects: store, supplier, delivery note; then the order, that order's number and the number of
/// the latest active receipt that bears the note, which are null where none does.
pub struct DeliveryNoteColumns;
impl SelectedColumns for DeliveryNoteColumns {
    type Columns = SqlColumns<(Text, Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Integer>)>;

    fn columns(store: Option<&str>) -> Self::Columns {
        SqlColumns::of_store(
            store,
            concat!(
                "purchase_order.store_id, purchase_order.supplier_id, k.k2, ",
                of_latest_other_receipt!("receipt.po_id"),
                ", ",
                of_latest_other_receipt!("noted.number"),
                ", ",
                of_latest_other_receipt!("receipt.receipt_number"),
            ),
        )
    }
}

/// For an order, a delivery note and the number of a receipt of the order, or 0: the latest active receipt of the
/// order's supplier that bears the note, other than that one and those of the same delivery.
pub struct DeliveryNotes;
impl Lookup for DeliveryNotes {
    type Columns = DeliveryNoteColumns;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Name, Int];
    const JOINS: &'static [&'static str] =
        &["purchase_order ON purchase_order.store_id = k.k0 AND purchase_order.po_id = k.k1"];
}

/// What [`DeliveryNotesOfSupplier`] selects: the same as [`DeliveryNoteColumns`].
pub struct DeliveryNoteOfSupplierColumns;
impl SelectedColumns for DeliveryNoteOfSupplierColumns {
    type Columns = SqlColumns<(Text, Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Integer>)>;

    fn columns(store: Option<&str>) -> Self::Columns {
        SqlColumns::of_store(
            store,
            concat!(
                "store.store_id, k.k1, k.k2, ",
                of_latest_receipt_of_supplier!("receipt.po_id"),
                ", ",
                of_latest_receipt_of_supplier!("noted.number"),
                ", ",
                of_latest_receipt_of_supplier!("receipt.receipt_number"),
            ),
        )
    }
}

/// For a supplier and a delivery note, the latest active receipt of the supplier that bears the note.
pub struct DeliveryNotesOfSupplier;
impl Lookup for DeliveryNotesOfSupplier {
    type Columns = DeliveryNoteOfSupplierColumns;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name, Name];
    const JOINS: &'static [&'static str] = &["store ON store.store_id = k.k0"];
}

/// Inventory levels by product.
pub struct Levels;
impl Lookup for Levels {
    type Columns = schema::inventory_level::table;
    const KEY_TYPES: &'static [KeyType] = &[Name, Name];
    const JOINS: &'static [&'static str] =
        &["inventory_level ON inventory_level.store_id = k.k0 AND inventory_level.product_id = k.k1"];
}
