//! Invariant 7: the average cost, computed again row by row of the ledger. SQL cannot do it on both
//! databases, because a level times a cost passes 64 bits: the rows are read by SQL and computed here in
//! 128. It is written apart from the rule that the service posts by, so that a fault there is found.

use diesel::sql_types::{BigInt, Text};

use crate::repository::error::DbError;
use crate::repository::session::Session;

/// The check's invariant and title.
pub(super) const TITLE: (u8, &str) = (7, "each ledger row's average cost follows from the one before and what came in");

/// How many rows are read at once, so that a long ledger takes no more memory than a short one.
const PAGE: i64 = 10_000;

/// The largest cost of a unit, in millionths.
const MAX_COST: i128 = 1_000_000_000_000_000;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    product_id: String,
    #[diesel(sql_type = BigInt)]
    movement_number: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    /// Of a receipt and its reversal, which item and lot they are of: the same text for both.
    #[diesel(sql_type = Text)]
    part: String,
    #[diesel(sql_type = BigInt)]
    event_number: i64,
    #[diesel(sql_type = BigInt)]
    quantity: i64,
    #[diesel(sql_type = BigInt)]
    unit_cost: i64,
    #[diesel(sql_type = BigInt)]
    balance_after: i64,
    #[diesel(sql_type = BigInt)]
    average_after: i64,
}

/// The rows of a store's ledgers whose average cost is wrong, of which the first `most` are told. Each row
/// is compared with what follows from the row before as that is stored, so that one wrong row is one
/// finding.
pub(super) fn findings(session: &mut Session, store: &str, most: usize) -> Result<Vec<Option<String>>, DbError> {
    let mut wrong = Vec::new();
    let mut before: Option<Row> = None;
    let mut completion = Completion::default();
    loop {
        let rows = page(session, store, before.as_ref())?;
        let is_last = (rows.len() as i64) < PAGE;
        for row in rows {
            let average_before = match &before {
                Some(before) if before.product_id == row.product_id => before.average_after,
                _ => 0,
            };
            let is_first = before.as_ref().is_none_or(|before| before.product_id != row.product_id);
            if is_first {
                completion = Completion::default();
            }
            let restored = completion.follow(&row, average_before);
            wrong.extend(difference(&row, average_before, restored).map(Some));
            before = Some(row);
        }
        if is_last || wrong.len() >= most {
            wrong.truncate(most);
            return Ok(wrong);
        }
    }
}

fn page(session: &mut Session, store: &str, after: Option<&Row>) -> Result<Vec<Row>, DbError> {
    let text = "
        SELECT product_id, movement_number, kind, event_number, quantity, unit_cost, balance_after, average_after,
            COALESCE(po_id, '') || ' ' || COALESCE(receipt_number, 0) || ' ' || COALESCE(line_number, 0) || ' '
            || COALESCE(expiry_date, '') || ' ' || COALESCE(lot_code, '') AS part
        FROM stock_movement
        WHERE store_id = $1 AND (product_id, movement_number) > ($2, $3)
        ORDER BY product_id, movement_number LIMIT $4";
    let (product, number) = after.map_or(("", 0), |row| (row.product_id.as_str(), row.movement_number));
    let query = diesel::sql_query(text)
        .bind::<Text, _>(store.to_owned())
        .bind::<Text, _>(product.to_owned())
        .bind::<BigInt, _>(number)
        .bind::<BigInt, _>(PAGE);
    session.load(query)
}

fn difference(row: &Row, average_before: i64, restored: Option<i64>) -> Option<String> {
    let expected = restored.map_or_else(|| expected_average(row, average_before), i128::from);
    (expected != i128::from(row.average_after)).then(|| {
        format!(
            "movement {} of {} moves {{q:{}}} at {{c:{}}} to {{q:{}}} and an average cost of {{c:{}}}, but after an \
             average of {{c:{average_before}}} that is {{c:{expected}}}",
            row.movement_number, row.product_id, row.quantity, row.unit_cost, row.balance_after, row.average_after
        )
    })
}

/// The completion with which a ledger ends, if it ends with one: its rows that are not reversed.
#[derive(Default)]
struct Completion {
    event_number: i64,
    rows: Vec<CompletedRow>,
}

/// What a reversal has in common with the row that it reverses, and the average cost before that.
struct CompletedRow {
    part: String,
    quantity: i64,
    unit_cost: i64,
    average_before: i64,
}

impl Completion {
    /// Takes the next row of the ledger. If it reverses the last row of the completion with which the ledger ends, the
    /// average cost must be again what it was before that one, which is returned.
    fn follow(&mut self, row: &Row, average_before: i64) -> Option<i64> {
        match row.kind.as_str() {
            "RECEIPT" => {
                if self.event_number != row.event_number {
                    *self = Self { event_number: row.event_number, rows: Vec::new() };
                }
                let (part, quantity, unit_cost) = (row.part.clone(), row.quantity, row.unit_cost);
                self.rows.push(CompletedRow { part, quantity, unit_cost, average_before });
                None
            }
            "RECEIPT_REVERSAL" => {
                let last = self.rows.pop()?;
                let is_reversed =
                    (&last.part, last.quantity, last.unit_cost) == (&row.part, -row.quantity, row.unit_cost);
                if !is_reversed {
                    self.rows.clear();
                }
                is_reversed.then_some(last.average_before)
            }
            _ => {
                self.rows.clear();
                None
            }
        }
    }
}

