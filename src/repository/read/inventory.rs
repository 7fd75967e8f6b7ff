//! Reads inventory levels, the lots in stock, and the ledger of stock movements that explains each of them.

use diesel::prelude::*;

use super::authorized::{AccessCheck, ReadError, ReadSession};
use super::filter::AllOf;
use crate::domain::code::ProductId;
use crate::domain::inventory::lot::LotInStock;
use crate::domain::inventory::{Level, Movement};
use crate::domain::time::Date;
use crate::domain::unit::Unit;
use crate::repository::error::DbError;
use crate::repository::rows::level::{LevelRow, MovementRow};
use crate::repository::rows::lot::{LotRow, LotSum, expiry_key, is_in_stock};
use crate::repository::schema::{inventory_level as level, inventory_lot as lot, stock_movement as movement};

/// The inventory level of a product; `None` if no order or adjustment of the store has ever named it.
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

/// Which lots a list shows. A field that is not set excludes none.
#[derive(Clone, Debug, Default)]
pub struct LotFilter {
    /// Lots of this product.
    pub product: Option<ProductId>,
    /// Lots with an expiry date before this day.
    pub expires_before: Option<Date>,
}

/// A position in the list of lots, which page tokens carry: expiry date or `none`, product and code. A lot that is sold
/// out while pages are read is left out; no other is repeated or left out for it.
pub type LotPosition = (String, String, String);

/// The position at which the list shows a lot.
pub fn lot_position(LotInStock { key, .. }: &LotInStock) -> LotPosition {
    (expiry_key(key.lot.expiry_date), key.level.product.to_string(), key.lot.code.clone())
}

/// A page of the lots in stock after a position, those that expire first before the others. An index in the order of the
/// list is walked until the page is full: that of the store or of the product.
pub fn lots(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    filter: &LotFilter,
    after: Option<&LotPosition>,
    limit: i64,
) -> Result<Vec<LotInStock>, ReadError> {
    let product = filter.product.as_ref().map(ProductId::to_string);
    let before = filter.expires_before.map(|date| date.to_string());
    let conditions = AllOf::new(lot::store_id.eq(check.store.as_str().to_owned()))
        .and(Some(is_in_stock()))
        .and(product.map(|product| lot::product_id.eq(product)))
        .and(before.map(|before| lot::expiry_date.lt(before)))
        // Both together mean: (date, product, code) is greater than the position. The first is implied by the second, but
        // it is what an index can begin at.
        .and(after.map(|(date, _, _)| lot::expiry_date.ge(date.clone())))
        .and(after.map(|(date, product, code)| {
            let same_product = lot::product_id.eq(product.clone()).and(lot::lot_code.gt(code.clone()));
            lot::expiry_date.gt(date.clone()).or(lot::product_id.gt(product.clone())).or(same_product)
        }));
    let unit = level::table
        .filter(level::store_id.eq(lot::store_id))
        .filter(level::product_id.eq(lot::product_id))
        .select(level::unit)
        .single_value();
    let found = lot::table
        .filter(conditions)
        .order((lot::expiry_date, lot::product_id, lot::lot_code))
        .limit(limit)
        .select((lot::all_columns, unit));
    let (_, rows) = session.authorize_and_load::<(LotRow, Option<String>), _>(check, found)?;
    let mut lots = Vec::with_capacity(rows.len());
    for (row, unit) in rows {
        let LotSum { key, quantity: on_hand } = row.try_into()?;
        let unit = unit.and_then(|unit| Unit::from_name(&unit));
        let unit = unit.ok_or_else(|| DbError::unreadable("lot", "its product has no level with a known unit"))?;
        lots.push(LotInStock { key, unit, on_hand });
    }
    lots.sort_by_cached_key(lot_position);
    Ok(lots)
}

/// A page of the ledger of a product, oldest first, after the movement with the number `after`. `None` if no order or
/// adjustment of the store has ever named the product; an empty page means that there are no more movements.
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
