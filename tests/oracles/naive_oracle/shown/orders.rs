//! Orders, their lines and their chains as the contract shows them.

use std::collections::BTreeSet;

use purchase_order_service::proto::v1::*;

use crate::naive_oracle::access::needed_for;
use crate::naive_oracle::books::{Order, chain_of, child_is_untouched, child_of, number_of};
use crate::naive_oracle::command::{Name, Time, day};
use crate::naive_oracle::numbers::{Quantity, cost, decimal};
use crate::naive_oracle::shown::Shown;
use crate::naive_oracle::wire::{FREIGHT, NOTE, REFERENCE, code_of, date, instant, supplier_product_id};

impl Shown<'_> {
    pub fn header(&self, place: usize, caller: Name) -> PurchaseOrder {
        let order = self.order(place);
        let other = |place: Option<usize>| place.map(|place| self.wire.id(place)).unwrap_or_default();
        let time = |time: Option<Time>| time.map(instant);
        PurchaseOrder {
            store_id: self.wire.store.clone(),
            purchase_order_id: self.wire.id(place),
            number: number_of(&self.model.orders, place),
            state: order.state().into(),
            etag: order.revision.to_string(),
            supplier_id: order.supplier.to_owned(),
            supplier_reference: if order.is_copy { String::new() } else { REFERENCE.to_owned() },
            note: if order.sequence == 0 && !order.is_copy { NOTE.to_owned() } else { String::new() },
            currency: "EUR".to_owned(),
            expected_date: date(order.expected),
            create_time: Some(instant(order.created)),
            order_time: time(order.ordered),
            place_time: time(order.placed),
            complete_time: time(order.completed),
            cancel_time: time(order.cancelled),
            cancel_reason: order.cancel_reason.to_owned(),
            cancel_reason_code: code_of(order.cancel_reason),
            original_order_time: time(self.order(order.chain).ordered),
            original_purchase_order_id: self.wire.id(order.chain),
            parent_purchase_order_id: other(order.parent),
            back_order_purchase_order_id: other(child_of(&self.model.orders, place)),
            back_order_sequence: order.sequence as i32,
            totals: Some(totals(order)),
            line_count: order.lines.len() as i32,
            pending_line_count: order.lines.keys().filter(|line| order.pending(**line) > 0).count() as i32,
            active_receipt_count: order.active().count() as i32,
            allowed_actions: self.allowed_actions(place, caller),
            external_id: order.external_id.to_owned(),
            ordered_cost: self.amount(caller, order.ordered_cost()),
            received_cost: self.amount(caller, order.received_cost()),
            pending_cost: self.amount(caller, order.pending_cost()),
            charges_cost: self.amount(caller, order.charges_cost()),
            created_by: order.created_by.to_owned(),
            placed_by: order.placed_by.to_owned(),
            completed_by: if order.completed.is_some() { order.closed_by.to_owned() } else { String::new() },
            cancelled_by: if order.cancelled.is_some() { order.closed_by.to_owned() } else { String::new() },
            folded_back: order.folded_back,
        }
    }

    fn allowed_actions(&self, place: usize, caller: Name) -> Vec<i32> {
        let order = self.order(place);
        let state = order.state();
        let may_be_reopened = order.completed.is_some() && child_is_untouched(&self.model.orders, place);
        let actions = [
            (PurchaseOrderAction::Update, order.is_open()),
            (PurchaseOrderAction::Place, state == PurchaseOrderState::Draft),
            (PurchaseOrderAction::Receive, order.is_live()),
            (PurchaseOrderAction::VoidReceipt, state == PurchaseOrderState::Receiving),
            (PurchaseOrderAction::CorrectReceipt, state == PurchaseOrderState::Receiving),
            (PurchaseOrderAction::Complete, order.is_live() && order.has_accepted()),
            (PurchaseOrderAction::Cancel, order.is_open() && !order.has_accepted()),
            (PurchaseOrderAction::CancelLines, order.is_live() && !order.all_pending().is_empty()),
            (PurchaseOrderAction::Copy, order.lines.values().any(|line| line.ordered > 0)),
            (PurchaseOrderAction::Amend, order.is_open()),
            (PurchaseOrderAction::Confirm, order.is_live()),
            (PurchaseOrderAction::Reopen, may_be_reopened),
        ];
        let holds = |action| self.model.access.holds(caller, needed_for(action));
        let allowed = actions.into_iter().filter(|(action, possible)| *possible && holds(*action));
        allowed.map(|(action, _)| action.into()).collect()
    }

    pub fn lines(&self, place: usize, caller: Name) -> Vec<PurchaseOrderLine> {
        self.order(place).lines.keys().map(|number| self.line(place, *number, caller)).collect()
    }

    /// Its charges, as they were given.
    pub fn charges(&self, place: usize, caller: Name) -> Vec<Charge> {
        let charge = |amount: &i128| Charge { description: FREIGHT.to_owned(), amount: self.amount(caller, *amount) };
        self.order(place).charges.iter().map(charge).collect()
    }

    pub fn line(&self, place: usize, number: i32, caller: Name) -> PurchaseOrderLine {
        let order = self.order(place);
        let line = &order.lines[&number];
        let shows_costs = self.model.access.holds(caller, Permission::ViewCosts);
        let times = || order.arrivals(number).map(|(receipt, _)| receipt.time);
        let packs = |quantity: Quantity| line.packs(quantity).map(|packs| packs.to_string()).unwrap_or_default();
        PurchaseOrderLine {
            line_number: number,
            product_id: line.product.to_owned(),
            description: format!("fresh {}", line.product),
            gtin: line.gtin.to_owned(),
            unit: line.unit.into(),
            unit_cost: self.cost(caller, line.unit_cost),
            expected_date: date(line.expected.or(order.expected)),
            first_expected_date: date(line.first_expected),
            ordered: decimal(line.ordered),
            first_ordered: decimal(line.first_ordered),
            received: decimal(order.accepted(number)),
            rejected: decimal(order.rejected(number)),
            back_ordered: decimal(line.back_ordered),
            cancelled: decimal(line.cancelled),
            pending: decimal(order.pending(number)),
            excess: decimal(order.excess(number)),
            returned: decimal(line.returned),
            first_receive_time: times().min().map(instant),
            last_receive_time: times().max().map(instant),
            back_order_time: order.completed.filter(|_| line.back_ordered > 0).map(instant),
            supplier_product_id: if line.is_unlisted { String::new() } else { supplier_product_id(line.product) },
            note: line.note.to_owned(),
            pack_size: line.pack_size.map(decimal).unwrap_or_default(),
            pack_cost: line.pack_cost.filter(|_| shows_costs).map(cost),
            ordered_packs: packs(line.ordered),
            received_packs: packs(order.accepted(number)),
            pending_packs: packs(order.pending(number)),
            over_receipt_tolerance: line.tolerance.map(decimal).unwrap_or_default(),
            ordered_cost: self.amount(caller, line.worth(line.ordered)),
            pending_cost: self.amount(caller, line.worth(order.pending(number))),
            lot_required: line.lot_required,
            confirmed: line.confirmed.map(decimal).unwrap_or_default(),
            shortfall: decimal(line.shortfall()),
        }
    }

    pub fn chain(&self, place: usize, caller: Name) -> GetBackOrderChainResponse {
        let chain = chain_of(&self.model.orders, place);
        let lines: BTreeSet<i32> = chain.iter().flat_map(|place| self.order(*place).lines.keys().copied()).collect();
        let lines = lines.into_iter().map(|line| self.chain_line(&chain, line));
        GetBackOrderChainResponse {
            lines: lines.collect(),
            purchase_orders: chain.iter().map(|place| self.header(*place, caller)).collect(),
            next_page_token: String::new(),
        }
    }

    /// A line of the original or of a back order that a receipt added it to, added up over the orders that carry
    /// it on.
    fn chain_line(&self, chain: &[usize], number: i32) -> ChainLine {
        let line = chain.iter().find_map(|place| self.order(*place).lines.get(&number)).expect("an order has it");
        let orders: Vec<&Order> = chain.iter().map(|place| self.order(*place)).collect();
        let with_line = || orders.iter().filter(|order| order.lines.contains_key(&number));
        let sum = |of: &dyn Fn(&Order) -> Quantity| decimal(with_line().map(|order| of(order)).sum::<Quantity>());
        let of_line = |order: &&&Order| order.lines[&number].ordered - order.lines[&number].first_ordered;
        let amended: Quantity = with_line().map(|order| of_line(&order)).sum();
        let times = || with_line().flat_map(|order| order.arrivals(number)).map(|(receipt, _)| receipt.time);
        ChainLine {
            line_number: number,
            product_id: line.product.to_owned(),
            description: format!("fresh {}", line.product),
            unit: line.unit.into(),
            ordered: decimal(line.first_ordered + amended),
            first_ordered: decimal(line.first_ordered),
            amended: decimal(amended),
            rejected: sum(&|order| order.rejected(number)),
            received: sum(&|order| order.accepted(number)),
            on_hand: sum(&|order| if order.completed.is_some() { order.accepted(number) } else { 0 }),
            returned: sum(&|order| order.lines[&number].returned),
            excess: sum(&|order| order.excess(number)),
            cancelled: sum(&|order| order.lines[&number].cancelled),
            pending: sum(&|order| order.pending(number)),
            first_receive_time: times().min().map(instant),
            last_receive_time: times().max().map(instant),
            days_to_last_receipt: times()
                .max()
                .zip(orders[0].ordered)
                .map(|(last, first)| (day(last) - day(first)) as i32),
        }
    }
}

/// Whatever units the lines have.
fn totals(order: &Order) -> QuantityTotals {
    let sum = |of: &dyn Fn(i32) -> Quantity| decimal(order.lines.keys().map(|number| of(*number)).sum::<Quantity>());
    QuantityTotals {
        ordered: sum(&|line| order.lines[&line].ordered),
        received: sum(&|line| order.accepted(line)),
        rejected: sum(&|line| order.rejected(line)),
        back_ordered: sum(&|line| order.lines[&line].back_ordered),
        cancelled: sum(&|line| order.lines[&line].cancelled),
        pending: sum(&|line| order.pending(line)),
        excess: sum(&|line| order.excess(line)),
    }
}
