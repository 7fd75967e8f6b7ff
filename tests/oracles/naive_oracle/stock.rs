//! The naive model of stock: a ledger of everything that moved it, and what that and the orders come to.

use purchase_order_service::proto::v1::{AdjustmentKind as Kind, PurchaseOrderState, StockMovementKind, Unit};

use crate::naive_oracle::books::Order;
use crate::naive_oracle::command::{Adjustment, Lot, Name, Time, admits};
use crate::naive_oracle::lots::{lots, parts_of_any, parts_of_lot};
use crate::naive_oracle::model::{Made, Model};
use crate::naive_oracle::numbers::{Cost, Quantity, decimal, mixed, without};
use crate::naive_oracle::refused::{Refused, ensure, refused};

/// What moved stock.
#[derive(Clone, Copy)]
pub struct Posted {
    pub product: Name,
    pub kind: StockMovementKind,
    /// Below zero if it was taken out.
    pub quantity: Quantity,
    pub cost: Cost,
    pub time: Time,
    /// The place of an order, and the line of it.
    pub source: Option<(usize, i32)>,
    /// The place of the order's receipt, and when the goods arrived.
    pub receipt: Option<(usize, Time)>,
    pub reason: Name,
    /// None of goods that are in no lot.
    pub lot: Option<Lot>,
}

/// A row of a product's ledger: what moved stock, and what it left.
pub struct Row {
    pub posted: Posted,
    pub balance: Quantity,
    pub average: Cost,
}

/// What a product stands at.
#[derive(Default)]
pub struct Level {
    pub on_hand: Quantity,
    pub average: Cost,
    pub staged: Quantity,
    pub on_order: Quantity,
    pub back_ordered: Quantity,
}

/// The ledger of a product, oldest first.
pub fn ledger(posted: &[Posted], product: Name) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for posted in posted.iter().filter(|posted| posted.product == product) {
        let (balance, average) = rows.last().map_or((0, 0), |last| (last.balance, last.average));
        let comes_in = posted.quantity > 0;
        let moves = ((balance, average), (posted.quantity, posted.cost));
        let average = match posted.kind {
            StockMovementKind::ReceiptReversal => {
                restored(&rows, posted).unwrap_or_else(|| without(moves.0, (-posted.quantity, posted.cost)))
            }
            _ if comes_in => mixed(moves.0, moves.1),
            _ => average,
        };
        rows.push(Row { posted: *posted, balance: balance + posted.quantity, average });
    }
    rows
}

/// The average cost before the row that a reversal takes out, if nothing but reversals of the same reopening follows on it.
fn restored(rows: &[Row], reversal: &Posted) -> Option<Cost> {
    let order = |posted: &Posted| posted.source.map(|(order, _)| order);
    let is_beside = |row: &&Row| row.posted.kind == reversal.kind && order(&row.posted) == order(reversal);
    let beside = rows.iter().rev().take_while(is_beside).count();
    let reversed = rows.len().checked_sub(2 * beside + 1)?;
    let row = &rows[reversed].posted;
    let is_reversed = row.kind == StockMovementKind::Receipt
        && (row.source, row.receipt, row.lot) == (reversal.source, reversal.receipt, reversal.lot)
        && (row.quantity, row.cost) == (-reversal.quantity, reversal.cost);
    is_reversed.then(|| reversed.checked_sub(1).map_or(0, |before| rows[before].average))
}

impl Order {
    /// What its completion puts on hand: by receipt, line and lot, what is ordinary before what is excess.
    pub fn postings(&self, place: usize, now: Time) -> Vec<Posted> {
        let mut postings = Vec::new();
        for (number, receipt) in self.receipts.iter().enumerate().filter(|(_, receipt)| receipt.voided.is_none()) {
            for item in &receipt.items {
                let line = &self.lines[&item.line];
                let cost = item.unit_cost.unwrap_or(line.unit_cost);
                let excess_cost = item.excess_cost.unwrap_or(cost);
                // There is a row for each cost, not for each part.
                let apart = if excess_cost == cost { 0 } else { item.excess };
                for (lot, ordinary, excess) in item.by_lot(apart) {
                    for (quantity, cost) in [(ordinary, cost), (excess, excess_cost)] {
                        if quantity > 0 {
                            postings.push(Posted {
                                product: line.product,
                                kind: StockMovementKind::Receipt,
                                quantity,
                                cost,
                                time: now,
                                source: Some((place, item.line)),
                                receipt: Some((number, receipt.time)),
                                reason: "",
                                lot,
                            });
                        }
                    }
                }
            }
        }
        postings
    }
}

