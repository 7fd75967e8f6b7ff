//! ReceivePurchaseOrder: a delivery is booked in. What was accepted is staged, and goes on hand when the
//! order is completed: until then the receipt can be voided without a correction of stock.

use super::actions::Action;
use super::receipt::{ItemCosts, Receipt, ReceiptItem, Rejection};
use super::tolerance::Tolerance;
use super::{Line, MAX_RECEIPT_ITEMS, Order, OrderId, ReceiptKey, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::Detail;
use crate::domain::money::Amount;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{KnownReceipt, Outcome, ReceiptChanged};
use crate::domain::pack::StatedQuantity;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, TruncatedList, Violations};
use crate::domain::time::{TimeZone, Timestamp};

/// How far a `receive_time` may be ahead of the store's clock: the clocks of scanners are not exact,
/// and a delivery must not be refused for it.
const LEEWAY_MINUTES: i64 = 5;

/// Books a delivery in: a receipt is created, and what is accepted is staged.
#[derive(Clone, Debug)]
pub struct Receive {
    /// The order that was delivered; it must be ON_ORDER or RECEIVING.
    pub order: OrderId,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// What was delivered, line by line or everything pending.
    pub items: Items,
    /// When the goods arrived, if not now.
    pub receive_time: Option<Timestamp>,
    /// The number of the supplier's delivery note, for people to find the delivery by.
    pub delivery_note: Option<String>,
    /// Refuses the delivery if an active receipt of the supplier bears the delivery note already.
    pub refuse_known_delivery_note: bool,
    /// Text for people; no rule reads it.
    pub note: Option<String>,
}

/// What was delivered, as the caller says it.
#[derive(Clone, Debug)]
pub enum Items {
    /// These items, each line at most once and each with a quantity.
    Listed(Vec<NewItem>),
    /// Everything that is pending, all of it accepted.
    AllPending,
}

/// What was delivered of one line, as the caller says it.
#[derive(Clone, Debug, Default)]
pub struct NewItem {
    /// Where the item stands in the request, for the paths of violations: items without any quantity are
    /// passed over.
    pub index: usize,
    /// The number of the line on the order.
    pub line: i32,
    /// What is kept.
    pub accepted: StatedQuantity,
    /// What is sent back or refused; it stays pending on the line.
    pub rejected: StatedQuantity,
    /// Why it is rejected; required where anything is.
    pub rejection: Option<Rejection>,
    /// What the goods cost, where it is not what the line says.
    pub costs: ItemCosts,
}

/// A delivered item with the line that it is about, as the line was before.
#[derive(Clone, Debug)]
struct Delivered {
    item: ReceiptItem,
    line: Line,
}

impl Delivered {
    /// What the line would have received with this item.
    fn total(&self) -> Quantity {
        self.line.quantities.received + self.item.accepted
    }

    /// By how much that is more than may be received of the line; not positive if it is not.
    fn beyond(&self, of_store: Tolerance) -> Quantity {
        self.total() - self.line.most_receivable(of_store)
    }
}

impl Command for Receive {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Receive.permission())
    }

    fn target(&self) -> Option<Target<'_>> {
        Some(Target::order(self.order, &self.etag, Action::Receive))
    }

    fn needs(&self, needs: &mut Needs) {
        match &self.items {
            Items::Listed(items) => needs.extend(items.iter().map(|item| Need::Line(self.order, item.line))),
            Items::AllPending => needs.add(Need::AllLines(self.order)),
        }
        if let Some(delivery_note) = &self.delivery_note {
            needs.add(Need::DeliveryNote(self.order, delivery_note.clone()));
        }
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        // The form first: how much of a line is received means nothing while its quantity is malformed.
        let mut violations = Violations::default();
        let delivered = self.delivered(changeset, &order, &mut violations)?;
        let receive_time = receive_time(
            self.receive_time,
            changeset.now(),
            order.original_order_time,
            &changeset.store()?.time_zone,
            &mut violations,
        );
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        if delivered.is_empty() {
            return Err(Refusal::NothingPending(order.number));
        }
        check_tolerance(changeset.store()?.over_receipt_tolerance, &delivered)?;
        check_item_count(&order, delivered.len())?;
        check_received_value(&order, &delivered)?;
        let same_delivery_note = self.same_delivery_note(changeset, &order)?;
        self.book(changeset, order, delivered, receive_time, same_delivery_note)
    }
}

