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

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    product_id: String,
    #[diesel(sql_type = BigInt)]
    movement_number: i64,
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
    loop {
        let rows = page(session, store, before.as_ref())?;
        let is_last = (rows.len() as i64) < PAGE;
        for row in rows {
            let average_before = match &before {
                Some(before) if before.product_id == row.product_id => before.average_after,
                _ => 0,
            };
            wrong.extend(difference(&row, average_before).map(Some));
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
        SELECT product_id, movement_number, quantity, unit_cost, balance_after, average_after FROM stock_movement
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

fn difference(row: &Row, average_before: i64) -> Option<String> {
    let expected = expected_average(row, average_before);
    (expected != i128::from(row.average_after)).then(|| {
        format!(
            "movement {} of {} moves {{q:{}}} at {{c:{}}} to {{q:{}}} and an average cost of {{c:{}}}, but after an \
             average of {{c:{average_before}}} that is {{c:{expected}}}",
            row.movement_number, row.product_id, row.quantity, row.unit_cost, row.balance_after, row.average_after
        )
    })
}

/// What comes in is mixed with what was there, unless there was nothing or less; what goes out changes
/// nothing.
fn expected_average(row: &Row, average_before: i64) -> i128 {
    let (came, cost, average) = (i128::from(row.quantity), i128::from(row.unit_cost), i128::from(average_before));
    let there = i128::from(row.balance_after) - came;
    if came <= 0 {
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
}
