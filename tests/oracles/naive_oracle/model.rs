//! The naive model: the rules of a store's purchase orders and stock, as plainly as they can be told. It
//! shares no code with the service and is written from the contract. Whatever may be refused is refused
//! here, in `receiving`, `closing` or `stock`, or for want of a permission in `access`.

use std::collections::HashMap;

use purchase_order_service::proto::v1::Unit;
use uuid::Uuid;

use crate::naive_oracle::access::{Access, needed};
use crate::naive_oracle::books::{Line, Order, next_line, number_of};
use crate::naive_oracle::command::*;
use crate::naive_oracle::form::is_well_formed;
use crate::naive_oracle::numbers::{MOST_WORTH, Quantity};
use crate::naive_oracle::refused::{Refused, ensure, ensure_no_line, refused};
use crate::naive_oracle::stock::Posted;

/// A store.
#[derive(Default)]
pub struct Model {
    pub created: Time,
    pub now: Time,
    pub access: Access,
    pub back_orders_enabled: bool,
    /// Ten-thousandths of a per cent.
    pub tolerance: Quantity,
    pub negative_stock: bool,
    pub unlisted_items: bool,
    pub orders: Vec<Order>,
    /// How many deliveries there were for several orders.
    pub deliveries: usize,
    /// What moved stock, oldest first.
    pub ledger: Vec<Posted>,
    pub units: HashMap<Name, Unit>,
    pub events: i64,
    pub answered: HashMap<(Name, Uuid), (Command, Made)>,
}

/// What a command made: the same on each replay.
#[derive(Clone, Default)]
pub struct Made {
    /// The number of its event; 0 if it changed nothing.
    pub event: i64,
    /// The place of the order, receipt or delivery that it made.
    pub place: Option<usize>,
    /// The order and receipt that bore the same delivery note.
    pub same_note: Option<(usize, usize)>,
    /// The number of the first ledger row that it wrote, how many it wrote, and what they moved together.
    pub movement: usize,
    pub movements: usize,
    pub moved: Quantity,
    /// The lines that an amendment or a confirmation named, changed or added.
    pub lines: Vec<i32>,
}

impl Made {
    pub fn at(place: Option<usize>) -> Self {
        Self { place, ..Self::default() }
    }
}

/// What is asked must fit what is stored.
pub fn ensure_fit(fits: bool) -> Result<(), Refused> {
    ensure(fits, "INVALID_FOR_STORED_DATA")
}

impl Model {
    /// Why a call is refused, or what it makes: form, access, stored reply, and then the command itself.
    pub fn judge(&mut self, call: &Call) -> Result<Made, Refused> {
        ensure(is_well_formed(&call.command), "INVALID_REQUEST")?;
        self.access.admit(call.caller, needed(&call.command))?;
        self.access.admit_costs(call.caller, &call.command)?;
        if let Some((asked, made)) = call.id.and_then(|id| self.answered.get(&(call.caller, id))) {
            ensure(*asked == call.command, "REQUEST_ID_REUSED")?;
            return Ok(made.clone());
        }
        let before = self.events;
        let made = self.execute(call.caller, &call.command)?;
        let event = if self.events == before { 0 } else { before + 1 };
        let made = Made { event, ..made };
        self.answered.extend(call.id.map(|id| ((call.caller, id), (call.command.clone(), made.clone()))));
        Ok(made)
    }