impl Receive {
    /// Each item with its line, in the order of the request.
    fn delivered(
        &self,
        changeset: &Changeset<'_>,
        order: &Order,
        violations: &mut Violations,
    ) -> Result<Vec<Delivered>, Refusal> {
        let mut delivered = Vec::new();
        match &self.items {
            Items::Listed(items) => {
                let lines = changeset.lines(order, items.iter().map(|item| item.line))?;
                for (item, line) in items.iter().zip(lines) {
                    // Without its quantities an item cannot be judged further; the violation refuses all.
                    if let Some(item) = item_of(item, &line, violations) {
                        delivered.push(Delivered { item, line });
                    }
                }
            }
            Items::AllPending => {
                for line in changeset.all_lines(order)? {
                    if line.quantities.pending.is_positive() {
                        delivered.push(Delivered { item: everything_of(&line), line });
                    }
                }
            }
        }
        Ok(delivered)
    }

    /// The receipt of the supplier that bears the same delivery note, if there is one: most likely the same
    /// delivery is booked twice.
    fn same_delivery_note(&self, changeset: &Changeset<'_>, order: &Order) -> Result<Option<KnownReceipt>, Refusal> {
        let Some(delivery_note) = &self.delivery_note else { return Ok(None) };
        match changeset.receipt_with_delivery_note(&order.supplier, delivery_note)? {
            Some(known) if self.refuse_known_delivery_note => {
                Err(Refusal::DeliveryNoteKnown { delivery_note: delivery_note.clone(), known })
            }
            known => Ok(known),
        }
    }

    fn book(
        &self,
        changeset: &mut Changeset<'_>,
        order: Order,
        delivered: Vec<Delivered>,
        receive_time: Timestamp,
        same_delivery_note: Option<KnownReceipt>,
    ) -> Result<Outcome, Refusal> {
        let number = order.counters.last_receipt + 1;
        let mut items: Vec<ReceiptItem> = delivered.iter().map(|delivered| delivered.item.clone()).collect();
        items.sort_by_key(|item| item.line);
        for Delivered { item, line } in delivered {
            changeset.put_line(with_item(line, &item, receive_time));
        }
        let receipt = Receipt {
            key: ReceiptKey { order: order.key.clone(), number },
            receive_time,
            book_time: changeset.now(),
            booked_by: changeset.caller().clone(),
            supplier: order.supplier.clone(),
            delivery_note: self.delivery_note.clone(),
            note: self.note.clone(),
            voided: None,
            items,
        };
        let lines = receipt.items.iter().map(|item| item.line).collect();
        let items = receipt.quantities();
        changeset.put_receipt(receipt);
        let detail = Detail::ReceiptBooked { receipt: number, receive_time: receive_time.micros(), items };
        let event = changeset.put_order(Order { state: State::Receiving, ..order }, detail)?;
        let changed = ReceiptChanged { event, order: self.order, receipt: number, lines, same_delivery_note };
        Ok(Outcome::ReceiptBooked(changed))
    }
}

/// The item to book; `None` if its quantities are violations.
fn item_of(new: &NewItem, line: &Line, violations: &mut Violations) -> Option<ReceiptItem> {
    let accepted = resolve(new, "accepted", new.accepted, line, violations);
    let rejected = resolve(new, "rejected", new.rejected, line, violations);
    let (accepted, rejected) = (accepted?, rejected?);
    let index = new.index;
    // Accepted quantities are limited by what was ordered; rejected ones would add up without end.
    if line.quantities.rejected + rejected > Quantity::MAX {
        let rule = format_args!("would bring what was rejected on line {} above {}", new.line, Quantity::MAX);
        violations.add(format_args!("items[{index}].rejected"), rule);
    }
    let excess = (accepted - line.quantities.pending).or_nothing();
    if new.costs.excess_unit_cost.is_some() && !excess.is_positive() {
        let rule = format_args!("is given, but nothing goes beyond the {} pending", line.quantities.pending);
        violations.add(format_args!("items[{index}].excess_unit_cost"), rule);
    }
    Some(ReceiptItem {
        line: new.line,
        accepted,
        excess,
        rejected,
        rejection: new.rejection.clone().filter(|_| rejected.is_positive()),
        costs: new.costs,
        value: new.costs.value_of(line, accepted, excess),
    })
}

