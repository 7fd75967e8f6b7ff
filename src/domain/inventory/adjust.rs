//! AdjustInventory: stock that moves beside purchase orders. It is sold, brought back by a customer, sent
//! back to the supplier, counted or lost.
//!
//! Every adjustment is one event, with a ledger row and a reason for each lot that it changes. Nothing is taken out
//! that is not there, unless the store allows it: a till that sells faster than goods are booked in must go on
//! selling. A lot that the request names is never taken below zero: who names it has it in their hand, so what is
//! wrong is the lot. Stock that is taken out without naming a lot is taken from the one that expires first.
//!
//! A return to the supplier may name the order and line by which the goods came. Then it changes that
//! line, so it is the order's event, moves the order's revision and is judged by its etag; the gate loads
//! the header and judges these.

use std::fmt::Display;

use super::lot::{Lot, LotChange, LotQuantity, MAX_LOTS_TAKEN};
use super::{Level, Movement, MovementKind};
use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::ProductId;
use crate::domain::command::{Command, Target};
use crate::domain::decimal::grouped;
use crate::domain::event::Detail;
use crate::domain::money::UnitCost;
use crate::domain::needs::{Need, Needs};
use crate::domain::order::{Line, Order, OrderId, State};
use crate::domain::outcome::{AdjustedLot, Outcome, StockAdjusted};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, Violations};
use crate::domain::time::Date;
use crate::domain::unit::Unit;

/// Why stock is adjusted, and so in which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdjustmentKind {
    /// Goods were sold: taken out.
    Sale,
    /// A customer brought goods back: put in.
    CustomerReturn,
    /// Goods went back to their supplier: taken out.
    ReturnToSupplier,
    /// Goods were counted: what is on hand is set to what was found.
    Count,
    /// Goods were lost, broken, stolen or spoilt: taken out.
    Loss,
}

impl AdjustmentKind {
    /// Every kind, in the order of the contract.
    pub const ALL: [Self; 5] = [Self::Sale, Self::CustomerReturn, Self::ReturnToSupplier, Self::Count, Self::Loss];

    /// The kind of the ledger row.
    pub const fn movement_kind(self) -> MovementKind {
        match self {
            Self::Sale => MovementKind::Sale,
            Self::CustomerReturn => MovementKind::CustomerReturn,
            Self::ReturnToSupplier => MovementKind::ReturnToSupplier,
            Self::Count => MovementKind::Count,
            Self::Loss => MovementKind::Loss,
        }
    }

    /// Whether it may put stock in, so that a cost can be given for it.
    pub const fn may_put_in(self) -> bool {
        matches!(self, Self::CustomerReturn | Self::Count)
    }

    /// What it adds to `on_hand` units, below zero if it takes out.
    fn change(self, on_hand: Quantity, quantity: Quantity) -> Quantity {
        match self {
            Self::CustomerReturn => quantity,
            Self::Sale | Self::ReturnToSupplier | Self::Loss => -quantity,
            Self::Count => quantity - on_hand,
        }
    }
}

/// Adjusts the stock of one product.
#[derive(Clone, Debug)]
pub struct AdjustInventory {
    /// The product whose stock moves.
    pub product: ProductId,
    /// Why, and in which direction.
    pub kind: AdjustmentKind,
    /// How much was moved, above zero; of a count, how much was found, which may be zero.
    pub quantity: Quantity,
    /// What a unit cost of what is put in; none: the average cost. It has no effect on what is taken out.
    pub unit_cost: Option<UnitCost>,
    /// The unit in which the product is counted. Required where the product is new to the store, whose unit
    /// it fixes; otherwise it must be the product's, if it is given.
    pub unit: Option<Unit>,
    /// Why, in words; kept with the ledger row.
    pub reason: String,
    /// Of a return to the supplier: by which line the goods came, if that is known.
    pub returned_line: Option<ReturnedLine>,
    /// Which lot the goods are of, if that is known.
    pub lot: Option<NamedLot>,
}

/// A lot as a caller names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLot {
    /// The code on the goods.
    pub code: String,
    /// Its expiry date; required where goods are put into one of several lots with the code, and where more lots than
    /// an adjustment may change have it.
    pub expiry_date: Option<Date>,
}

/// The line of a completed order by which returned goods had come.
#[derive(Clone, Debug)]
pub struct ReturnedLine {
    /// The order; it must be COMPLETED.
    pub order: OrderId,
    /// The number of the line on the order.
    pub line: i32,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
}

