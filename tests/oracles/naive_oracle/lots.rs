//! The naive model of lots: which an item may have, how its excess falls on them, and what is on hand of each
//! and is taken out first.

use std::cmp::Ordering;

use purchase_order_service::proto::v1::AdjustmentKind as Kind;

use crate::naive_oracle::books::{Item, Order};
use crate::naive_oracle::command::{Adjustment, Lot};
use crate::naive_oracle::numbers::{Quantity, decimal};
use crate::naive_oracle::refused::{Refused, refused};
use crate::naive_oracle::stock::Posted;

/// A part of what moves, of one lot or of what is in none; below zero if it is taken out.
pub type Part = (Option<Lot>, Quantity);

impl Order {
    /// Nobody knows the lots of what is said to be everything.
    pub fn ensure_no_lots_pending(&self) -> Result<(), Refused> {
        let in_lots = self.lines.iter().filter(|(number, line)| line.lot_required && self.pending(**number) > 0);
        let in_lots: Vec<String> = in_lots.map(|(number, _)| number.to_string()).collect();
        match in_lots.is_empty() {
            true => Ok(()),
            false => refused("INVALID_FOR_STORED_DATA", [format!("these lines are received: {}", in_lots.join(", "))]),
        }
    }
}

impl Item {
    /// What was accepted of each lot, or in none, without and with its part of so much that is excess: that is
    /// the last of the lots.
    pub fn by_lot(&self, excess: Quantity) -> Vec<(Option<Lot>, Quantity, Quantity)> {
        let mut parts: Vec<Part> = self.lots.iter().map(|(lot, quantity)| (Some(*lot), *quantity)).collect();
        if parts.is_empty() {
            parts.push((None, self.accepted));
        }
        let mut left = excess;
        let mut divided = Vec::new();
        for (lot, quantity) in parts.into_iter().rev() {
            let excess = left.min(quantity);
            left -= excess;
            divided.push((lot, quantity - excess, excess));
        }
        divided.reverse();
        divided
    }
}

/// Which of two lots of a product is sold first.
fn sold_first(one: &Lot, other: &Lot) -> Ordering {
    match (one.expires, other.expires) {
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (one_day, other_day) => one_day.cmp(&other_day).then(one.code.cmp(other.code)),
    }
}

/// Every lot of a product that ever was in stock, and what the ledger leaves of it; that which is sold first
/// before the others.
pub fn lots(posted: &[Posted], product: &str) -> Vec<(Lot, Quantity)> {
    let mut lots: Vec<(Lot, Quantity)> = Vec::new();
    for posted in posted.iter().filter(|posted| posted.product == product) {
        let Some(lot) = posted.lot else { continue };
        match lots.iter_mut().find(|(known, _)| *known == lot) {
            Some((_, on_hand)) => *on_hand += posted.quantity,
            None => lots.push((lot, posted.quantity)),
        }
    }
    lots.sort_by(|(one, _), (other, _)| sold_first(one, other));
    lots
}

/// Takes so much out of lots in their order, as far as they go; what they do not have is left.
fn taken(lots: &[(Lot, Quantity)], quantity: Quantity) -> (Vec<Part>, Quantity) {
    let (mut parts, mut left) = (Vec::new(), quantity);
    for (lot, on_hand) in lots {
        let part = left.min(*on_hand);
        if part > 0 {
            parts.push((Some(*lot), -part));
            left -= part;
        }
    }
    (parts, left)
}

/// What an adjustment moves that names no lot. What comes in is in none.
pub fn parts_of_any(lots: &[(Lot, Quantity)], asked: &Adjustment, on_hand: Quantity) -> Vec<Part> {
    let change = change(asked, on_hand);
    if change >= 0 {
        return if change == 0 { Vec::new() } else { vec![(None, change)] };
    }
    let (mut parts, left) = taken(lots, -change);
    if left > 0 {
        parts.push((None, -left));
    }
    parts
}

/// What an adjustment moves of the lot that it names, by its code and perhaps its date.
pub fn parts_of_lot(lots: &[(Lot, Quantity)], asked: &Adjustment, named: Lot) -> Result<Vec<Part>, Refused> {
    let is_meant = |lot: &Lot| lot.code == named.code && (named.expires.is_none() || lot.expires == named.expires);
    let known: Vec<(Lot, Quantity)> = lots.iter().copied().filter(|(lot, _)| is_meant(lot)).collect();
    let on_hand: Quantity = known.iter().map(|(_, on_hand)| on_hand).sum();
    let change = change(asked, on_hand);
    if change > 0 {
        return match known.as_slice() {
            [] => Ok(vec![(Some(named), change)]),
            [(only, _)] => Ok(vec![(Some(*only), change)]),
            _ => refused("INVALID_FOR_STORED_DATA", ["lot.expiry_date".to_owned()]),
        };
    }
    match taken(&known, -change) {
        (parts, 0) => Ok(parts),
        (_, missing) => {
            let says =
                [("lot_code", named.code.to_owned()), ("on_hand", decimal(on_hand)), ("missing", decimal(missing))];
            refused("INSUFFICIENT_LOT", says.map(|(key, value)| format!("{key}={value}")))
        }
    }
}

fn change(asked: &Adjustment, on_hand: Quantity) -> Quantity {
    match asked.kind {
        Kind::CustomerReturn => asked.quantity,
        Kind::Count => asked.quantity - on_hand,
        _ => -asked.quantity,
    }
}
