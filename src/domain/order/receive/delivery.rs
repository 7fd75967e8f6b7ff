//! ReceiveDelivery: one delivery of a supplier is booked in for several orders of the store, with a receipt
//! for each, all or none.

use std::collections::{BTreeMap, BTreeSet};

use super::book::{self, DeliveryDetails};
use super::items::{ItemTarget, NewItem};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::needs::{Need, Needs};
use crate::domain::order::actions::Action;
use crate::domain::order::{Line, Order, OrderId};
use crate::domain::outcome::{DeliveryBooked, Outcome};
use crate::domain::refusal::{Refusal, Violations};

/// For how many orders one delivery may be, so that it fits into one transaction and one answer.
pub const MAX_ORDERS: usize = 50;
/// Of how many lines one delivery may be: with 50 headers and receipts as well, the answer for 5,000 full lines
/// would not fit into a message.
pub const MAX_DELIVERED_LINES: usize = 4_000;
/// How many lines of orders that no item names are looked through for products.
pub const MAX_CANDIDATE_LINES: usize = 1_000;

/// Books a delivery of one supplier in for several orders.
#[derive(Clone, Debug)]
pub struct ReceiveDelivery {
    /// Who delivered. Items may name orders of this supplier alone.
    pub supplier: String,
    /// The etags of orders as the caller last saw them; an order without one is not compared. An order that
    /// nothing is booked on may be among them.
    pub etags: BTreeMap<OrderId, String>,
    /// What was delivered, each line and product at most once and each with a quantity.
    pub items: Vec<NewItem>,
    /// What is said of the delivery as a whole.
    pub details: DeliveryDetails,
}

impl ReceiveDelivery {
    /// The orders that the request names. At most [`MAX_ORDERS`].
    pub fn named_orders(&self) -> BTreeSet<OrderId> {
        let of_items = self.items.iter().filter_map(|item| item.target.order());
        of_items.chain(self.etags.keys().copied()).collect()
    }

    /// The orders that the request names, and those of the supplier that its products are pending on; with the
    /// lines of either.
    fn orders_and_lines(&self, changeset: &Changeset<'_>) -> Result<(BTreeMap<OrderId, Order>, Vec<Line>), Refusal> {
        let mut orders = BTreeMap::new();
        let mut lines = Vec::new();
        for id in self.named_orders() {
            let order = changeset.order(id)?;
            lines.extend(book::lines_for(changeset, &order, &self.items)?);
            orders.insert(id, order);
        }
        let mut candidates = 0;
        for item in &self.items {
            let ItemTarget::Product(None, selector) = &item.target else { continue };
            for (order, line) in changeset.receivable_lines(&self.supplier, selector)? {
                candidates += 1;
                // The request need not name these orders, so they may be new here.
                orders.insert(order.key.order, order);
                lines.push(line);
            }
        }
        // Each lookup stops at one line more than that, so a list that was cut is never booked on.
        if candidates > MAX_CANDIDATE_LINES {
            return Err(Refusal::TooManyCandidateLines);
        }
        Ok((orders, lines))
    }

    fn check_suppliers(&self, orders: &BTreeMap<OrderId, Order>) -> Violations {
        let mut violations = Violations::default();
        for item in &self.items {
            // An order that `etags` alone names may be from anybody: no item is booked on it for that.
            let order = item.target.order().and_then(|order| orders.get(&order));
            if let Some(order) = order.filter(|order| order.supplier != self.supplier) {
                let rule =
                    format_args!("is {}, an order from {}, not from {}", order.number, order.supplier, self.supplier);
                violations.add(format_args!("items[{}].purchase_order_id", item.index), rule);
            }
        }
        violations
    }
}