/// A stated quantity in the units of its line; `None` if it is a violation.
fn resolve(
    new: &NewItem,
    name: &str,
    stated: StatedQuantity,
    line: &Line,
    violations: &mut Violations,
) -> Option<Quantity> {
    let index = new.index;
    match stated.resolve(line.pack_size) {
        Ok(quantity) if line.admits(quantity) => Some(quantity),
        Ok(quantity) => {
            let rule = format_args!("is {quantity}, but {} is counted in whole units", line.product);
            violations.add(format_args!("items[{index}].{name}"), rule);
            None
        }
        Err(violation) => {
            violations.add(format_args!("items[{index}].{name}_packs"), violation);
            None
        }
    }
}

/// When the goods arrived. A time that is impossible is a violation, and what is returned then is not
/// used.
///
/// The lower bound is the local day on which the chain was ordered, not the moment: goods that are
/// ordered and delivered on one day often bear a time in whole minutes, from a clock that is a little
/// slow.
fn receive_time(
    stated: Option<Timestamp>,
    now: Timestamp,
    ordered: Option<Timestamp>,
    zone: &TimeZone,
    violations: &mut Violations,
) -> Timestamp {
    let stated = stated.unwrap_or(now);
    if stated > now.plus_minutes(LEEWAY_MINUTES) {
        let rule = format_args!("is {stated}, more than {LEEWAY_MINUTES} minutes ahead of {now}");
        violations.add("receive_time", rule);
    } else if let Some(ordered) = ordered
        && zone.date_at(stated) < zone.date_at(ordered)
    {
        let day = zone.date_at(ordered);
        let rule = format_args!("is {stated}, before {day}, the day on which the goods were ordered");
        violations.add("receive_time", rule);
    }
    // Within the leeway it is the scanner's clock that is wrong: nothing arrives after it was booked.
    stated.min(now)
}

fn everything_of(line: &Line) -> ReceiptItem {
    ReceiptItem {
        line: line.key.number,
        accepted: line.quantities.pending,
        excess: Quantity::ZERO,
        rejected: Quantity::ZERO,
        rejection: None,
        costs: ItemCosts::default(),
        value: line.value_of(line.quantities.pending),
    }
}

fn with_item(mut line: Line, item: &ReceiptItem, receive_time: Timestamp) -> Line {
    line.quantities.received += item.accepted;
    line.quantities.rejected += item.rejected;
    line.quantities.balance();
    line.first_receive_time = Some(line.first_receive_time.map_or(receive_time, |first| first.min(receive_time)));
    line.last_receive_time = Some(line.last_receive_time.map_or(receive_time, |last| last.max(receive_time)));
    line
}

/// What is accepted stays within the tolerance, line by line: what one line has too much never makes up for
/// what another has too little. It is judged here and not again at completion, so a tolerance that is
/// lowered later does not lock up goods that are in the building.
fn check_tolerance(of_store: Tolerance, delivered: &[Delivered]) -> Result<(), Refusal> {
    let over: Vec<&Delivered> = delivered.iter().filter(|delivered| delivered.beyond(of_store).is_positive()).collect();
    let Some(first) = over.first() else { return Ok(()) };
    let first = format!(
        "{} would have {}, {} more than the {} that may be received",
        first.line.key.number,
        first.total(),
        first.beyond(of_store),
        first.line.most_receivable(of_store)
    );
    let lines = TruncatedList::of(over.iter().map(|delivered| delivered.line.key.number).collect());
    Err(Refusal::OverReceipt { lines, first })
}

/// Invoiced costs may be anything, so what was received may be worth more than what was ordered.
fn check_received_value(order: &Order, delivered: &[Delivered]) -> Result<(), Refusal> {
    let more: Amount = delivered.iter().map(|delivered| delivered.item.value).sum();
    let value = order.counters.received_cost + more;
    if value <= Amount::MAX {
        return Ok(());
    }
    Err(Refusal::ReceivedValueOutOfRange { number: order.number.clone() })
}