    fn execute(&mut self, caller: Name, command: &Command) -> Result<Made, Refused> {
        match command {
            Command::Create(new) => return self.create(caller, new),
            Command::Copy { order, cancelled_only } => return self.copy(caller, *order, *cancelled_only),
            Command::Change { order, etag, verb } => return self.change(caller, *order, *etag, verb),
            Command::Deliver(lorry) => return self.deliver(caller, lorry),
            Command::Adjust(adjustment) => return self.adjust(adjustment),
            Command::SetBackOrders(enabled) => self.set_back_orders(*enabled)?,
            Command::UpdateStore(settings) => {
                let before = (self.tolerance, self.negative_stock, self.unlisted_items);
                self.tolerance = settings.tolerance.unwrap_or(self.tolerance);
                self.negative_stock = settings.negative_stock.unwrap_or(self.negative_stock);
                self.unlisted_items = settings.unlisted_items.unwrap_or(self.unlisted_items);
                self.events += i64::from((self.tolerance, self.negative_stock, self.unlisted_items) != before);
            }
            about_roles => self.events += i64::from(self.access.change(caller, about_roles)?),
        }
        Ok(Made::default())
    }

    fn set_back_orders(&mut self, enabled: bool) -> Result<(), Refused> {
        if enabled != self.back_orders_enabled {
            let open = self.orders.iter().filter(|order| order.is_open()).count();
            if enabled && open > 0 {
                return refused("OPEN_PURCHASE_ORDERS", [format!("total={open}")]);
            }
            self.back_orders_enabled = enabled;
            self.events += 1;
        }
        Ok(())
    }

    fn create(&mut self, by: Name, new: &NewOrder) -> Result<Made, Refused> {
        let mut units = self.units.clone();
        let same_units = new.lines.iter().all(|new| *units.entry(new.product).or_insert(new.unit) == new.unit);
        let place = self.orders.len();
        let order = Order {
            chain: place,
            revision: 1,
            supplier: new.supplier,
            external_id: new.external_id,
            charges: new.charges.clone(),
            expected: new.expected,
            created: self.now,
            created_by: by,
            lines: (1..).zip(new.lines.iter().map(|line| Line::of(line, new.expected))).collect(),
            last_line: new.lines.len() as i32,
            ..Order::default()
        };
        let is_payable = order.ordered_cost() + order.charges_cost() <= MOST_WORTH;
        ensure_fit(same_units && is_payable && ["", "EUR"].contains(&new.currency))?;
        self.ensure_external_id_is_free(new.external_id, place)?;
        self.units = units;
        self.orders.push(order);
        self.events += 1;
        Ok(Made::at(Some(place)))
    }

    fn copy(&mut self, by: Name, source: usize, cancelled_only: bool) -> Result<Made, Refused> {
        let source = self.orders.get(source).ok_or("PURCHASE_ORDER_NOT_FOUND")?;
        let place = self.orders.len();
        let copy = source.copy(cancelled_only, place, by, self.now);
        let number = number_of(&self.orders, self.orders.iter().position(|order| std::ptr::eq(order, source)).unwrap());
        let Some(copy) = copy else { return refused("NOTHING_TO_COPY", [format!("number={number}")]) };
        self.orders.push(copy);
        self.events += 1;
        Ok(Made::at(Some(place)))
    }

    /// An amendment may name products that are new to the store.
    fn amend(&mut self, place: usize, order: &mut Order, amendment: &Amendment) -> Result<(), Refused> {
        let mut units = self.units.clone();
        let same_units = |new: &NewLine| *units.entry(new.product).or_insert(new.unit) == new.unit;
        ensure_fit(amendment.new_lines.iter().all(same_units))?;
        order.amend(amendment, next_line(&self.orders, place))?;
        ensure_fit(order.ordered_cost() + order.charges_cost() <= MOST_WORTH)?;
        self.units = units;
        Ok(())
    }

    fn ensure_external_id_is_free(&self, external_id: Name, place: usize) -> Result<(), Refused> {
        let has_it = |other: &usize| *other != place && self.orders[*other].external_id == external_id;
        match (0..self.orders.len()).find(has_it) {
            Some(other) if !external_id.is_empty() => {
                refused("EXTERNAL_ID_EXISTS", [format!("number={}", number_of(&self.orders, other))])
            }
            _ => Ok(()),
        }
    }