impl Command for ReceiveDelivery {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Receive.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        let mut targets = Vec::new();
        for order in self.named_orders() {
            let etag = self.etags.get(&order).map(String::as_str).unwrap_or_default();
            targets.push(Target::order(order, etag, Action::Receive));
        }
        targets
    }

    fn names_refused_orders(&self) -> bool {
        true
    }

    fn needs(&self, needs: &mut Needs) {
        for item in &self.items {
            item.target.needs(needs);
            if let ItemTarget::Product(None, selector) = &item.target {
                needs.add(Need::ReceivableLines(self.supplier.clone(), selector.clone()));
            }
        }
        if let Some(delivery_note) = &self.details.delivery_note {
            needs.add(Need::DeliveryNoteOfSupplier(self.supplier.clone(), delivery_note.clone()));
        }
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let (orders, lines) = self.orders_and_lines(changeset)?;
        let violations = self.check_suppliers(&orders);
        let judged = book::judge(changeset, &orders, lines, &self.items, &self.details, violations)?;
        // Only now it is known over how many orders and lines the products are spread.
        if judged.order_count() > MAX_ORDERS || judged.line_count() > MAX_DELIVERED_LINES {
            return Err(Refusal::DeliveryTooLarge { orders: judged.order_count(), lines: judged.line_count() });
        }
        let same_delivery_note = self.details.same_delivery_note(changeset, &self.supplier)?;
        let delivery = changeset.new_delivery_id();
        let receipts = judged.book(changeset, &self.details, Some(delivery))?;
        Ok(Outcome::DeliveryBooked(DeliveryBooked { delivery, receipts, same_delivery_note }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::code::ProductId;
    use crate::domain::order::State;
    use crate::domain::order::receive::items::ProductSelector;
    use crate::domain::order::tolerance::Tolerance;
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore, at, new_item};

    fn of_product(order: Option<OrderId>, product: &str, accepted: &str, rejected: &str) -> NewItem {
        let selector = ProductSelector::Product(ProductId::new(product));
        new_item(ItemTarget::Product(order, selector), accepted, rejected)
    }

    fn of_line(order: OrderId, line: i32, accepted: &str) -> NewItem {
        new_item(ItemTarget::Line(order, line), accepted, "0")
    }

    fn delivery(mut items: Vec<NewItem>) -> ReceiveDelivery {
        (0..).zip(&mut items).for_each(|(index, item)| item.index = index);
        let details = DeliveryDetails::default();
        ReceiveDelivery { supplier: "acme".to_owned(), etags: BTreeMap::new(), items, details }
    }

    /// Orders of 10 oak and 5 ash, of 6 oak, and of 4 oak of another supplier; the second was ordered first.
    fn three_orders() -> (TestStore, OrderId, OrderId, OrderId) {
        let mut store = TestStore::new();
        let first = store.on_order(&["oak 10", "ash 5"]);
        let second = store.on_order(&["oak 6"]);
        let other = store.on_order(&["oak 4"]);
        store.change_order(second, |order| order.original_order_time = Some(at("2026-02-27T09:00:00Z")));
        store.change_order(other, |order| order.supplier = "bolt".to_owned());
        (store, first, second, other)
    }

    #[test]
    fn a_delivery_closes_the_oldest_orders_of_its_supplier_first() {
        for (items, first, second) in [
            (&[("oak", "4")][..], "oak: 10 ordered, 10 pending", "oak: 6 ordered, 4 received, 2 pending"),
            (&[("oak", "9")], "oak: 10 ordered, 3 received, 7 pending", "oak: 6 ordered, 6 received"),
            // What goes beyond what is pending goes to the oldest order too.
            (&[("oak", "18")], "oak: 10 ordered, 10 received", "oak: 6 ordered, 8 received, 2 excess"),
            (&[("oak", "22")], "oak: 10 ordered, 13 received, 3 excess", "oak: 6 ordered, 9 received, 3 excess"),
        ] {
            let (mut store, one, two, other) = three_orders();
            store.row().over_receipt_tolerance = Tolerance::parse("50").unwrap();
            let items = items.iter().map(|(product, accepted)| of_product(None, product, accepted, "0")).collect();
            store.accept(delivery(items));
            assert_eq!((store.lines_of(one)[0].as_str(), store.lines_of(two)[0].as_str()), (first, second));
            assert_eq!(store.lines_of(other), ["oak: 4 ordered, 4 pending"]);
        }
    }

    #[test]
    fn its_receipts_share_an_id_and_each_order_has_its_event() {
        let (mut store, one, two, _) = three_orders();
        let mut command = delivery(vec![of_line(one, 2, "5"), of_product(None, "oak", "7", "1")]);
        command.details.delivery_note = Some("LS-7".to_owned());
        let reply = store.send(command).unwrap();
        assert_eq!(store.events(), ["RECEIPT_BOOKED", "RECEIPT_BOOKED"]);
        let Outcome::DeliveryBooked(booked) = reply.outcome else { panic!("{:?}", reply.outcome) };
        let receipts: Vec<_> = booked.receipts.iter().map(|booked| (booked.order, booked.lines.clone())).collect();
        assert_eq!(receipts, [(two, vec![1]), (one, vec![1, 2])]);
        assert_eq!(booked.receipts[1].event, booked.receipts[0].event + 1);
        for order in [one, two] {
            let receipt = store.receipt_of(order, 1);
            assert_eq!((receipt.delivery, receipt.delivery_note.as_deref()), (Some(booked.delivery), Some("LS-7")));
        }
        // What was rejected is of the first line that took anything.
        assert_eq!(store.lines_of(two), ["oak: 6 ordered, 6 received, 1 rejected"]);
        assert_eq!(reply.orders.iter().map(|order| order.lines.len()).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_named_order_takes_a_product_alone() {
        let (mut store, one, two, _) = three_orders();
        store.accept(delivery(vec![of_product(Some(one), "oak", "10", "0")]));
        assert_eq!(store.lines_of(two), ["oak: 6 ordered, 6 pending"]);
        assert_eq!(store.refuse(delivery(vec![of_product(Some(one), "oak", "1", "0")])), "OVER_RECEIPT");
    }

    #[test]
    fn all_of_it_is_booked_or_nothing() {
        let (mut store, one, two, other) = three_orders();
        let text = store.refusal_text(delivery(vec![of_product(None, "oak", "17", "0")]));
        assert!(text.ends_with("items[0] would bring 1 more of oak than may be received"), "{text}");
        let text = store.refusal_text(delivery(vec![of_line(two, 1, "1"), of_line(other, 1, "1")]));
        assert_eq!(text, "items[1].purchase_order_id is PO-000003, an order from bolt, not from acme");
        let text = store.refusal_text(delivery(vec![of_product(None, "elm", "1", "0")]));
        assert_eq!(text, "no line that can be received is of product elm");
        assert_eq!(store.refuse(delivery(vec![of_line(one, 3, "1")])), "LINE_NOT_FOUND");
        assert_eq!((store.header(one).revision, store.header(two).revision), (1, 1));
    }

    #[test]
    fn drafts_and_closed_orders_take_nothing() {
        for state in [State::Draft, State::Completed, State::Cancelled] {
            let (mut store, one, two, _) = three_orders();
            store.change_order(two, |order| order.state = state);
            store.accept(delivery(vec![of_product(None, "oak", "10", "0")]));
            assert_eq!(store.lines_of(one)[0], "oak: 10 ordered, 10 received", "{state}");
            assert_eq!(store.refuse(delivery(vec![of_line(two, 1, "1")])), "WRONG_STATE");
        }
    }

    #[test]
    fn goods_arrive_after_the_last_of_their_orders() {
        let (mut store, _, two, _) = three_orders();
        let arriving = |items| {
            let mut command = delivery(items);
            command.details.receive_time = Some(at("2026-02-27T12:00:00Z"));
            command
        };
        store.accept(arriving(vec![of_line(two, 1, "1")]));
        assert_eq!(
            store.refusal_text(arriving(vec![of_product(None, "oak", "6", "0")])),
            "receive_time is 2026-02-27T12:00:00Z, before 2026-02-28, the day on which the goods were ordered"
        );
    }

    #[test]
    fn refusals_come_in_their_order_and_name_every_order() {
        let (mut store, one, two, _) = three_orders();
        let mut command = delivery(vec![of_line(one, 1, "99"), of_line(two, 9, "1"), of_line(NO_SUCH_ORDER, 1, "1")]);
        command.etags = BTreeMap::from([(one, "7".to_owned()), (two, "8".to_owned())]);
        store.call_with(&[Permission::View]);
        assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
        store.call_with(&[Permission::Receive]);
        let refusal = store.send(command.clone()).unwrap_err();
        assert_eq!(refusal.reason(), "PURCHASE_ORDER_NOT_FOUND");
        assert!(refusal.to_string().starts_with(&NO_SUCH_ORDER.to_string()), "{refusal}");
        command.items.pop();
        assert_eq!(
            store.refusal_text(command.clone()),
            "PO-000001, PO-000002: purchase order PO-000001 has changed: its etag is now 1; look at it again"
        );
        command.etags = BTreeMap::from([(one, "1".to_owned())]);
        for order in [one, two] {
            store.change_order(order, |order| order.state = State::Completed);
        }
        let refusal = store.send(command.clone()).unwrap_err();
        assert_eq!(refusal.reason(), "WRONG_STATE");
        assert!(refusal.to_string().starts_with("PO-000001, PO-000002: "), "{refusal}");
        for order in [one, two] {
            store.change_order(order, |order| order.state = State::OnOrder);
        }
        assert_eq!(store.refuse(command.clone()), "LINE_NOT_FOUND");
        command.items.pop();
        assert_eq!(store.refuse(command), "OVER_RECEIPT");
    }

    #[test]
    fn the_same_delivery_note_is_told_unless_it_is_of_this_delivery() {
        let (mut store, one, two, _) = three_orders();
        let noted = |items, refuse| {
            let mut command = delivery(items);
            command.details.delivery_note = Some("LS-7".to_owned());
            command.details.refuse_known_delivery_note = refuse;
            command
        };
        let known = |reply: crate::domain::command::Reply| match reply.outcome {
            Outcome::DeliveryBooked(booked) => booked.same_delivery_note.map(|known| known.number),
            outcome => panic!("{outcome:?}"),
        };
        let both = |accepted: &str| vec![of_line(one, 1, accepted), of_line(two, 1, accepted)];
        assert_eq!(known(store.send(noted(both("1"), true)).unwrap()), None);
        assert_eq!(known(store.send(noted(both("2"), false)).unwrap()), Some("PO-000002".to_owned()));
        assert_eq!(store.refuse(noted(both("1"), true)), "DELIVERY_NOTE_KNOWN");
    }

    #[test]
    fn a_delivery_is_for_so_many_orders_and_looks_through_so_many_lines() {
        let mut store = TestStore::new();
        for _ in 0..51 {
            store.on_order(&["oak 1"]);
        }
        store.accept(delivery(vec![of_product(None, "oak", "1", "0")]));
        assert_eq!(store.refuse(delivery(vec![of_product(None, "oak", "51", "0")])), "OVER_RECEIPT");
        store.on_order(&["oak 1"]);
        assert_eq!(
            store.refusal_text(delivery(vec![of_product(None, "oak", "51", "0")])),
            "the delivery would be booked on 51 lines of 51 orders; at most 4,000 lines of 50 orders are allowed: \
             send it in parts"
        );
        let lines = vec!["oak 1"; 949];
        store.on_order(&lines);
        assert_eq!(store.refuse(delivery(vec![of_product(None, "oak", "1", "0")])), "TOO_MANY_CANDIDATE_LINES");
    }
}
