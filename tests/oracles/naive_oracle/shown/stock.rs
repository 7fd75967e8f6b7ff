//! Stock as the contract shows it.

use purchase_order_service::proto::v1::*;

use crate::naive_oracle::command::{self, Day, Name};
use crate::naive_oracle::lots::lots;
use crate::naive_oracle::numbers::{Quantity, decimal, rounded, times};
use crate::naive_oracle::shown::Shown;
use crate::naive_oracle::stock::{Row, ledger};
use crate::naive_oracle::wire::{date, instant};

impl Shown<'_> {
    pub fn level(&self, product: Name, caller: Name) -> InventoryLevel {
        let level = self.model.level(product);
        InventoryLevel {
            store_id: self.wire.store.clone(),
            product_id: product.to_owned(),
            unit: self.model.units[product].into(),
            on_hand: decimal(level.on_hand),
            staged: decimal(level.staged),
            on_order: decimal(level.on_order),
            back_ordered: decimal(level.back_ordered),
            average_cost: self.cost(caller, level.average),
            value: self.amount(caller, rounded(times(level.on_hand.max(0), level.average))),
        }
    }

    /// Every level of the store, by product.
    pub fn levels(&self, caller: Name) -> Vec<InventoryLevel> {
        let mut products: Vec<Name> = self.model.units.keys().copied().collect();
        products.sort_unstable();
        products.into_iter().map(|product| self.level(product, caller)).collect()
    }

    /// The lots in stock, of one product or of all, and only those that expire before a day if one is named:
    /// that which expires first before the others.
    pub fn lots(&self, product: Name, expires_before: Option<Day>) -> Vec<InventoryLot> {
        let mut found = Vec::new();
        for (of, unit) in self.model.units.iter().filter(|(of, _)| product.is_empty() || **of == product) {
            for (lot, on_hand) in lots(&self.model.ledger, of) {
                let is_early = |before: Day| lot.expires.is_some_and(|expires| expires < before);
                if on_hand > 0 && expires_before.is_none_or(is_early) {
                    found.push((lot, *of, *unit, on_hand));
                }
            }
        }
        found.sort_by(|(one, product, ..), (other, other_product, ..)| {
            let never = |expires: Option<Day>| (expires.is_none(), expires);
            (never(one.expires), product, one.code).cmp(&(never(other.expires), other_product, other.code))
        });
        let shown = |(lot, product, unit, on_hand): (command::Lot, Name, Unit, Quantity)| InventoryLot {
            store_id: self.wire.store.clone(),
            product_id: product.to_owned(),
            lot_code: lot.code.to_owned(),
            expiry_date: date(lot.expires),
            unit: unit.into(),
            on_hand: decimal(on_hand),
        };
        found.into_iter().map(shown).collect()
    }

    pub fn ledger(&self, product: Name, caller: Name) -> Vec<StockMovement> {
        let rows = ledger(&self.model.ledger, product);
        (1..).zip(rows).map(|(number, row)| self.movement(number, &row, caller)).collect()
    }

    fn movement(&self, movement_number: i64, row: &Row, caller: Name) -> StockMovement {
        let posted = &row.posted;
        StockMovement {
            movement_number,
            kind: posted.kind.into(),
            quantity: decimal(posted.quantity),
            unit_cost: self.cost(caller, posted.cost),
            balance_after: decimal(row.balance),
            create_time: Some(instant(posted.time)),
            purchase_order_id: posted.source.map(|(order, _)| self.wire.id(order)).unwrap_or_default(),
            line_number: posted.source.map(|(_, line)| line).unwrap_or_default(),
            receipt_number: posted.receipt.map(|(receipt, _)| receipt as i32 + 1).unwrap_or_default(),
            receive_time: posted.receipt.map(|(_, time)| instant(time)),
            average_cost_after: self.cost(caller, row.average),
            reason: posted.reason.to_owned(),
            lot_code: posted.lot.map(|lot| lot.code.to_owned()).unwrap_or_default(),
            expiry_date: date(posted.lot.and_then(|lot| lot.expires)),
        }
    }
}
