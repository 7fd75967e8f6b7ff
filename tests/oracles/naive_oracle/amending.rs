//! What an amendment and a confirmation do to an order, in the naive model.

use crate::naive_oracle::books::{Line, Order};
use crate::naive_oracle::command::{Amended, Amendment, Confirmation, Confirmed, Day, day};
use crate::naive_oracle::model::ensure_fit;
use crate::naive_oracle::numbers::{DEAREST, Quantity, part_of_pack, stated};
use crate::naive_oracle::refused::{Refused, ensure};

impl Order {
    /// Changes lines, adds lines and takes lines away; `next` is the first number that is free in its chain.
    pub fn amend(&mut self, amendment: &Amendment, next: i32) -> Result<(), Refused> {
        let given = amendment.lines.iter().filter_map(|line| line.expected.flatten());
        let given = given.chain(amendment.new_lines.iter().filter_map(|line| line.expected));
        self.ensure_not_early(given.chain(amendment.expected.flatten()))?;
        ensure_fit(self.placed.is_none() || amendment.new_lines.iter().all(|new| quantity_of(new) > 0))?;
        self.expected = amendment.expected.unwrap_or(self.expected);
        self.charges = amendment.charges.clone().unwrap_or_else(|| self.charges.clone());
        let mut touched: Vec<i32> = Vec::new();
        for amended in &amendment.lines {
            self.amend_line(amended)?;
            touched.push(amended.line);
        }
        for (number, new) in (next..).zip(&amendment.new_lines) {
            self.lines.insert(number, Line::of(new, self.expected));
            self.last_line = number;
            touched.push(number);
        }
        for (number, line) in &mut self.lines {
            let expected = line.expected.or(self.expected);
            if self.placed.is_none() {
                (line.first_ordered, line.first_expected) = (line.ordered, expected);
            } else if amendment.expected.is_some() || touched.contains(number) {
                line.first_expected = line.first_expected.or(expected);
            }
        }
        let is_something_left = match self.placed {
            None => !self.lines.is_empty(),
            Some(_) => self.has_accepted() || !self.all_pending().is_empty(),
        };
        ensure(is_something_left, "NOTHING_LEFT")
    }

    fn amend_line(&mut self, amended: &Amended) -> Result<(), Refused> {
        let number = amended.line;
        let (accepted, excess) = (self.accepted(number), self.excess(number));
        let least = accepted - excess + self.lines[&number].cancelled;
        if amended.is_removed && self.placed.is_none() {
            self.lines.remove(&number);
            return Ok(());
        }
        let before = self.lines[&number].clone();
        let mut line = before.clone();
        if amended.is_removed {
            line.ordered = least;
        }
        if amended.quantity.is_some() || amended.packs.is_some() {
            let ordered = stated(amended.quantity, amended.packs, line.pack_size);
            ensure_fit(ordered.is_some_and(|ordered| ordered >= least && self.admits(number, ordered)))?;
            line.ordered = ordered.unwrap_or_default();
        }
        if let Some(cost) = amended.unit_cost {
            (line.unit_cost, line.pack_cost) = (cost, None);
        }
        if let Some(cost) = amended.pack_cost {
            let part = line.pack_size.map(|size| part_of_pack(cost, size));
            ensure_fit(part.is_some_and(|part| part <= DEAREST))?;
            (line.unit_cost, line.pack_cost) = (part.unwrap_or_default(), Some(cost));
        }
        let costs = |line: &Line| (line.unit_cost, line.pack_cost);
        ensure_fit(accepted == 0 || costs(&line) == costs(&before))?;
        line.expected = amended.expected.unwrap_or(line.expected);
        line.note = amended.note.unwrap_or(line.note);
        self.lines.insert(number, line);
        Ok(())
    }

    /// Notes what the supplier says of lines, and of all others if it says so.
    pub fn confirm(&mut self, confirmation: &Confirmation) -> Result<(), Refused> {
        let given = confirmation.lines.iter().filter_map(|line| line.expected);
        self.ensure_not_early(given.chain(confirmation.expected))?;
        let numbers: Vec<i32> = self.lines.keys().copied().collect();
        for number in numbers {
            let wanted = (self.lines[&number].ordered - self.lines[&number].cancelled).max(0);
            let as_ordered = Confirmed { line: number, quantity: None, packs: None, expected: None };
            let named = confirmation.lines.iter().find(|named| named.line == number).copied();
            let Some(named) = named.or_else(|| (confirmation.rest && wanted > 0).then_some(as_ordered)) else {
                continue;
            };
            let mut line = self.lines[&number].clone();
            let quantity = match (named.quantity, named.packs) {
                (None, None) => Some(wanted),
                (quantity, packs) => stated(quantity, packs, line.pack_size),
            };
            ensure_fit(quantity.is_some_and(|quantity| self.admits(number, quantity)))?;
            let expected = named.expected.or(confirmation.expected);
            line.confirmed = quantity;
            line.expected = expected.or(line.expected);
            line.first_expected = line.first_expected.or(expected);
            self.lines.insert(number, line);
        }
        Ok(())
    }

    /// A placed order is not expected before the day of its order.
    fn ensure_not_early(&self, mut given: impl Iterator<Item = Day>) -> Result<(), Refused> {
        ensure_fit(self.ordered.is_none_or(|ordered| given.all(|expected| expected >= day(ordered))))
    }

    /// The numbers of its lines that changed, are new or are named; without those that are gone.
    pub fn changed_lines(&self, before: &Self, named: &[i32]) -> Vec<i32> {
        let changed = |number: &i32| before.lines.get(number) != self.lines.get(number) || named.contains(number);
        self.lines.keys().copied().filter(changed).collect()
    }
}

fn quantity_of(new: &crate::naive_oracle::command::NewLine) -> Quantity {
    stated(new.quantity, new.packs, new.pack_size).unwrap_or_default()
}
