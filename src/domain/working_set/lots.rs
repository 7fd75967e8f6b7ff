//! Lots of products.

use super::{NotLoaded, WorkingSet};
use crate::domain::inventory::lot::LotStock;
use crate::domain::inventory::{LevelKey, Movement};
use crate::domain::needs::Need;

impl WorkingSet {
    /// The lots of a product, of which those are known that `need` names.
    pub fn lots(&self, level: &LevelKey, need: Need) -> Result<&LotStock, NotLoaded> {
        self.check_all(&level.store, need, "the lots of a product")?;
        self.lots.get(level).ok_or(NotLoaded("the lots of a product"))
    }

    /// Notes lots of a product, beside those that are noted already.
    pub fn insert_lots(&mut self, level: LevelKey, stock: LotStock) {
        let known = self.lots.entry(level).or_default();
        known.on_hand.extend(stock.on_hand);
        // Lots by a code have no end, and may be noted before or after those in stock, which may have one.
        known.loaded_to = known.loaded_to.take().or(stock.loaded_to);
    }

    /// Keeps the lots of those products up to date of which any are loaded. A lot that was not loaded then has an
    /// entry that is too small; nobody reads it, because the need that would name it is not noted as complete, or
    /// because it lies behind the last lot that is loaded.
    pub(super) fn absorb_lots(&mut self, movements: &[Movement]) {
        for row in movements {
            if let (Some(lot), Some(stock)) = (&row.lot, self.lots.get_mut(&row.level)) {
                stock.post(lot, row.quantity);
            }
        }
    }
}
