//! Reading levels, creating them and posting to their ledgers. What orders add to a level is not put
//! here: it follows from their lines, see [`super::derived`].

use super::Changeset;
use crate::domain::code::ProductId;
use crate::domain::inventory::{Level, LevelKey, Movement};
use crate::domain::refusal::Refusal;
use crate::domain::unit::Unit;

impl Changeset<'_> {
    /// The level of a product as this changeset leaves it; `None` if no order of the store has named the
    /// product before.
    pub fn level(&self, product: &ProductId) -> Result<Option<Level>, Refusal> {
        let key = self.level_key(product);
        match self.levels.get(&key) {
            Some(level) => Ok(Some(level.clone())),
            None => Ok(self.working_set.levels.get(&key)?.cloned()),
        }
    }

    /// Creates the empty level of a product that no order has named before, which fixes its unit.
    pub fn create_level(&mut self, product: &ProductId, unit: Unit) {
        let key = self.level_key(product);
        self.levels.insert(key.clone(), Level::empty(key, unit));
    }

    /// Puts a quantity on hand by a ledger row. The row's number and balance are filled in here, so that
    /// several rows of one command follow each other.
    pub fn post(&mut self, movement: Movement) -> Result<(), Refusal> {
        let level = self.level_mut(&movement.level)?;
        level.on_hand += movement.quantity;
        level.last_movement += 1;
        let posted = Movement { number: level.last_movement, balance_after: level.on_hand, ..movement };
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

    fn level_key(&self, product: &ProductId) -> LevelKey {
        LevelKey { store: self.envelope.store.clone(), product: product.clone() }
    }
}
