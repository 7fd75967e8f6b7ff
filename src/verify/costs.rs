//! Invariant 13 for money: what headers and receipt items say that goods are worth, computed again from quantities and
//! costs. SQL cannot do it on both databases, because a quantity times a cost passes 64 bits: the rows are read by SQL
//! and computed here in 128. It is written apart from the rules that the service computes by, so that a fault there is
//! found.

use diesel::prelude::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::repository::error::DbError;
use crate::repository::session::Session;

/// The invariant and title of the check of headers.
pub(super) const HEADER_TITLE: (u8, &str) = (13, "a header's costs are the sums of its lines' values, each rounded");
/// The invariant and title of the check of receipt items.
pub(super) const ITEM_TITLE: (u8, &str) = (13, "a receipt item is worth its quantity at its costs, rounded once");

/// How many rows are read at once, so that a large store takes no more memory than a small one.
const PAGE: i64 = 10_000;

/// A line, with what its order's header says of all its lines.
#[derive(QueryableByName)]
struct LineRow {
    #[diesel(sql_type = Text)]
    po_id: String,
    #[diesel(sql_type = Text)]
    number: String,
    #[diesel(sql_type = Integer)]
    line_number: i32,
    #[diesel(sql_type = BigInt)]
    ordered: i64,
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(embed)]
    price: Price,
    #[diesel(sql_type = BigInt)]
    ordered_cost: i64,
    #[diesel(sql_type = BigInt)]
    pending_cost: i64,
}

/// What a line costs, as it is stored.
#[derive(Clone, Copy, QueryableByName)]
struct Price {
    #[diesel(sql_type = BigInt)]
    unit_cost: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pack_cost: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pack_size: Option<i64>,
}

/// An item, with what its line costs.
#[derive(QueryableByName)]
struct ItemRow {
    #[diesel(sql_type = Text)]
    po_id: String,
    #[diesel(sql_type = Text)]
    number: String,
    #[diesel(sql_type = Integer)]
    receipt_number: i32,
    #[diesel(sql_type = Integer)]
    line_number: i32,
    #[diesel(sql_type = BigInt)]
    accepted: i64,
    #[diesel(sql_type = BigInt)]
    excess: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    named_cost: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    excess_cost: Option<i64>,
    #[diesel(sql_type = BigInt)]
    value: i64,
    #[diesel(embed)]
    price: Price,
}

/// The headers of a store whose costs are wrong, of which the first `most` are told.
pub(super) fn headers(session: &mut Session, store: &str, most: usize) -> Result<Vec<Option<String>>, DbError> {
    let mut wrong = Vec::new();
    let mut sums = Sums::default();
    loop {
        let rows = lines(session, store, sums.last.as_ref())?;
        let is_last = (rows.len() as i64) < PAGE;
        for row in rows {
            wrong.extend(sums.add(row).map(Some));
        }
        if is_last {
            wrong.extend(sums.difference().map(Some));
        }
        if is_last || wrong.len() >= most {
            wrong.truncate(most);
            return Ok(wrong);
        }
    }
}

/// The sums over the lines of one order so far.
#[derive(Default)]
struct Sums {
    /// The line that was added last; lines come order by order.
    last: Option<LineRow>,
    ordered: i128,
    pending: i128,
}

impl Sums {
    /// Adds a line. If it is the first of another order, the order before is complete, and what is wrong with it is
    /// returned.
    fn add(&mut self, line: LineRow) -> Option<String> {
        let begins_another = self.last.as_ref().is_some_and(|last| last.po_id != line.po_id);
        let wrong = if begins_another { self.difference() } else { None };
        if begins_another {
            *self = Self::default();
        }
        self.ordered += rounded(line.price.exact(line.ordered));
        self.pending += rounded(line.price.exact(line.pending));
        self.last = Some(line);
        wrong
    }

    fn difference(&self) -> Option<String> {
        let header = self.last.as_ref()?;
        let is_right =
            self.ordered == i128::from(header.ordered_cost) && self.pending == i128::from(header.pending_cost);
        (!is_right).then(|| {
            format!(
                "{} costs {{q:{}}} as ordered and {{q:{}}} as pending, but its lines are worth {{q:{}}} and {{q:{}}}",
                header.number, header.ordered_cost, header.pending_cost, self.ordered, self.pending
            )
        })
    }
}

fn lines(session: &mut Session, store: &str, after: Option<&LineRow>) -> Result<Vec<LineRow>, DbError> {
    let text = "
        SELECT l.po_id, o.number, l.line_number, l.ordered, l.pending, l.unit_cost, l.pack_cost, l.pack_size,
            o.ordered_cost, o.pending_cost
        FROM purchase_order_line l JOIN purchase_order o ON o.store_id = l.store_id AND o.po_id = l.po_id
        WHERE l.store_id = $1 AND (l.po_id, l.line_number) > ($2, $3)
        ORDER BY l.po_id, l.line_number LIMIT $4";
    let (order, line) = after.map_or(("", 0), |row| (row.po_id.as_str(), row.line_number));
    let query = diesel::sql_query(text)
        .bind::<Text, _>(store.to_owned())
        .bind::<Text, _>(order.to_owned())
        .bind::<Integer, _>(line)
        .bind::<BigInt, _>(PAGE);
    session.load(query)
}