    /// Existence, etag, state, and then lines and rules. A copy is changed, so that a refusal changes nothing.
    fn change(&mut self, by: Name, place: usize, etag: Option<i64>, verb: &Verb) -> Result<Made, Refused> {
        let mut order = self.orders.get(place).ok_or("PURCHASE_ORDER_NOT_FOUND")?.clone();
        ensure(verb.receipt().is_none_or(|receipt| receipt < order.receipts.len()), "RECEIPT_NOT_FOUND")?;
        ensure(etag.is_none_or(|etag| etag == order.revision), "ETAG_MISMATCH")?;
        order.allows(verb)?;
        if let Verb::Correct { receipt, .. } = verb {
            ensure(order.receipts[*receipt].voided.is_none(), "RECEIPT_VOIDED")?;
        }
        let unknown = verb.lines().into_iter().filter(|line| !order.lines.contains_key(line));
        ensure_no_line(unknown.collect(), "LINE_NOT_FOUND")?;
        let now = self.now;
        let (mut made, mut back_order) = (Made::default(), None);
        match verb {
            Verb::SetExternalId(external_id) if order.external_id == *external_id => return Ok(made),
            Verb::SetExternalId(external_id) => {
                self.ensure_external_id_is_free(external_id, place)?;
                order.external_id = external_id;
            }
            Verb::Place { order_time } => {
                order.place(order_time.unwrap_or(now), now)?;
                order.placed_by = by;
            }
            Verb::Receive(delivery) => {
                made.same_note = self.receive(place, &mut order, by, delivery)?;
                made.place = Some(order.receipts.len() - 1);
            }
            Verb::Correct { receipt, delivery } => {
                made.same_note = self.correct(place, &mut order, by, (*receipt, delivery))?;
                made.place = Some(order.receipts.len() - 1);
            }
            Verb::Void { receipt } => order.void(*receipt, (by, now))?,
            Verb::Complete { lines, rest, reason, expected } => {
                let dates = lines.iter().map(|line| line.expected).chain([*expected]);
                ensure_fit(dates.flatten().all(|expected| expected >= day(now)))?;
                order.complete(lines, *rest, reason, now)?;
                order.closed_by = by;
                back_order = order.back_order(place, lines, *expected, by, now);
                let carried = back_order.iter().flat_map(|order| order.lines.keys().copied());
                let barred = if self.back_orders_enabled { Vec::new() } else { carried.collect() };
                ensure_no_line(barred, "BACK_ORDERS_DISABLED")?;
                self.ledger.extend(order.postings(place, now));
                made.place = back_order.as_ref().map(|_| self.orders.len());
            }
            Verb::Amend(amendment) => {
                self.amend(place, &mut order, amendment)?;
                made.lines = order.changed_lines(&self.orders[place], &verb.lines());
                if amendment.expected.is_some() {
                    // Lines that have only been promised for another date are not told.
                    let is_told =
                        |line: &i32| verb.lines().contains(line) || !self.orders[place].lines.contains_key(line);
                    made.lines.retain(is_told);
                }
                if order == self.orders[place] {
                    return Ok(made);
                }
                order.terms_changed = order.placed.is_some();
            }
            Verb::Confirm(confirmation) => {
                order.confirm(confirmation)?;
                made.lines = order.changed_lines(&self.orders[place], &verb.lines());
                if order == self.orders[place] {
                    return Ok(made);
                }
                order.terms_changed = true;
            }
            Verb::CancelLines { lines } => order.cancel_lines(lines)?,
            Verb::Cancel { reason } => {
                order.cancel(reason, now)?;
                order.closed_by = by;
            }
            Verb::Reopen { reason } => {
                made.place = self.reopen(place, by, reason)?;
                order.reopen();
            }
        }
        order.revision += 1;
        self.events += if back_order.is_some() { 2 } else { 1 };
        self.orders[place] = order;
        self.orders.extend(back_order);
        Ok(made)
    }
}