/// What comes in is mixed with what was there, unless there was nothing or less; what goes out changes
/// nothing, unless it is the reversal of what came in: that is taken out of the value too.
fn expected_average(row: &Row, average_before: i64) -> i128 {
    let (came, cost, average) = (i128::from(row.quantity), i128::from(row.unit_cost), i128::from(average_before));
    let there = i128::from(row.balance_after) - came;
    if row.kind == "RECEIPT_REVERSAL" {
        let left = there + came;
        let without = if left > 0 { half_even(there * average + came * cost, left) } else { average };
        if (0..=MAX_COST).contains(&without) { without } else { average }
    } else if came <= 0 {
        average
    } else if there <= 0 {
        cost
    } else {
        half_even(there * average + came * cost, there + came)
    }
}

/// Rounds halves up and then takes back those that went to an odd number.
fn half_even(dividend: i128, divisor: i128) -> i128 {
    let (twice, divisor) = (2 * dividend + divisor, 2 * divisor);
    let up = twice.div_euclid(divisor);
    let was_half = twice.rem_euclid(divisor) == 0;
    if was_half && up % 2 != 0 { up - 1 } else { up }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_rounded_half_to_even() {
        for (dividend, divisor, rounded) in [(5, 2, 2), (7, 2, 4), (9, 4, 2), (11, 4, 3), (-5, 2, -2), (8, 4, 2)] {
            assert_eq!(half_even(dividend, divisor), rounded, "{dividend} / {divisor}");
        }
    }

    #[test]
    fn an_average_follows_from_the_one_before_and_what_came_in() {
        let row = |quantity, unit_cost, balance_after| Row {
            product_id: "oak".to_owned(),
            movement_number: 1,
            kind: if quantity > 0 { "RECEIPT" } else { "SALE" }.to_owned(),
            part: String::new(),
            event_number: 1,
            quantity,
            unit_cost,
            balance_after,
            average_after: 0,
        };
        assert_eq!(expected_average(&row(300_000, 80_000_000, 400_000), 60_000_000), 75_000_000);
        assert_eq!(expected_average(&row(-200_000, 1, 200_000), 75_000_000), 75_000_000);
        assert_eq!(expected_average(&row(5_000, 200_000_000, 205_000), 75_000_000), 78_048_780);
        assert_eq!(expected_average(&row(20_000, 2_000_000, 10_000), 3_000_000), 2_000_000);
        let largest = row(9_999_999_999_999, 1_000_000_000_000_000, 9_000_000_000_000_000);
        assert_eq!(expected_average(&largest, 1_000_000_000_000_000), 1_000_000_000_000_000);
    }
    fn ledger_row(kind: &str, event_number: i64, (quantity, unit_cost): (i64, i64), balance_after: i64) -> Row {
        Row {
            product_id: "oak".to_owned(),
            movement_number: 1,
            kind: kind.to_owned(),
            part: "an item".to_owned(),
            event_number,
            quantity,
            unit_cost,
            balance_after,
            average_after: 0,
        }
    }

    #[test]
    fn a_reversal_takes_its_value_out_unless_there_is_nothing_left_to_value() {
        let row = |cost, balance_after| ledger_row("RECEIPT_REVERSAL", 2, (-300_000, cost), balance_after);
        assert_eq!(expected_average(&row(80_000_000, 100_000), 75_000_000), 60_000_000);
        assert_eq!(expected_average(&row(80_000_000, 0), 75_000_000), 75_000_000);
        assert_eq!(expected_average(&row(80_000_000, 10_000), 40_000_000), 40_000_000, "below zero");
        assert_eq!(expected_average(&row(0, 1), 1_000_000_000_000_000), 1_000_000_000_000_000, "beyond the largest");
    }

    #[test]
    fn a_reversal_restores_the_average_while_nothing_else_follows_on_the_completion() {
        let receipt = |event, cost| ledger_row("RECEIPT", event, (10_000, cost), 0);
        let reversal = |cost| ledger_row("RECEIPT_REVERSAL", 9, (-10_000, cost), 0);
        for (rows, restored) in [
            (vec![(receipt(1, 7), 5), (receipt(1, 8), 6), (reversal(8), 7), (reversal(7), 6)], vec![Some(6), Some(5)]),
            (vec![(receipt(1, 7), 5), (ledger_row("SALE", 2, (-1, 7), 0), 6), (reversal(7), 6)], vec![None]),
            // Another completion lies between, also where it was reversed too.
            (vec![(receipt(1, 7), 5), (receipt(2, 8), 6), (reversal(8), 7), (reversal(7), 6)], vec![Some(6), None]),
            (vec![(receipt(1, 7), 5), (reversal(8), 6), (reversal(7), 6)], vec![None, None]),
        ] {
            let mut completion = Completion::default();
            let followed: Vec<_> = rows.iter().map(|(row, before)| completion.follow(row, *before)).collect();
            assert_eq!(followed[rows.len() - restored.len()..], restored);
        }
    }
}
