//! Rows of the tables `inventory_level` and `stock_movement`. Movements are only inserted; triggers in the database refuse
//! everything else.

use diesel::prelude::{Queryable, Selectable};

use super::lot::lot;
use super::{line::unit, optional_order_id};
use crate::domain::code::{ProductId, StoreId};
use crate::domain::inventory::{InboundStock, Level, LevelKey, Movement, MovementKind};
use crate::domain::money::UnitCost;
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::repository::bulk::{Cell, Column, Row};
use crate::repository::error::DbError;
use crate::repository::schema::{inventory_level, stock_movement};

/// The inventory level of a product as it is read: quantities in ten-thousandths of its unit.
#[derive(Queryable, Selectable)]
#[diesel(table_name = inventory_level)]
pub struct LevelRow {
    store_id: String,
    product_id: String,
    unit: String,
    on_hand: i64,
    staged: i64,
    on_order: i64,
    back_ordered: i64,
    average_cost: i64,
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
            average_cost: UnitCost::from_scaled(row.average_cost),
            last_movement: row.last_movement,
        })
    }
}

impl Row for Level {
    const TABLE: &'static str = "inventory_level";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.key.store.as_str())),
        Column::key("product_id", |row| Cell::text(row.key.product.as_str())),
        // All quantities of a product in a store are in this unit.
        Column::fixed("unit", |row| Cell::text(row.unit.name())),
        Column::changing("on_hand", |row| Cell::big_int(row.on_hand.scaled())),
        Column::changing("staged", |row| Cell::big_int(row.inbound.staged.scaled())),
        Column::changing("on_order", |row| Cell::big_int(row.inbound.on_order.scaled())),
        Column::changing("back_ordered", |row| Cell::big_int(row.inbound.back_ordered.scaled())),
        Column::changing("average_cost", |row| Cell::big_int(row.average_cost.scaled())),
        Column::changing("last_movement", |row| Cell::big_int(row.last_movement)),
    ];
}

/// A movement of the ledger as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = stock_movement)]
pub struct MovementRow {
    store_id: String,
    product_id: String,
    movement_number: i64,
    kind: String,
    quantity: i64,
    unit_cost: i64,
    balance_after: i64,
    average_after: i64,
    create_time: i64,
    event_number: i64,
    po_id: Option<String>,
    line_number: Option<i32>,
    receipt_number: Option<i32>,
    receive_time: Option<i64>,
    reason: Option<String>,
    lot_code: Option<String>,
    expiry_date: Option<String>,
}

impl TryFrom<MovementRow> for Movement {
    type Error = DbError;

    fn try_from(row: MovementRow) -> Result<Self, DbError> {
        let kind = MovementKind::from_name(&row.kind);
        Ok(Self {
            level: LevelKey { store: StoreId::new(row.store_id), product: ProductId::new(row.product_id) },
            number: row.movement_number,
            kind: kind.ok_or_else(|| DbError::unreadable("movement kind", row.kind))?,
            quantity: Quantity::from_scaled(row.quantity),
            unit_cost: UnitCost::from_scaled(row.unit_cost),
            balance_after: Quantity::from_scaled(row.balance_after),
            average_after: UnitCost::from_scaled(row.average_after),
            create_time: Timestamp::from_micros(row.create_time),
            event: row.event_number,
            order: optional_order_id(row.po_id)?,
            line: row.line_number,
            receipt: row.receipt_number,
            receive_time: row.receive_time.map(Timestamp::from_micros),
            reason: row.reason,
            lot: lot(row.lot_code, row.expiry_date)?,
        })
    }
}

impl Row for Movement {
    const TABLE: &'static str = "stock_movement";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.level.store.as_str())),
        Column::key("product_id", |row| Cell::text(row.level.product.as_str())),
        Column::key("movement_number", |row| Cell::big_int(row.number)),
        Column::fixed("kind", |row| Cell::text(row.kind.name())),
        Column::fixed("quantity", |row| Cell::big_int(row.quantity.scaled())),
        Column::fixed("unit_cost", |row| Cell::big_int(row.unit_cost.scaled())),
        Column::fixed("balance_after", |row| Cell::big_int(row.balance_after.scaled())),
        Column::fixed("average_after", |row| Cell::big_int(row.average_after.scaled())),
        Column::fixed("create_time", |row| Cell::big_int(row.create_time.micros())),
        Column::fixed("event_number", |row| Cell::big_int(row.event)),
        Column::fixed("po_id", |row| Cell::formatted(row.order)),
        Column::fixed("line_number", |row| Cell::OptionalInt(row.line)),
        Column::fixed("receipt_number", |row| Cell::OptionalInt(row.receipt)),
        Column::fixed("receive_time", |row| Cell::BigInt(row.receive_time.map(Timestamp::micros))),
        Column::fixed("reason", |row| Cell::optional_text(row.reason.as_deref())),
        Column::fixed("lot_code", |row| Cell::optional_text(row.lot.as_ref().map(|lot| lot.code.as_str()))),
        Column::fixed("expiry_date", |row| Cell::formatted(row.lot.as_ref().and_then(|lot| lot.expiry_date))),
    ];
}