impl Model {
    /// Adds up what the ledger and every order say of a product.
    pub fn level(&self, product: Name) -> Level {
        let mut level = Level::default();
        if let Some(last) = ledger(&self.ledger, product).last() {
            (level.on_hand, level.average) = (last.balance, last.average);
        }
        for (place, order) in self.orders.iter().enumerate().filter(|(_, order)| order.is_live()) {
            for (number, _) in order.lines.iter().filter(|(_, line)| line.product == product) {
                level.staged += order.accepted(*number);
                level.on_order += order.pending(*number);
                level.back_ordered += if order.chain == place { 0 } else { order.pending(*number) };
            }
        }
        level
    }

    pub fn adjust(&mut self, asked: &Adjustment) -> Result<Made, Refused> {
        let returned_of = self.returned_of(asked)?;
        let known = self.units.get(asked.product).copied();
        let unit = known.unwrap_or(asked.unit);
        let unit_fits = unit != Unit::Unspecified && (asked.unit == Unit::Unspecified || asked.unit == unit);
        ensure(unit_fits && admits(unit, asked.quantity), "INVALID_FOR_STORED_DATA")?;
        let Level { on_hand, average, .. } = self.level(asked.product);
        let lots = lots(&self.ledger, asked.product);
        let parts = match asked.lot {
            Some(named) => parts_of_lot(&lots, asked, named)?,
            None => parts_of_any(&lots, asked, on_hand),
        };
        let quantity: Quantity = parts.iter().map(|(_, part)| part).sum();
        if quantity == 0 {
            return Ok(Made::default());
        }
        if quantity < 0 && on_hand + quantity < 0 && !self.negative_stock {
            let missing = format!("missing={}", decimal(-(on_hand + quantity)));
            return refused("INSUFFICIENT_STOCK", [format!("on_hand={}", decimal(on_hand)), missing]);
        }
        let cost = match returned_of {
            Some(cost) => cost,
            None if quantity > 0 => asked.unit_cost.unwrap_or(average),
            None => average,
        };
        self.units.insert(asked.product, unit);
        if let Some(source) = asked.source {
            let order = &mut self.orders[source.order];
            order.revision += 1;
            order.lines.entry(source.line).and_modify(|line| line.returned += asked.quantity);
        }
        let movement = ledger(&self.ledger, asked.product).len() + 1;
        let movements = parts.len();
        self.ledger.extend(parts.into_iter().map(|(lot, quantity)| Posted {
            product: asked.product,
            kind: movement_kind(asked.kind),
            quantity,
            cost,
            time: self.now,
            source: asked.source.map(|source| (source.order, source.line)),
            receipt: None,
            reason: asked.reason,
            lot,
        }));
        self.events += 1;
        Ok(Made { movement, movements, moved: quantity, ..Made::default() })
    }

    /// What the line costs by which the goods came that go back, if one is named and may be.
    fn returned_of(&self, asked: &Adjustment) -> Result<Option<Cost>, Refused> {
        let Some(source) = asked.source else { return Ok(None) };
        let order = self.orders.get(source.order).ok_or("PURCHASE_ORDER_NOT_FOUND")?;
        ensure(source.etag.is_none_or(|etag| etag == order.revision), "ETAG_MISMATCH")?;
        ensure(order.state() == PurchaseOrderState::Completed, "WRONG_STATE")?;
        let line = order.lines.get(&source.line).ok_or("LINE_NOT_FOUND")?;
        let left = order.accepted(source.line) - line.returned;
        ensure(line.product == asked.product && asked.quantity <= left, "INVALID_FOR_STORED_DATA")?;
        Ok(Some(line.unit_cost))
    }
}

fn movement_kind(kind: Kind) -> StockMovementKind {
    match kind {
        Kind::Sale => StockMovementKind::Sale,
        Kind::CustomerReturn => StockMovementKind::CustomerReturn,
        Kind::ReturnToSupplier => StockMovementKind::ReturnToSupplier,
        Kind::Count => StockMovementKind::Count,
        Kind::Loss => StockMovementKind::Loss,
        Kind::Unspecified => unreachable!("its form is right"),
    }
}
