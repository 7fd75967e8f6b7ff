//! Lots of products.

use std::collections::{BTreeMap, BTreeSet};

use super::{entities, level_key};
use crate::domain::inventory::LevelKey;
use crate::domain::inventory::lot::{LotStock, MAX_LOTS_TAKEN};
use crate::domain::needs::Need;
use crate::domain::working_set::WorkingSet;
use crate::repository::error::DbError;
use crate::repository::lookups;
use crate::repository::rows::lot::{LotRow, LotSum};
use crate::repository::session::Session;

/// Loads the lots of products that are sold first. Where there are more than an adjustment may take stock out of, the
/// first that is too many is loaded as well, and is not used.
pub(super) fn in_stock(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<LevelKey>,
) -> Result<(), DbError> {
    let found: Vec<LotSum> = entities::<lookups::LotsInStock, LotRow, _>(session, keys.iter().map(level_key))?;
    let mut by_level = by_level(found);
    for key in keys {
        let mut stock = by_level.remove(&key).unwrap_or_default();
        stock.loaded_to = stock
            .on_hand
            .keys()
            .nth(MAX_LOTS_TAKEN)
            .and_then(|_| stock.on_hand.keys().nth(MAX_LOTS_TAKEN - 1))
            .cloned();
        working_set.set_complete(key.store.clone(), Need::LotsInStock(key.product.clone()));
        working_set.insert_lots(key, stock);
    }
    Ok(())
}

/// Loads the lots of products with a code.
pub(super) fn with_code(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<(LevelKey, String)>,
) -> Result<(), DbError> {
    let looked_up = keys.iter().map(|(level, code)| [level_key(level), vec![code.as_str().into()]].concat());
    let found: Vec<LotSum> = entities::<lookups::LotsWithCode, LotRow, _>(session, looked_up)?;
    for (level, stock) in by_level(found) {
        working_set.insert_lots(level, stock);
    }
    for (level, code) in keys {
        working_set.set_complete(level.store.clone(), Need::LotsWithCode(level.product.clone(), code));
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
