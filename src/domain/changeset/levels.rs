//! Reading levels, creating them and posting to their ledgers. What orders add to a level is not put
//! here: it follows from their lines, see [`super::derived`].

use super::Changeset;
use crate::domain::code::ProductId;
use crate::domain::inventory::lot::{LotQuantity, LotStock};
use crate::domain::inventory::{Level, LevelKey, Movement};
use crate::domain::money::UnitCost;
use crate::domain::needs::Need;
use crate::domain::refusal::Refusal;
use crate::domain::time::Date;
use crate::domain::unit::Unit;

impl Changeset<'_> {
    /// The level of a product as this changeset leaves it; `None` if no order or adjustment of the store has named
    /// the product before.
    pub fn level(&self, product: &ProductId) -> Result<Option<Level>, Refusal> {
        let key = self.level_key(product);
        match self.levels.get(&key) {
            Some(level) => Ok(Some(level.clone())),
            None => Ok(self.working_set.levels.get(&key)?.cloned()),
        }
    }

    /// The lots of a product that are in stock, before this changeset.
    pub fn lots_in_stock(&self, product: &ProductId) -> Result<LotStock, Refusal> {
        self.lots(product, Need::LotsInStock(product.clone()))
    }

    /// The lots of a product with a code, in stock or not, before this changeset: the one with this expiry date if one
    /// is given, or else all, or more than an adjustment may take stock out of.
    pub fn lots_with_code(
        &self,
        product: &ProductId,
        code: &str,
        expiry_date: Option<Date>,
    ) -> Result<Vec<LotQuantity>, Refusal> {
        let need = Need::LotsWithCode(product.clone(), code.to_owned(), expiry_date);
        Ok(self.lots(product, need)?.with_code(code, expiry_date))
    }

    fn lots(&self, product: &ProductId, need: Need) -> Result<LotStock, Refusal> {
        Ok(self.working_set.lots(&self.level_key(product), need)?.clone())
    }

    /// Creates the empty level of a product that is new to the store, which fixes its unit.
    pub fn create_level(&mut self, product: &ProductId, unit: Unit) {
        let key = self.level_key(product);
        self.levels.insert(key.clone(), Level::empty(key, unit));
    }

    /// Puts a quantity on hand, or takes it away, by a ledger row, and returns the row as it is stored. Its
    /// number, balance and average are filled in here, so that several rows of one command follow each
    /// other.
    pub fn post(&mut self, movement: Movement) -> Result<&Movement, Refusal> {
        let posted = self.level_mut(&movement.level)?.post(movement);
        Ok(self.decision.movements.push_mut(posted))
    }

    /// Takes what a ledger row put on hand out again, by the row that reverses it; the last row first, where there are
    /// several. With `average_before`, the row is the last of its ledger, and the average cost becomes again what it
    /// was before.
    pub fn reverse(&mut self, reversal: Movement, average_before: Option<UnitCost>) -> Result<(), Refusal> {
        let level = self.level_mut(&reversal.level)?;
        // With other rows in between, what the average was before is not what it would be without this one.
        let posted = match average_before {
            Some(average) => level.undo(reversal, average),
            None => level.post(reversal),
        };
        self.decision.movements.push(posted);
        Ok(())
    }

    /// The level of a product that a line names, to change. Every line has a level since its product was
    /// first ordered, so one that is absent is a bug and not a product without stock.
    pub(super) fn level_mut(&mut self, key: &LevelKey) -> Result<&mut Level, Refusal> {
        if !self.levels.contains_key(key)
            && let Some(level) = self.working_set.levels.get(key)?
        {
            self.levels.insert(key.clone(), level.clone());
        }
        self.levels.get_mut(key).ok_or_else(|| Refusal::Bug(format!("there is no level of {}", key.product)))
    }

    /// The full key of the level of a product.
    pub fn level_key(&self, product: &ProductId) -> LevelKey {
        LevelKey { store: self.envelope.store.clone(), product: product.clone() }
    }
}