impl Command for AdjustInventory {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Permission::AdjustInventory)
    }

    fn targets(&self) -> Vec<Target<'_>> {
        let Some(returned) = &self.returned_line else { return Vec::new() };
        vec![Target { order: returned.order, receipt: None, etag: &returned.etag, action: None }]
    }

    fn check_header(&self, order: &Order) -> Result<(), Refusal> {
        if order.state == State::Completed {
            return Ok(());
        }
        Err(order.wrong_state("goods are returned of a COMPLETED order; before that they are rejected or voided"))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.add(Need::Level(self.product.clone()));
        match &self.lot {
            Some(named) => {
                needs.add(Need::LotsWithCode(self.product.clone(), named.code.clone(), named.expiry_date));
            }
            // Only what is taken out is divided over lots.
            None if self.kind == AdjustmentKind::CustomerReturn => {}
            // A count too, because it may find less than is on hand.
            None => needs.add(Need::LotsInStock(self.product.clone())),
        }
        if let Some(returned) = &self.returned_line {
            needs.add(Need::Line(returned.order, returned.line));
        }
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        // In this order: what does not exist, what does not fit what is stored, and what the stock does not allow.
        let returned = self.order_and_line(changeset)?;
        let level = self.level(changeset)?;
        let line = returned.as_ref().map(|(_, line)| line);
        self.violations(&level, line).or_refuse(Refusal::InvalidForStoredData)?;
        let parts = self.parts(changeset, &level)?;
        let change: Quantity = parts.iter().map(|part| part.change).sum();
        // Only a count gets here: it found what is on hand. Then there is no event, and a new product gets no level.
        if change == Quantity::ZERO {
            return Ok(self.outcome(0, 0, &[]));
        }
        if changeset.level(&self.product)?.is_none() {
            changeset.create_level(&self.product, level.unit);
        }
        let unit_cost = self.cost(&level, line, change);
        let event = self.put(changeset, &level, returned, change, unit_cost)?;
        // `level` is the one before the rows are posted; these follow each other from here on.
        let first = level.last_movement + 1;
        for part in &parts {
            self.post(changeset, &level, event, part, unit_cost)?;
        }
        Ok(self.outcome(event, first, &parts))
    }
}

/// Judging.
impl AdjustInventory {
    fn order_and_line(&self, changeset: &Changeset<'_>) -> Result<Option<(Order, Line)>, Refusal> {
        let Some(returned) = &self.returned_line else { return Ok(None) };
        let order = changeset.order(returned.order)?;
        let mut lines = changeset.lines(&order, [returned.line])?;
        Ok(lines.pop().map(|line| (order, line)))
    }

    /// The product's level, or an empty one for a product that is new to the store.
    fn level(&self, changeset: &Changeset<'_>) -> Result<Level, Refusal> {
        if let Some(level) = changeset.level(&self.product)? {
            return Ok(level);
        }
        match self.unit {
            Some(unit) => Ok(Level::empty(changeset.level_key(&self.product), unit)),
            None => {
                let rule = format_args!("is required: the product {} is new to this store", self.product);
                Err(Refusal::invalid_for_stored_data("unit", rule))
            }
        }
    }

    fn violations(&self, level: &Level, line: Option<&Line>) -> Violations {
        let mut violations = Violations::default();
        let Self { product, quantity, .. } = self;
        if let Some(unit) = self.unit.filter(|unit| *unit != level.unit) {
            let rule =
                format_args!("is {}, but {product} is counted in {} in this store", unit.name(), level.unit.name());
            violations.add("unit", rule);
        }
        if level.unit.is_whole() && !quantity.is_whole() {
            violations.add("quantity", format_args!("is {quantity}, but {product} is counted in whole units"));
        }
        // The rest is about a return by a line. How much may go back means nothing for a line of another product.
        let Some(line) = line else { return violations };
        let number = line.key.number;
        if line.product != *product {
            violations.add("product_id", format_args!("is {product}, but line {number} is of {}", line.product));
        } else if *quantity > line.returnable() {
            let rule = format_args!(
                "is {quantity}, but of line {number} {} were received and {} returned",
                line.quantities.received, line.returned
            );
            violations.add("quantity", rule);
        }
        violations
    }

    /// What changes, and of which lots: nothing, one part that is put in, or what is taken out of each lot.
    fn parts(&self, changeset: &Changeset<'_>, level: &Level) -> Result<Vec<LotChange>, Refusal> {
        if let Some(named) = &self.lot {
            return self.parts_of_lot(changeset, level, named);
        }
        let change = self.kind.change(level.on_hand, self.quantity);
        if change.is_positive() {
            return Ok(vec![LotChange { lot: None, change }]);
        }
        if change == Quantity::ZERO {
            return Ok(Vec::new());
        }
        // Judged before the lots: what is not there at all is in no lot either.
        self.check_stock(changeset, level, change)?;
        let taken = changeset.lots_in_stock(&self.product)?.take(-change);
        taken.ok_or_else(|| Refusal::TooManyLots(self.product.clone()))
    }

