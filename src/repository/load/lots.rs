//! Lots of products.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::{entities, level_key};
use crate::domain::inventory::LevelKey;
use crate::domain::inventory::lot::{LotKey, LotStock, MAX_LOTS_TAKEN};
use crate::domain::needs::Need;
use crate::domain::working_set::WorkingSet;
use crate::repository::error::DbError;
use crate::repository::lookups;
use crate::repository::rows::lot::{LotRow, LotSum, expiry_key, is_in_stock};
use crate::repository::schema::inventory_lot as lot;
use crate::repository::session::Session;

/// Loads the lots of products that are sold first. Where there are more than an adjustment may take stock out of, those
/// behind them are not used.
pub(super) fn in_stock(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<LevelKey>,
) -> Result<(), DbError> {
    let mut found: Vec<LotSum> = entities::<lookups::LotsInStock, LotRow, _>(session, keys.iter().map(level_key))?;
    if found.len() >= lookups::MOST_LOTS {
        // Rare: products of which thousands of lots are in stock, because nobody tells what is sold of them.
        found.clear();
        for key in &keys {
            found.extend(first_in_stock(session, key)?);
        }
    }
    let mut by_level = by_level(found);
    for key in keys {
        let mut stock = by_level.remove(&key).unwrap_or_default();
        // Otherwise all lots in stock are known, and what none of them has can be taken from what is in no lot.
        if stock.on_hand.len() > MAX_LOTS_TAKEN {
            stock.loaded_to = stock.on_hand.keys().nth(MAX_LOTS_TAKEN - 1).cloned();
        }
        working_set.set_complete(key.store.clone(), Need::LotsInStock(key.product.clone()));
        working_set.insert_lots(key, stock);
    }
    Ok(())
}

/// The lots of a product that are sold first, and one more than an adjustment may take stock out of.
fn first_in_stock(session: &mut Session, key: &LevelKey) -> Result<Vec<LotSum>, DbError> {
    let rows: Vec<LotRow> = session.load(
        lot::table
            .filter(lot::store_id.eq(key.store.as_str().to_owned()))
            .filter(lot::product_id.eq(key.product.as_str().to_owned()))
            .filter(is_in_stock())
            .order((lot::expiry_date, lot::lot_code))
            .limit(MAX_LOTS_TAKEN as i64 + 1),
    )?;
    rows.into_iter().map(LotSum::try_from).collect()
}

/// Loads the lots of products with a code.
pub(super) fn with_code(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<(LevelKey, String)>,
) -> Result<(), DbError> {
    let looked_up = keys.iter().map(|(level, code)| [level_key(level), vec![code.as_str().into()]].concat());
    let mut found: Vec<LotSum> = entities::<lookups::LotsWithCode, LotRow, _>(session, looked_up)?;
    if found.len() >= lookups::MOST_LOTS {
        // Rare: a supplier who gives one code to goods of thousands of dates.
        found.clear();
        for (level, code) in &keys {
            found.extend(first_with_code(session, level, code)?);
        }
    }
    for (level, stock) in by_level(found) {
        working_set.insert_lots(level, stock);
    }
    for (level, code) in keys {
        working_set.set_complete(level.store.clone(), Need::LotsWithCode(level.product.clone(), code, None));
        // Also for a code that no lot has, so that this is known.
        working_set.insert_lots(level, LotStock::default());
    }
    Ok(())
}

/// The first lots of a product with a code, and one more than an adjustment may take stock out of.
fn first_with_code(session: &mut Session, key: &LevelKey, code: &str) -> Result<Vec<LotSum>, DbError> {
    let rows: Vec<LotRow> = session.load(
        lot::table
            .filter(lot::store_id.eq(key.store.as_str().to_owned()))
            .filter(lot::product_id.eq(key.product.as_str().to_owned()))
            .filter(lot::lot_code.eq(code.to_owned()))
            .order(lot::expiry_date)
            .limit(MAX_LOTS_TAKEN as i64 + 1),
    )?;
    rows.into_iter().map(LotSum::try_from).collect()
}

/// Loads single lots by their codes and expiry dates.
pub(super) fn named(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<LotKey>,
) -> Result<(), DbError> {
    let looked_up = keys.iter().map(|key| {
        let lot = vec![key.lot.code.as_str().into(), expiry_key(key.lot.expiry_date).into()];
        [level_key(&key.level), lot].concat()
    });
    let found: Vec<LotSum> = entities::<lookups::NamedLots, LotRow, _>(session, looked_up)?;
    for (level, stock) in by_level(found) {
        working_set.insert_lots(level, stock);
    }
    for LotKey { level, lot } in keys {
        let need = Need::LotsWithCode(level.product.clone(), lot.code, lot.expiry_date);
        working_set.set_complete(level.store.clone(), need);
        // Also for a lot that does not exist, so that this is known.
        working_set.insert_lots(level, LotStock::default());
    }
    Ok(())
}

fn by_level(found: Vec<LotSum>) -> BTreeMap<LevelKey, LotStock> {
    let mut by_level: BTreeMap<LevelKey, LotStock> = BTreeMap::new();
    for LotSum { key, quantity } in found {
        by_level.entry(key.level).or_default().post(&key.lot, quantity);
    }
    by_level
}
