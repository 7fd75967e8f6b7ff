//! Reads inventory levels, and the ledger of stock movements that explains each of them.

use diesel::prelude::*;

use super::authorized::{AccessCheck, ReadError, ReadSession};
use super::filter::AllOf;
use crate::domain::code::ProductId;
use crate::domain::inventory::{Level, Movement};
use crate::repository::rows::level::{LevelRow, MovementRow};
use crate::repository::schema::{inventory_level as level, stock_movement as movement};

/// The inventory level of a product; `None` if no order of the store has ever had it.
pub fn level(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    product: &ProductId,
) -> Result<Option<Level>, ReadError> {
    let query = level::table
        .filter(level::store_id.eq(check.store.as_str().to_owned()))
        .filter(level::product_id.eq(product.as_str().to_owned()));
    let (_, rows) = session.authorize_and_load::<LevelRow, _>(check, query)?;
    Ok(rows.into_iter().next().map(Level::try_from).transpose()?)
}

/// A page of inventory levels, sorted by product, after the product `after`; only of `products`, unless that is empty.
pub fn levels(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    products: &[ProductId],
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Level>, ReadError> {
    let products: Vec<String> = products.iter().map(ProductId::to_string).collect();
    let conditions = AllOf::new(level::store_id.eq(check.store.as_str().to_owned()))
        .and((!products.is_empty()).then(|| level::product_id.eq_any(products)))
        .and(after.map(|after| level::product_id.gt(after.to_owned())));
    let query = level::table.filter(conditions).order(level::product_id).limit(limit);
    let (_, rows) = session.authorize_and_load::<LevelRow, _>(check, query)?;
    let mut levels = rows.into_iter().map(Level::try_from).collect::<Result<Vec<_>, _>>()?;
    levels.sort_by(|one, other| one.key.product.cmp(&other.key.product));
    Ok(levels)
}

/// A page of the ledger of a product, oldest first, after the movement with the number `after`. `None` if no
/// order of the store has ever had the product; an empty page means that nothing of it was completed yet.
pub fn movements(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    product: &ProductId,
    after: i64,
    limit: i64,
) -> Result<Option<Vec<Movement>>, ReadError> {
    let of_product = level::table
        .filter(level::store_id.eq(check.store.as_str().to_owned()))
        .filter(level::product_id.eq(product.as_str().to_owned()));
    let rows = movement::table
        .filter(movement::store_id.eq(check.store.as_str().to_owned()))
        .filter(movement::product_id.eq(product.as_str().to_owned()))
        .filter(movement::movement_number.gt(after))
        .order(movement::movement_number)
        .limit(limit);
    let (_, levels, rows) = session.authorize_and_load_two::<LevelRow, MovementRow, _, _>(check, (of_product, rows))?;
    // The level is read only to tell a product without movements from one that the store does not have.
    if levels.is_empty() {
        return Ok(None);
    }
    let mut movements = rows.into_iter().map(Movement::try_from).collect::<Result<Vec<_>, _>>()?;
    movements.sort_by_key(|movement| movement.number);
    Ok(Some(movements))
}
