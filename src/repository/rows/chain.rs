//! The line of a chain as the database sums it up over the orders of the chain. It is read and never saved.

use diesel::prelude::Queryable;

use super::line::unit;
use crate::domain::code::ProductId;
use crate::domain::order::chain::ChainLine;
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::repository::error::DbError;

/// A row of the query in [`crate::repository::read::chain`], with the columns in the order in which that selects them.
#[derive(Queryable)]
pub struct ChainLineRow {
    line_number: i32,
    product_id: String,
    description: String,
    unit: String,
    first_ordered: i64,
    amended: i64,
    received: i64,
    rejected: i64,
    on_hand: i64,
    returned: i64,
    excess: i64,
    cancelled: i64,
    pending: i64,
    first_receive_time: Option<i64>,
    last_receive_time: Option<i64>,
    original_order_time: Option<i64>,
}

impl TryFrom<ChainLineRow> for ChainLine {
    type Error = DbError;

    fn try_from(row: ChainLineRow) -> Result<Self, DbError> {
        Ok(Self {
            number: row.line_number,
            product: ProductId::new(row.product_id),
            description: row.description,
            unit: unit(row.unit)?,
            first_ordered: Quantity::from_scaled(row.first_ordered),
            amended: Quantity::from_scaled(row.amended),
            received: Quantity::from_scaled(row.received),
            rejected: Quantity::from_scaled(row.rejected),
            on_hand: Quantity::from_scaled(row.on_hand),
            returned: Quantity::from_scaled(row.returned),
            excess: Quantity::from_scaled(row.excess),
            cancelled: Quantity::from_scaled(row.cancelled),
            pending: Quantity::from_scaled(row.pending),
            first_receive_time: row.first_receive_time.map(Timestamp::from_micros),
            last_receive_time: row.last_receive_time.map(Timestamp::from_micros),
            original_order_time: row.original_order_time.map(Timestamp::from_micros),
        })
    }
}