/// The items of active receipts of a store whose value is wrong, of which the first `most` are told.
pub(super) fn items(session: &mut Session, store: &str, most: usize) -> Result<Vec<Option<String>>, DbError> {
    let mut wrong = Vec::new();
    let mut last: Option<ItemRow> = None;
    loop {
        let rows = items_after(session, store, last.as_ref())?;
        let is_last = (rows.len() as i64) < PAGE;
        for row in rows {
            wrong.extend(row.difference().map(Some));
            last = Some(row);
        }
        if is_last || wrong.len() >= most {
            wrong.truncate(most);
            return Ok(wrong);
        }
    }
}

fn items_after(session: &mut Session, store: &str, after: Option<&ItemRow>) -> Result<Vec<ItemRow>, DbError> {
    let text = "
        SELECT i.po_id, o.number, i.receipt_number, i.line_number, i.accepted, i.excess, i.unit_cost AS named_cost,
            i.excess_unit_cost AS excess_cost, i.value, l.unit_cost, l.pack_cost, l.pack_size
        FROM receipt_item i
        JOIN receipt r ON r.store_id = i.store_id AND r.po_id = i.po_id AND r.receipt_number = i.receipt_number
        JOIN purchase_order o ON o.store_id = i.store_id AND o.po_id = i.po_id
        JOIN purchase_order_line l ON l.store_id = i.store_id AND l.po_id = i.po_id AND l.line_number = i.line_number
        WHERE i.store_id = $1 AND r.void_time IS NULL AND (i.po_id, i.receipt_number, i.line_number) > ($2, $3, $4)
        ORDER BY i.po_id, i.receipt_number, i.line_number LIMIT $5";
    let (order, receipt, line) =
        after.map_or(("", 0, 0), |row| (row.po_id.as_str(), row.receipt_number, row.line_number));
    let query = diesel::sql_query(text)
        .bind::<Text, _>(store.to_owned())
        .bind::<Text, _>(order.to_owned())
        .bind::<Integer, _>(receipt)
        .bind::<Integer, _>(line)
        .bind::<BigInt, _>(PAGE);
    session.load(query)
}

impl ItemRow {
    fn difference(&self) -> Option<String> {
        let expected = rounded(self.exact());
        (expected != i128::from(self.value)).then(|| {
            format!(
                "line {} of receipt {} of {}: {{q:{}}} accepted are worth {{q:{expected}}}, not {{q:{}}}",
                self.line_number, self.receipt_number, self.number, self.accepted, self.value
            )
        })
    }

    fn exact(&self) -> i128 {
        let Some(excess_cost) = self.excess_cost else { return self.at_ordinary_cost(self.accepted) };
        self.at_ordinary_cost(self.accepted - self.excess) + i128::from(self.excess) * i128::from(excess_cost)
    }

    fn at_ordinary_cost(&self, quantity: i64) -> i128 {
        match self.named_cost {
            Some(cost) => i128::from(quantity) * i128::from(cost),
            None => self.price.exact(quantity),
        }
    }
}

impl Price {
    /// In units of the tenth place: whole packs at the cost of a pack, everything else at that of a unit.
    fn exact(self, quantity: i64) -> i128 {
        match (self.pack_cost, self.pack_size) {
            (Some(cost), Some(size)) if size > 0 && quantity % size == 0 => {
                i128::from(quantity / size) * i128::from(cost) * 10_000
            }
            _ => i128::from(quantity) * i128::from(self.unit_cost),
        }
    }
}

/// Ten-thousandths from units of the tenth place, half to even: rounds halves up and then takes back those that went to
/// an odd number.
fn rounded(exact: i128) -> i128 {
    let up = (exact + 500_000).div_euclid(1_000_000);
    let was_half = (exact + 500_000).rem_euclid(1_000_000) == 0;
    if was_half && up % 2 != 0 { up - 1 } else { up }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_half_to_even() {
        for (exact, expected) in [(500_000, 0), (1_500_000, 2), (1_499_999, 1), (2_500_000, 2), (2_500_001, 3)] {
            assert_eq!(rounded(exact), expected, "{exact}");
        }
    }

    #[test]
    fn whole_packs_are_worth_the_cost_of_a_pack() {
        let price = Price { unit_cost: 833_333, pack_cost: Some(10_000_000), pack_size: Some(120_000) };
        for (quantity, expected) in [(120_000, 100_000), (360_000, 300_000), (130_000, 108_333), (0, 0)] {
            assert_eq!(rounded(price.exact(quantity)), expected, "{quantity}");
        }
    }

    #[test]
    fn an_item_is_worth_what_its_parts_cost() {
        let price = Price { unit_cost: 2_000_000, pack_cost: None, pack_size: None };
        let item = |named_cost, excess_cost| ItemRow {
            po_id: String::new(),
            number: String::new(),
            receipt_number: 1,
            line_number: 1,
            accepted: 110_000,
            excess: 10_000,
            named_cost,
            excess_cost,
            value: 0,
            price,
        };
        for (named, excess, expected) in [
            (None, None, 220_000),
            (Some(3_000_000), None, 330_000),
            (None, Some(0), 200_000),
            (Some(3_000_000), Some(1_000_000), 310_000),
        ] {
            assert_eq!(rounded(item(named, excess).exact()), expected, "{named:?} {excess:?}");
        }
    }
}
