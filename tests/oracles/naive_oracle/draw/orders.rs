//! Drawing orders, and what is done to them but for deliveries.

use purchase_order_service::proto::v1::{PendingDisposition as Rest, Unit};

use crate::naive_oracle::books::Order;
use crate::naive_oracle::command::{
    Amended, Amendment, Command, Confirmation, Confirmed, DAY, Day, Disposed, Name, NewLine, NewOrder, Verb, day,
};
use crate::naive_oracle::generator::{Generator, PRODUCTS};
use crate::naive_oracle::model::Model;
use crate::naive_oracle::numbers::{Quantity, WHOLE};

/// Few enough that orders often ask for the same.
const EXTERNAL_IDS: [Name; 6] = ["", "e-1", "e-2", "e-3", "e-4", "e-5"];

impl Generator {
    pub fn create(&mut self, today: Day) -> Command {
        let lines = (0..self.rng.usize(1..5)).map(|_| self.new_line(today)).collect();
        let charges = if self.one_in(4) { self.rng.usize(1..4) } else { 0 };
        Command::Create(NewOrder {
            supplier: self.one_of(&["acme", "bolt"]),
            currency: if self.one_in(60) { "USD" } else { self.one_of(&["", "EUR"]) },
            external_id: if self.one_in(16) { self.one_of(&EXTERNAL_IDS) } else { "" },
            expected: self.expected(today),
            lines: if self.one_in(80) { Vec::new() } else { lines },
            charges: (0..charges).map(|_| i128::from(self.rng.i64(0..999_999))).collect(),
        })
    }

    fn new_line(&mut self, today: Day) -> NewLine {
        let (product, mut unit) = self.one_of(&PRODUCTS);
        if self.one_in(80) {
            unit = self.one_of(&[Unit::Each, Unit::Kilogram]);
        }
        let whole = WHOLE * self.rng.i64(1..=20);
        let quantity = match self.rng.u32(..80) {
            0 => 0,
            1 => whole + WHOLE / 2,
            2..6 => whole * 50,
            _ if unit == Unit::Kilogram => whole + self.rng.i64(0..WHOLE),
            _ => whole,
        };
        let line = NewLine {
            product,
            unit,
            gtin: self.gtin(product),
            note: self.one_of(&["", "ripe"]),
            quantity: Some(quantity),
            unit_cost: Some(self.cost()),
            tolerance: if self.one_in(4) { Some(self.tolerance()) } else { None },
            expected: self.expected(today),
            lot_required: self.one_in(5),
            ..NewLine::default()
        };
        if self.one_in(3) { self.by_the_pack(line) } else { line }
    }

    /// The same in packs, mostly priced so as well; now and then in a form that is none.
    fn by_the_pack(&mut self, line: NewLine) -> NewLine {
        let sizes = if line.unit == Unit::Kilogram { [25_000, 3_333, 20_000] } else { [60_000, 20_000, 5_000] };
        let size = self.one_of(&sizes);
        // Half a piece in a pack: as many packs as make whole pieces.
        let packs = WHOLE * self.rng.i64(1..6) * if size == 5_000 { 2 } else { 1 };
        let units = packs / WHOLE * size;
        let mut line = NewLine { pack_size: Some(size), ..line };
        match self.rng.u32(..4) {
            0 => {}
            1 => line.quantity = Some(units),
            2 => (line.packs, line.quantity) = (Some(packs), None),
            _ => (line.packs, line.quantity) = (Some(packs), Some(units)),
        }
        if !self.one_in(3) {
            (line.pack_cost, line.unit_cost) = (Some(self.cost()), None);
        }
        match self.rng.u32(..60) {
            0 => line.pack_size = None,
            1 => line.pack_size = Some(0),
            2 => line.packs = line.packs.map(|packs| packs + 1),
            3 => line.packs = line.packs.map(|packs| packs + WHOLE),
            4 => line.unit_cost = Some(1),
            5 => (line.unit_cost, line.pack_cost) = (None, None),
            6 => (line.packs, line.quantity) = (None, None),
            _ => {}
        }
        line
    }

    pub fn set_external_id(&mut self, _: &Order, _: &Model) -> Verb {
        Verb::SetExternalId(self.one_of(&EXTERNAL_IDS))
    }

    pub fn place(&mut self, _: &Order, model: &Model) -> Verb {
        let order_time = match self.rng.u32(..20) {
            0 => Some(model.now + 1),
            1..8 => Some(model.now - self.rng.i64(0..3 * DAY)),
            _ => None,
        };
        Verb::Place { order_time }
    }

    pub fn complete(&mut self, order: &Order, model: &Model) -> Verb {
        let rest = match self.rng.u32(..6) {
            0 => Rest::Cancel,
            1 => Rest::Unspecified,
            _ => Rest::BackOrder,
        };
        let lines = if self.one_in(3) { self.dispositions(order, day(model.now)) } else { Vec::new() };
        let reason = if self.one_in(10) { "" } else { "never came" };
        Verb::Complete { lines, rest, reason, expected: self.expected(day(model.now)) }
    }

