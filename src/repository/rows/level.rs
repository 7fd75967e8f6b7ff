//! Tables `inventory_level` and `stock_movement`.

use diesel::prelude::Queryable;

use super::{line::unit, order_id};
use crate::domain::code::{ProductId, StoreId};
use crate::domain::inventory::{InboundStock, Level, LevelKey, Movement};
use crate::domain::money::UnitCost;
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::repository::bulk::{Cell, Row};
use crate::repository::error::DbError;

/// A row of `inventory_level`.
#[derive(Queryable)]
pub struct LevelRow {
    store_id: String,
    product_id: String,
    unit: String,
    on_hand: i64,
    staged: i64,
    on_order: i64,
    back_ordered: i64,
    last_movement: i64,
}

impl TryFrom<LevelRow> for Level {
    type Error = DbError;

    fn try_from(row: LevelRow) -> Result<Self, DbError> {
        Ok(Self {
            key: LevelKey { store: StoreId::new(row.store_id), product: ProductId::new(row.product_id) },
            unit: unit(row.unit)?,
            on_hand: Quantity::from_scaled(row.on_hand),
            inbound: InboundStock {
                staged: Quantity::from_scaled(row.staged),
                on_order: Quantity::from_scaled(row.on_order),
                back_ordered: Quantity::from_scaled(row.back_ordered),
            },
            last_movement: row.last_movement,
        })
    }
}

impl Row for Level {
    const TABLE: &'static str = "inventory_level";
    const COLUMNS: &'static [&'static str] =
        &["store_id", "product_id", "unit", "on_hand", "staged", "on_order", "back_ordered", "last_movement"];
    const KEY: usize = 2;
    const FIXED: usize = 3;

    fn cells(&self) -> Vec<Cell<'_>> {
        let InboundStock { staged, on_order, back_ordered } = self.inbound;
        vec![
            Cell::text(self.key.store.as_str()),
            Cell::text(self.key.product.as_str()),
            Cell::text(self.unit.name()),
            Cell::big(self.on_hand.scaled()),
            Cell::big(staged.scaled()),
            Cell::big(on_order.scaled()),
            Cell::big(back_ordered.scaled()),
            Cell::big(self.last_movement),
        ]
    }
}

/// A row of `stock_movement`.
#[derive(Queryable)]
pub struct MovementRow {
    store_id: String,
    product_id: String,
    movement_number: i64,
    _kind: String,
    quantity: i64,
    unit_cost: i64,
    balance_after: i64,
    create_time: i64,
    event_number: i64,
    po_id: String,
    line_number: i32,
    receipt_number: i32,
    receive_time: i64,
}

impl TryFrom<MovementRow> for Movement {
    type Error = DbError;

    fn try_from(row: MovementRow) -> Result<Self, DbError> {
        Ok(Self {
            level: LevelKey { store: StoreId::new(row.store_id), product: ProductId::new(row.product_id) },
            number: row.movement_number,
            quantity: Quantity::from_scaled(row.quantity),
            unit_cost: UnitCost::from_scaled(row.unit_cost),
            balance_after: Quantity::from_scaled(row.balance_after),
            create_time: Timestamp::from_micros(row.create_time),
            event: row.event_number,
            order: order_id(&row.po_id)?,
            line: row.line_number,
            receipt: row.receipt_number,
            receive_time: Timestamp::from_micros(row.receive_time),
        })
    }
}

impl Row for Movement {
    const TABLE: &'static str = "stock_movement";
    const COLUMNS: &'static [&'static str] = &[
        "store_id",
        "product_id",
        "movement_number",
        "kind",
        "quantity",
        "unit_cost",
        "balance_after",
        "create_time",
        "event_number",
        "po_id",
        "line_number",
        "receipt_number",
        "receive_time",
    ];
    const KEY: usize = 3;
    const FIXED: usize = 13;

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::text(self.level.store.as_str()),
            Cell::text(self.level.product.as_str()),
            Cell::big(self.number),
            Cell::text("RECEIPT"),
            Cell::big(self.quantity.scaled()),
            Cell::big(self.unit_cost.scaled()),
            Cell::big(self.balance_after.scaled()),
            Cell::big(self.create_time.micros()),
            Cell::big(self.event),
            Cell::text(self.order.to_string()),
            Cell::Int(self.line),
            Cell::Int(self.receipt),
            Cell::big(self.receive_time.micros()),
        ]
    }
}
