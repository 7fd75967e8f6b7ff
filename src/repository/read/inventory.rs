//! Levels and the ledger.

use diesel::prelude::*;

use super::filter::AllOf;
use crate::domain::code::{ProductId, StoreId};
use crate::domain::inventory::{Level, LevelKey, Movement};
use crate::repository::error::DbError;
use crate::repository::rows::level::{LevelRow, MovementRow};
use crate::repository::schema::{inventory_level as level, stock_movement as movement};
use crate::repository::session::Session;

/// A level.
pub fn level(session: &mut Session, key: &LevelKey) -> Result<Option<Level>, DbError> {
    let rows: Vec<LevelRow> = session.load(
        level::table
            .filter(level::store_id.eq(key.store.as_str().to_owned()))
            .filter(level::product_id.eq(key.product.as_str().to_owned())),
    )?;
    rows.into_iter().next().map(Level::try_from).transpose()
}

/// Levels by product behind `after`; of these products, if any are named.
pub fn levels(
    session: &mut Session,
    store: &StoreId,
    products: &[ProductId],
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Level>, DbError> {
    let named: Vec<String> = products.iter().map(ProductId::to_string).collect();
    let conditions = AllOf::new(level::store_id.eq(store.as_str().to_owned()))
        .and((!named.is_empty()).then(|| level::product_id.eq_any(named)))
        .and(after.map(|after| level::product_id.gt(after.to_owned())));
    let rows: Vec<LevelRow> = session.load(level::table.filter(conditions).order(level::product_id).limit(limit))?;
    rows.into_iter().map(Level::try_from).collect()
}

/// A ledger behind a movement, oldest first.
pub fn movements(session: &mut Session, key: &LevelKey, after: i64, limit: i64) -> Result<Vec<Movement>, DbError> {
    let rows: Vec<MovementRow> = session.load(
        movement::table
            .filter(movement::store_id.eq(key.store.as_str().to_owned()))
            .filter(movement::product_id.eq(key.product.as_str().to_owned()))
            .filter(movement::movement_number.gt(after))
            .order(movement::movement_number)
            .limit(limit),
    )?;
    rows.into_iter().map(Movement::try_from).collect()
}