    fn parts_of_lot(
        &self,
        changeset: &Changeset<'_>,
        level: &Level,
        named: &NamedLot,
    ) -> Result<Vec<LotChange>, Refusal> {
        let known = changeset.lots_with_code(&self.product, &named.code, named.expiry_date)?;
        if known.len() > MAX_LOTS_TAKEN {
            // Those behind were not loaded, so neither their stock nor whether there is one to fill is known.
            return Err(self.expiry_date_required(format_args!("more than {}", grouped(MAX_LOTS_TAKEN as i64))));
        }
        let on_hand: Quantity = known.iter().map(|lot| lot.quantity).sum();
        let change = self.kind.change(on_hand, self.quantity);
        // Also where the store allows negative stock: no lot is ever below zero.
        if on_hand + change < Quantity::ZERO {
            let (product, lot) = (self.product.clone(), named.code.clone());
            return Err(Refusal::InsufficientLot { product, lot, on_hand, missing: -(on_hand + change) });
        }
        if change.is_positive() {
            return Ok(vec![LotChange { lot: Some(self.lot_to_fill(named, &known)?), change }]);
        }
        // The lot has enough, but the product may not: what was oversold is missing from what is in no lot.
        self.check_stock(changeset, level, change)?;
        let mut parts = Vec::new();
        let mut left = -change;
        // Several lots have the code if no expiry date was named. What expires first goes out first.
        for LotQuantity { lot, quantity } in known {
            let part = left.min(quantity);
            left -= part;
            if part.is_positive() {
                parts.push(LotChange { lot: Some(lot), change: -part });
            }
        }
        Ok(parts)
    }

    /// The lot that goods are put into: the one that is known by the code, or a new one.
    fn lot_to_fill(&self, named: &NamedLot, known: &[LotQuantity]) -> Result<Lot, Refusal> {
        match known {
            [] => Ok(Lot { code: named.code.clone(), expiry_date: named.expiry_date }),
            [only] => Ok(only.lot.clone()),
            several => Err(self.expiry_date_required(several.len())),
        }
    }

    fn expiry_date_required(&self, lots: impl Display) -> Refusal {
        let rule = format_args!("is required: {lots} lots of {} have this code", self.product);
        Refusal::invalid_for_stored_data("lot.expiry_date", rule)
    }

    /// Refuses to take out more than is there. What was below zero before may be put right in steps, so
    /// putting in is never refused, and nor is a count that changes nothing.
    fn check_stock(&self, changeset: &Changeset<'_>, level: &Level, change: Quantity) -> Result<(), Refusal> {
        let after = level.on_hand + change;
        let is_short = change < Quantity::ZERO && after < Quantity::ZERO;
        if !is_short || changeset.store()?.allow_negative_stock {
            return Ok(());
        }
        Err(Refusal::InsufficientStock { product: self.product.clone(), on_hand: level.on_hand, missing: -after })
    }

    /// What a unit costs that is moved. What goes out leaves at the average, or at the cost of the order's line if it
    /// goes back to where it came from.
    fn cost(&self, level: &Level, line: Option<&Line>, change: Quantity) -> UnitCost {
        match (line, self.unit_cost) {
            (Some(line), _) => line.unit_cost,
            (None, Some(cost)) if change.is_positive() => cost,
            _ => level.average_cost,
        }
    }
}

/// Carrying it out.
impl AdjustInventory {
    /// Records the event: the order's, if the adjustment changes one.
    fn put(
        &self,
        changeset: &mut Changeset<'_>,
        level: &Level,
        returned: Option<(Order, Line)>,
        change: Quantity,
        unit_cost: UnitCost,
    ) -> Result<i64, Refusal> {
        let detail = Detail::StockAdjusted {
            product: self.product.to_string(),
            kind: self.kind.movement_kind(),
            quantity: change.to_string(),
            unit_cost: unit_cost.to_string(),
            on_hand: (level.on_hand + change).to_string(),
            line: returned.as_ref().map(|(_, line)| line.key.number),
            reason: self.reason.clone(),
        };
        let Some((order, mut line)) = returned else { return changeset.record(detail) };
        // `received` stays: the goods came, and `returned` tells that they went back.
        line.returned += self.quantity;
        changeset.put_line(line);
        changeset.put_order(order, detail)
    }

    fn post(
        &self,
        changeset: &mut Changeset<'_>,
        level: &Level,
        event: i64,
        part: &LotChange,
        unit_cost: UnitCost,
    ) -> Result<(), Refusal> {
        changeset.post(Movement {
            level: level.key.clone(),
            // The changeset fills in the number, the balance and the average.
            number: 0,
            kind: self.kind.movement_kind(),
            quantity: part.change,
            unit_cost,
            balance_after: Quantity::ZERO,
            average_after: UnitCost::default(),
            create_time: changeset.now(),
            event,
            order: self.returned_line.as_ref().map(|returned| returned.order),
            line: self.returned_line.as_ref().map(|returned| returned.line),
            receipt: None,
            receive_time: None,
            reason: Some(self.reason.clone()),
            lot: part.lot.clone(),
        })?;
        Ok(())
    }

    fn outcome(&self, event: i64, movement: i64, parts: &[LotChange]) -> Outcome {
        let mut lots = Vec::new();
        for LotChange { lot, change } in parts {
            lots.extend(lot.as_ref().map(|lot| AdjustedLot {
                code: lot.code.clone(),
                expiry_date: lot.expiry_date.map(|date| date.to_string()),
                quantity: change.scaled(),
            }));
        }
        let change: Quantity = parts.iter().map(|part| part.change).sum();
        Outcome::StockAdjusted(StockAdjusted {
            event,
            product: self.product.to_string(),
            movement,
            movement_count: parts.len() as i32,
            quantity: change.scaled(),
            lots,
            order: self.returned_line.as_ref().map(|returned| returned.order),
            lines: self.returned_line.iter().map(|returned| returned.line).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
