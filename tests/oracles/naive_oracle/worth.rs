//! What lines and deliveries are worth. Each value is rounded once, and what is added up is rounded.

use crate::naive_oracle::books::{Item, Line, Order};
use crate::naive_oracle::numbers::{Amount, Cost, Exact, Quantity, WHOLE, rounded, times};

impl Line {
    /// Whole packs at the cost of a pack, if the line is priced so; otherwise units at the cost of a unit.
    fn exactly(&self, quantity: Quantity) -> Exact {
        match (self.packs(quantity), self.pack_cost) {
            (Some(packs), Some(pack_cost)) => times(packs * WHOLE, pack_cost),
            _ => times(quantity, self.unit_cost),
        }
    }

    pub fn worth(&self, quantity: Quantity) -> Amount {
        rounded(self.exactly(quantity))
    }

    /// What was delivered of it: at the invoiced costs where the item names them.
    pub fn worth_of(&self, item: &Item) -> Amount {
        let at = |quantity: Quantity, cost: Option<Cost>| match cost {
            Some(cost) => times(quantity, cost),
            None => self.exactly(quantity),
        };
        match item.excess_cost {
            Some(cost) => rounded(at(item.accepted - item.excess, item.unit_cost) + times(item.excess, cost)),
            None => rounded(at(item.accepted, item.unit_cost)),
        }
    }
}

impl Order {
    pub fn ordered_cost(&self) -> Amount {
        self.lines.values().map(|line| line.worth(line.ordered)).sum()
    }

    pub fn pending_cost(&self) -> Amount {
        self.lines.iter().map(|(number, line)| line.worth(self.pending(*number))).sum()
    }

    pub fn received_cost(&self) -> Amount {
        self.active().flat_map(|receipt| &receipt.items).map(|item| self.worth_of(item)).sum()
    }

    pub fn charges_cost(&self) -> Amount {
        self.charges.iter().sum()
    }

    pub fn worth_of(&self, item: &Item) -> Amount {
        item.worth_when_voided.unwrap_or_else(|| self.lines[&item.line].worth_of(item))
    }
}
