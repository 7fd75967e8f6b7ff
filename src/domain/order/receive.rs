//! ReceivePurchaseOrder: a delivery is booked in. What was accepted is staged, and goes on hand when the
//! order is completed: until then the receipt can be voided without a correction of stock.

use super::actions::Action;
use super::receipt::{Receipt, ReceiptItem};
use super::{Line, MAX_RECEIPT_ITEMS, Order, OrderId, ReceiptKey, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{Outcome, ReceiptChanged};
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
    /// Text for people; no rule reads it.
    pub note: Option<String>,
}

/// What was delivered, as the caller says it.
#[derive(Clone, Debug)]
pub enum Items {
    /// These items, each line at most once.
    Listed(Vec<ReceiptItem>),
    /// Everything that is pending, all of it accepted.
    AllPending,
}

/// An item of the delivery with the line that it is about, as the line was before.
#[derive(Clone, Debug)]
struct ReceivedLine {
    item: ReceiptItem,
    line: Line,
}

impl ReceivedLine {
    /// What the line would have received with this item.
    fn total(&self) -> Quantity {
        self.line.quantities.received + self.item.accepted
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
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        let received = self.received(changeset, &order)?;
        if received.is_empty() {
            return Err(Refusal::NothingPending(order.number));
        }
        // The form first: how much of a line is received means nothing while its quantity is malformed.
        let receive_time = self.check_form(changeset, &order, &received)?;
        check_tolerance(&received)?;
        check_item_count(&order, received.len())?;
        self.book(changeset, order, received, receive_time)
    }
}

impl Receive {
    /// Each item with its line. Listed items keep the order of the request, so that the paths in
    /// violations are those of its fields.
    fn received(&self, changeset: &Changeset<'_>, order: &Order) -> Result<Vec<ReceivedLine>, Refusal> {
        let mut received = Vec::new();
        match &self.items {
            Items::Listed(items) => {
                let lines = changeset.lines(order, items.iter().map(|item| item.line))?;
                for (item, line) in items.iter().cloned().zip(lines) {
                    received.push(ReceivedLine { item, line });
                }
            }
            Items::AllPending => {
                for line in changeset.all_lines(order)? {
                    if line.quantities.pending.is_positive() {
                        received.push(ReceivedLine { item: everything_of(&line), line });
                    }
                }
            }
        }
        Ok(received)
    }

    /// Judges what depends on the lines and on the times of the order, and returns the time to book.
    fn check_form(
        &self,
        changeset: &Changeset<'_>,
        order: &Order,
        received: &[ReceivedLine],
    ) -> Result<Timestamp, Refusal> {
        let mut violations = Violations::default();
        for (index, ReceivedLine { item, line }) in received.iter().enumerate() {
            for (quantity, name) in [(item.accepted, "accepted"), (item.rejected, "rejected")] {
                if !line.admits(quantity) {
                    let rule = format_args!("is {quantity}, but {} is counted in whole units", line.product);
                    violations.add(format_args!("items[{index}].{name}"), rule);
                }
            }
            // Accepted quantities are limited by what was ordered; rejected ones would add up without end.
            if line.quantities.rejected + item.rejected > Quantity::MAX {
                let rule = format_args!("would bring what was rejected on line {} above {}", item.line, Quantity::MAX);
                violations.add(format_args!("items[{index}].rejected"), rule);
            }
        }
        let time = receive_time(
            self.receive_time,
            changeset.now(),
            order.original_order_time,
            &changeset.store()?.time_zone,
            &mut violations,
        );
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        Ok(time)
    }

    fn book(
        &self,
        changeset: &mut Changeset<'_>,
        order: Order,
        received: Vec<ReceivedLine>,
        receive_time: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let number = order.counters.last_receipt + 1;
        let mut items: Vec<ReceiptItem> = received.iter().map(|received| received.item.clone()).collect();
        items.sort_by_key(|item| item.line);
        for ReceivedLine { item, line } in received {
            changeset.put_line(with_item(line, &item, receive_time));
        }
        let receipt = Receipt {
            key: ReceiptKey { order: order.key.clone(), number },
            receive_time,
            book_time: changeset.now(),
            booked_by: changeset.caller().clone(),
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
        Ok(Outcome::ReceiptBooked(ReceiptChanged { event, order: self.order, receipt: number, lines }))
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
        rejected: Quantity::ZERO,
        reject_reason: None,
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

/// Nothing may be accepted beyond what was ordered, line by line: what one line has too much never
/// makes up for what another has too little.
fn check_tolerance(received: &[ReceivedLine]) -> Result<(), Refusal> {
    let over: Vec<&ReceivedLine> =
        received.iter().filter(|received| received.total() > received.line.quantities.ordered).collect();
    let Some(first) = over.first() else { return Ok(()) };
    let ordered = first.line.quantities.ordered;
    let first = format!("{} would have {} of {ordered}", first.line.key.number, first.total());
    let lines = TruncatedList::of(over.iter().map(|received| received.line.key.number).collect());
    Err(Refusal::OverReceipt { lines, first })
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
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore, at, item, quantity};

    fn receive(order: OrderId, items: &[(i32, &str, &str)]) -> Receive {
        let items = items.iter().map(|(line, accepted, rejected)| item(*line, accepted, rejected)).collect();
        Receive {
            order,
            etag: String::new(),
            items: Items::Listed(items),
            receive_time: None,
            delivery_note: None,
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
        assert_eq!(text, "more would be received than was ordered on lines 3, 1: line 3 would have 3 of 2");
        store.accept(receive(order, &[(3, "2", "0"), (1, "6", "0")]));
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
        items[1] = item(1, "11", "999999999");
        command.receive_time = Some(at("2026-03-02T09:05:00Z"));
        assert_eq!(store.refuse(command.clone()), "OVER_RECEIPT");
        store.change_line(order, 1, |line| line.quantities.rejected = quantity("1"));
        assert_eq!(
            store.refusal_text(command.clone()),
            "items[1].rejected would bring what was rejected on line 1 above 999999999.9999"
        );
        let Items::Listed(items) = &mut command.items else { panic!("they are listed") };
        items[1] = item(1, "10", "1");
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