    fn dispositions(&mut self, order: &Order, today: Day) -> Vec<Disposed> {
        let mut lines = Vec::new();
        for (number, line) in &order.lines {
            if self.rng.bool() {
                continue;
            }
            let pending: Quantity = order.pending(*number);
            let part = self.part_of(pending, line.unit).min(pending);
            let (back_order, cancel) = self.one_of(&[(part, pending - part), (pending, 0), (0, pending)]);
            let reason = self.one_of(&["", "", "another colour"]);
            let expected = if self.one_in(6) { self.expected(today) } else { None };
            lines.push(Disposed { line: *number, back_order, cancel, reason, expected });
        }
        match self.rng.u32(..30) {
            0 => lines.push(Disposed { line: 99, back_order: WHOLE, ..Disposed::default() }),
            1 => lines.extend(lines.first().cloned()),
            2 => lines.iter_mut().for_each(|disposition| disposition.cancel += WHOLE),
            3 => lines.iter_mut().for_each(|disposition| disposition.back_order += WHOLE / 2),
            _ => {}
        }
        lines
    }

    /// Some lines, now and then below what has come; a date, charges and new lines besides.
    pub fn amend(&mut self, order: &Order, model: &Model) -> Verb {
        let today = day(model.now);
        let mut amendment = Amendment::default();
        for (number, line) in &order.lines {
            if self.rng.bool() {
                continue;
            }
            let mut amended = Amended { line: *number, ..Amended::default() };
            match self.rng.u32(..12) {
                0 | 1 => amended.is_removed = true,
                2 => amended.packs = Some(WHOLE * self.rng.i64(0..4)),
                3 if line.pack_size.is_some() || self.one_in(8) => amended.pack_cost = Some(self.cost()),
                3 | 4 => amended.unit_cost = Some(self.cost()),
                5 => amended.expected = Some(self.expected(today)),
                6 => amended.note = Some(self.one_of(&["", "riper"])),
                _ => amended.quantity = Some(self.part_of(line.ordered + 5 * WHOLE, line.unit)),
            }
            if self.one_in(40) {
                (amended.is_removed, amended.note) = (true, Some("gone"));
            }
            amendment.lines.push(amended);
        }
        match self.rng.u32(..30) {
            0 => amendment.lines.push(Amended { line: 99, note: Some("who?"), ..Amended::default() }),
            1 => amendment.lines.extend(amendment.lines.first().copied()),
            2 => amendment.lines.iter_mut().for_each(|line| line.quantity = Some(WHOLE / 2)),
            3..6 => amendment.expected = Some(self.expected(today)),
            6 => {
                amendment.charges =
                    Some((0..self.rng.usize(0..3)).map(|_| i128::from(self.rng.i64(0..9_999))).collect())
            }
            7..12 => amendment.new_lines = (0..self.rng.usize(1..3)).map(|_| self.new_line(today)).collect(),
            _ => {}
        }
        Verb::Amend(amendment)
    }

    /// What a supplier says: mostly that it comes as ordered, or that less does.
    pub fn confirm(&mut self, order: &Order, model: &Model) -> Verb {
        let today = day(model.now);
        let mut lines = Vec::new();
        for (number, line) in &order.lines {
            if self.rng.bool() {
                continue;
            }
            let mut confirmed = Confirmed { line: *number, ..Confirmed::default() };
            match self.rng.u32(..8) {
                0 => confirmed.packs = Some(WHOLE * self.rng.i64(0..4)),
                1..4 => confirmed.quantity = Some(self.part_of(line.ordered, line.unit)),
                4 => confirmed.expected = self.expected(today),
                _ => {}
            }
            lines.push(confirmed);
        }
        match self.rng.u32(..40) {
            0 => lines.push(Confirmed { line: 99, ..Confirmed::default() }),
            1 => lines.extend(lines.first().copied()),
            _ => {}
        }
        Verb::Confirm(Confirmation { lines, rest: self.rng.bool(), expected: self.expected(today) })
    }

    /// One line or several, now and then with more than is pending.
    pub fn cancel_lines(&mut self, order: &Order, _: &Model) -> Verb {
        let mut lines = Vec::new();
        for (number, line) in &order.lines {
            let pending: Quantity = order.pending(*number);
            if pending == 0 && !self.one_in(12) || self.rng.bool() && !lines.is_empty() {
                continue;
            }
            let part = self.part_of(pending, line.unit).max(1);
            lines.push((*number, if self.one_in(3) { None } else { Some(part) }));
        }
        if lines.is_empty() || self.one_in(30) {
            lines.push((99, None));
        }
        if self.one_in(30) {
            lines[0].1 = Some(WHOLE * 900);
        }
        Verb::CancelLines { lines }
    }

    pub fn reopen(&mut self, _: &Order, _: &Model) -> Verb {
        Verb::Reopen { reason: if self.one_in(30) { "" } else { "a box was found" } }
    }

    pub fn cancel(&mut self, _: &Order, _: &Model) -> Verb {
        Verb::Cancel { reason: if self.one_in(6) { "" } else { "not needed any more" } }
    }
}