fn check_item_count(order: &Order, more: usize) -> Result<(), Refusal> {
    // Voided ones count too: they stay stored, and are read with the order's receipts.
    let items = i64::from(order.counters.receipt_items) + more as i64;
    if items <= MAX_RECEIPT_ITEMS {
        return Ok(());
    }
    Err(Refusal::TooManyReceiptItems { number: order.number.clone(), items })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::money::UnitCost;
    use crate::domain::order::receipt::RejectReason;
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore, at, item, new_item, quantity};

    fn receive(order: OrderId, items: &[(i32, &str, &str)]) -> Receive {
        let items = items.iter().enumerate();
        let items =
            items.map(|(index, (line, accepted, rejected))| NewItem { index, ..new_item(*line, accepted, rejected) });
        let items = items.collect();
        Receive {
            order,
            etag: String::new(),
            items: Items::Listed(items),
            receive_time: None,
            delivery_note: None,
            refuse_known_delivery_note: false,
            note: None,
        }
    }

    fn receive_all(order: OrderId) -> Receive {
        Receive { items: Items::AllPending, ..receive(order, &[]) }
    }

    #[test]
    fn what_is_accepted_is_staged_and_what_is_rejected_stays_pending() {
        for (items, oak, level) in [
            (&[(1, "4", "0")][..], "oak: 10 ordered, 4 received, 6 pending", "4 staged, 6 on order"),
            (&[(1, "10", "0")], "oak: 10 ordered, 10 received", "10 staged"),
            (&[(1, "3", "2")], "oak: 10 ordered, 3 received, 2 rejected, 7 pending", "3 staged, 7 on order"),
            // What was rejected is no part of what was ordered, so any quantity may be.
            (&[(1, "0", "12")], "oak: 10 ordered, 12 rejected, 10 pending", "10 on order"),
        ] {
            let mut store = TestStore::new();
            let order = store.on_order(&["oak 10", "ash 5"]);
            store.accept(receive(order, items));
            assert_eq!(store.lines_of(order), [oak, "ash: 5 ordered, 5 pending"]);
            assert_eq!(store.level("oak"), level);
            assert_eq!((store.header(order).state, store.header(order).revision), (State::Receiving, 2));
            assert_eq!(store.events(), ["RECEIPT_BOOKED"]);
        }
    }

    #[test]
    fn a_receipt_keeps_its_time_and_its_items_by_line() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5"]);
        let earlier = at("2026-03-01T09:00:00Z");
        store.accept(receive(order, &[(2, "1", "0"), (1, "4", "1")]));
        assert_eq!(
            store.event_details(),
            [format!(
                r#"{{"receipt":1,"receive_time":{},"items":[{{"line":1,"accepted":"4","rejected":"1"}},{{"line":2,"accepted":"1","rejected":"0"}}]}}"#,
                store.now.micros()
            )]
        );
        let reply = store.send(Receive { receive_time: Some(earlier), ..receive(order, &[(1, "1", "0")]) }).unwrap();

        assert_eq!(store.receipt_of(order, 1).items, [item(1, "4", "1"), item(2, "1", "0")]);
        let second = store.receipt_of(order, 2).clone();
        assert_eq!((second.receive_time, second.book_time), (earlier, store.now));
        assert_eq!(second.booked_by.as_str(), "ann");
        let line = store.line_of(order, 1);
        assert_eq!((line.first_receive_time, line.last_receive_time), (Some(earlier), Some(store.now)));
        assert_eq!((reply.receipt, reply.lines), (Some(second), vec![line.clone()]));
    }

    #[test]
    fn everything_that_is_pending_is_received_at_once() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5", "elm 1"]);
        store.receipt(order, &[(1, "4", "0"), (2, "5", "0")]);
        store.accept(receive_all(order));
        assert_eq!(store.receipt_of(order, 2).items, [item(1, "6", "0"), item(3, "1", "0")]);
        assert_eq!(store.header(order).counters.pending_lines, 0);
        assert_eq!(store.refuse(receive_all(order)), "NOTHING_PENDING");
    }

    #[test]
    fn goods_are_received_while_the_order_is_on_order_or_receiving() {
        for state in [State::Draft, State::Completed, State::Cancelled] {
            let mut store = TestStore::new();
            let order = store.order_in(state);
            assert_eq!(store.refuse(receive(order, &[(1, "1", "0")])), "WRONG_STATE", "{state}");
        }
    }

    #[test]
    fn nothing_is_accepted_beyond_what_was_ordered_line_by_line() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "oak 5", "ash 2"]);
        store.receipt(order, &[(1, "4", "0")]);
        let text = store.refusal_text(receive(order, &[(3, "3", "0"), (2, "1", "0"), (1, "7", "0")]));
        assert_eq!(
            text,
            "more would be received than is allowed on lines 3, 1: \
             line 3 would have 3, 1 more than the 2 that may be received"
        );
        store.accept(receive(order, &[(3, "2", "0"), (1, "6", "0")]));
    }

    #[test]
    fn a_delivery_may_bring_more_within_the_tolerance() {
        // The tolerance of the store, that of the line, what came before, what comes now, and what the line has
        // then or how it is refused.
        for (of_store, own, before, accepted, expected) in [
            ("10", None, "0", "11", Ok("oak: 10 ordered, 11 received, 1 excess")),
            ("10", None, "9", "2", Ok("oak: 10 ordered, 11 received, 1 excess")),
            ("10", None, "9", "3", Err("line 1 would have 12, 1 more than the 11 that may be received")),
            ("0", Some("20"), "0", "12", Ok("oak: 10 ordered, 12 received, 2 excess")),
            ("20", Some("0"), "0", "11", Err("line 1 would have 11, 1 more than the 10 that may be received")),
            ("9.9999", None, "0", "11", Err("line 1 would have 11, 0.0001 more than the 10.9999 that may be received")),
        ] {
            let mut store = TestStore::new();
            store.row().over_receipt_tolerance = Tolerance::parse(of_store).unwrap();
            let order = store.on_order(&["oak 10"]);
            store.change_line(order, 1, |line| line.tolerance = own.and_then(Tolerance::parse));
            if before != "0" {
                store.receipt(order, &[(1, before, "0")]);
            }
            match store.send(receive(order, &[(1, accepted, "0")])) {
                Ok(_) => assert_eq!(Ok(store.lines_of(order).concat().as_str()), expected),
                Err(refusal) => {
                    let text = refusal.to_string();
                    assert_eq!(Err(text.split_once(": ").unwrap().1), expected);
                }
            }
        }
    }

    #[test]
    fn what_was_cancelled_is_no_part_of_what_is_wanted() {
        let mut store = TestStore::new();
        store.row().over_receipt_tolerance = Tolerance::parse("50").unwrap();
        let order = store.on_order(&["oak 10"]);
        store.change_line(order, 1, |line| {
            line.quantities.cancelled = quantity("6");
            line.quantities.pending = quantity("4");
        });
        assert_eq!(store.refuse(receive(order, &[(1, "7", "0")])), "OVER_RECEIPT");
        store.accept(receive(order, &[(1, "6", "0")]));
        assert_eq!(store.lines_of(order), ["oak: 10 ordered, 6 received, 6 cancelled, 2 excess"]);
    }

    fn cost(text: &str) -> Option<UnitCost> {
        if text.is_empty() { None } else { Some(UnitCost::parse(text).unwrap()) }
    }

    #[test]
    fn what_is_accepted_is_worth_what_it_cost() {
        // Ordered 24 at 10 for a pack of 12, tolerance 100 %: units accepted, invoiced cost, cost of the excess,
        // what of it is excess, and what it is worth.
        for (accepted, unit_cost, excess_unit_cost, excess, value) in [
            ("24", "", "", "0", "20"),
            ("12", "", "", "0", "10"),
            ("13", "", "", "0", "10.8333"),
            ("12", "1", "", "0", "12"),
            ("36", "", "", "12", "30"),
            ("36", "", "0", "12", "20"),
            ("36", "", "0.5", "12", "26"),
            ("36", "1", "0.5", "12", "30"),
            ("25", "0.333333", "0.000001", "1", "8"),
        ] {
            let mut store = TestStore::new();
            store.row().over_receipt_tolerance = Tolerance::parse("100").unwrap();
            let order = store.on_order(&["oak 24"]);
            store.change_line(order, 1, |line| {
                line.pack_size = Some(quantity("12"));
                line.pack_cost = cost("10");
                line.unit_cost = cost("0.833333").unwrap();
            });
            let mut command = receive(order, &[(1, accepted, "0")]);
            let Items::Listed(items) = &mut command.items else { panic!() };
            items[0].costs = ItemCosts { unit_cost: cost(unit_cost), excess_unit_cost: cost(excess_unit_cost) };
            store.accept(command);
            let item = &store.receipt_of(order, 1).items[0];
            let seen = (item.excess.to_string(), item.value.to_string());
            assert_eq!(
                seen,
                (excess.to_owned(), value.to_owned()),
                "{accepted} at {unit_cost:?}, {excess_unit_cost:?}"
            );
            assert_eq!(store.header(order).counters.received_cost.to_string(), value);
        }
    }

    #[test]
    fn packs_are_received_as_units() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 36", "ash 5"]);
        store.change_line(order, 1, |line| line.pack_size = Some(quantity("12")));
        let mut command = receive(order, &[(1, "0", "0"), (2, "0", "0")]);
        let Items::Listed(items) = &mut command.items else { panic!() };
        items[0].accepted = StatedQuantity { units: None, packs: Some(quantity("2")) };
        items[0].rejected = StatedQuantity { units: Some(quantity("1")), packs: Some(quantity("1")) };
        items[1].accepted = StatedQuantity { units: None, packs: Some(quantity("1")) };
        assert_eq!(
            store.refusal_text(command.clone()),
            "items[0].rejected_packs is 1, and 1 packs of 12 are 12, but 1 is given in units; \
             items[1].accepted_packs is given, but the line has no pack_size"
        );
        let Items::Listed(items) = &mut command.items else { panic!() };
        items[0].rejected = StatedQuantity { units: Some(quantity("12")), packs: Some(quantity("1")) };
        items[0].rejection = Some(Rejection { reason: RejectReason::Expired, note: None });
        items.pop();
        store.accept(command);
        assert_eq!(store.lines_of(order)[0], "oak: 36 ordered, 24 received, 12 rejected, 12 pending");
    }

    #[test]
    fn a_cost_of_the_excess_needs_an_excess() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10"]);
        let mut command = receive(order, &[(1, "10", "0")]);
        let Items::Listed(items) = &mut command.items else { panic!() };
        items[0].costs.excess_unit_cost = cost("0");
        let text = "items[0].excess_unit_cost is given, but nothing goes beyond the 10 pending";
        assert_eq!(store.refusal_text(command), text);
    }

    #[test]
    fn what_was_received_of_an_order_has_a_limit_of_value() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 200"]);
        let mut command = receive(order, &[(1, "100", "0")]);
        let Items::Listed(items) = &mut command.items else { panic!() };
        items[0].costs.unit_cost = Some(UnitCost::MAX);
        store.accept(command);
        assert_eq!(
            store.refusal_text(receive(order, &[(1, "1", "0")])),
            "what was received of purchase order PO-000001 would be worth more than 100000000000"
        );
    }

    #[test]
    fn a_delivery_note_that_was_booked_is_told_or_refused() {
        let mut store = TestStore::new();
        let (order, other) = (store.on_order(&["oak 10"]), store.on_order(&["ash 10"]));
        let noted =
            |order: OrderId| Receive { delivery_note: Some("LS-7".to_owned()), ..receive(order, &[(1, "1", "0")]) };
        let known = |reply: crate::domain::command::Reply| match reply.outcome {
            Outcome::ReceiptBooked(booked) => booked.same_delivery_note.map(|known| (known.number, known.receipt)),
            outcome => panic!("{outcome:?}"),
        };
        assert_eq!(known(store.send(noted(order)).unwrap()), None);
        assert_eq!(known(store.send(noted(other)).unwrap()), Some(("PO-000001".to_owned(), 1)));
        let refused = Receive { refuse_known_delivery_note: true, ..noted(other) };
        let text = store.refusal_text(refused.clone());
        assert!(text.starts_with("delivery note 'LS-7' of this supplier was booked before, as receipt 1"), "{text}");
        // Another supplier numbers its notes for itself.
        store.change_order(other, |order| order.supplier = "other".to_owned());
        store.accept(refused);
    }

    #[test]
    fn the_items_of_an_orders_receipts_are_limited() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5"]);
        let items = receive(order, &[(1, "1", "0"), (2, "1", "0")]);
        let mut header = store.header(order).clone();
        header.counters.receipt_items = 19_998;
        assert_eq!(check_item_count(&header, 2), Ok(()));
        let refusal = check_item_count(&header, 3).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the receipts of purchase order PO-000001 would have 20001 items; at most 20,000 are allowed, \
             voided ones included"
        );
        store.accept(items);
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10", "flour 2.5 kg"]);
        let mut command = receive(NO_SUCH_ORDER, &[(2, "2.5", "0"), (1, "10.5", "0"), (7, "1", "0")]);
        command.etag = "9".to_owned();
        command.receive_time = Some(at("2026-03-02T09:06:00Z"));
        store.call_with(&[Permission::Edit]);
        assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
        store.call_with(&[Permission::Receive]);
        assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
        command.order = order;
        assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
        command.etag = "1".to_owned();
        assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
        store.change_order(order, |order| order.state = State::OnOrder);
        assert_eq!(store.refusal_text(command.clone()), "purchase order PO-000001 has no line 7");
        let Items::Listed(items) = &mut command.items else { panic!("they are listed") };
        items.pop();
        assert_eq!(
            store.refusal_text(command.clone()),
            "items[1].accepted is 10.5, but oak is counted in whole units; \
             receive_time is 2026-03-02T09:06:00Z, more than 5 minutes ahead of 2026-03-02T09:00:00Z"
        );
        let Items::Listed(items) = &mut command.items else { panic!("they are listed") };
        items[1] = NewItem { index: 1, ..new_item(1, "11", "999999999") };
        command.receive_time = Some(at("2026-03-02T09:05:00Z"));
        assert_eq!(store.refuse(command.clone()), "OVER_RECEIPT");
        store.change_line(order, 1, |line| line.quantities.rejected = quantity("1"));
        assert_eq!(
            store.refusal_text(command.clone()),
            "items[1].rejected would bring what was rejected on line 1 above 999999999.9999"
        );
        let Items::Listed(items) = &mut command.items else { panic!("they are listed") };
        items[1] = NewItem { index: 1, ..new_item(1, "10", "1") };
        store.accept(command);
        assert_eq!(store.receipt_of(order, 1).receive_time, store.now);
    }

    #[test]
    fn goods_arrive_from_the_local_day_of_the_order_to_a_few_minutes_ahead() {
        let (amsterdam, utc) = (TimeZone::parse("Europe/Amsterdam").unwrap(), TimeZone::parse("UTC").unwrap());
        let ordered = at("2026-03-02T23:30:00.5Z");
        for (zone, now, told, taken) in [
            // In Amsterdam the order was made on the third, half an hour after midnight.
            (&amsterdam, "2026-03-03T09:00:00Z", "2026-03-02T22:59:59.999999Z", None),
            (&amsterdam, "2026-03-03T09:00:00Z", "2026-03-02T23:00:00Z", Some("2026-03-02T23:00:00Z")),
            (&utc, "2026-03-03T09:00:00Z", "2026-03-01T23:59:59.999999Z", None),
            (&utc, "2026-03-03T09:00:00Z", "2026-03-02T00:00:00Z", Some("2026-03-02T00:00:00Z")),
            (&utc, "2026-03-02T23:30:00.5Z", "2026-03-02T23:30:00Z", Some("2026-03-02T23:30:00Z")),
            (&utc, "2026-03-02T23:30:00.5Z", "2026-03-02T23:35:00.5Z", Some("2026-03-02T23:30:00.5Z")),
            (&utc, "2026-03-02T23:30:00.5Z", "2026-03-02T23:35:00.500001Z", None),
        ] {
            let mut violations = Violations::default();
            let time = receive_time(Some(at(told)), at(now), Some(ordered), zone, &mut violations);
            assert_eq!(taken.map(at), (violations.total == 0).then_some(time), "{told} at {now} in {zone:?}");
        }
    }

    #[test]
    fn as_much_is_rejected_of_a_line_as_a_quantity_holds() {
        let mut store = TestStore::new();
        let order = store.on_order(&["flour 2.5 kg"]);
        store.accept(receive(order, &[(1, "0", "999999999.9998")]));
        assert_eq!(store.refuse(receive(order, &[(1, "0", "0.0002")])), "INVALID_FOR_STORED_DATA");
        store.accept(receive(order, &[(1, "0", "0.0001")]));
        assert_eq!(store.line_of(order, 1).quantities.rejected, Quantity::MAX);
    }
}
