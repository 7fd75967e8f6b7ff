//! What the model shows: its state as the messages that the service is held to.

use purchase_order_service::proto::v1::*;

use crate::naive_oracle::access::needed_for;
use crate::naive_oracle::books::{Level, Order};
use crate::naive_oracle::command::{Call, Command, Item, Made, Name, Quantity, Time, Verb};
use crate::naive_oracle::model::Model;
use crate::naive_oracle::wire::{
    Answer, NOTE, REFERENCE, REJECT_NOTE, Wire, cost, date, decimal, instant, value, worth,
};

/// A model and the wire that knows its ids.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub model: &'a Model,
    pub wire: &'a Wire,
}

impl Shown<'_> {
    fn order(&self, place: usize) -> &Order {
        &self.model.orders[place]
    }

    /// The places of a chain's orders, the original first.
    fn chain_of(&self, place: usize) -> Vec<usize> {
        let chain = self.order(place).chain;
        (chain..self.model.orders.len()).filter(|other| self.order(*other).chain == chain).collect()
    }

    /// The number of an original, or of the back order that follows it in this place.
    fn number(&self, original: usize, sequence: usize) -> String {
        let originals = (0..=original).filter(|other| self.order(*other).chain == *other).count();
        if sequence == 0 { format!("PO-{originals:06}") } else { format!("PO-{originals:06}-B{sequence}") }
    }

    /// What a mutation answers, on its first call and on a replay.
    pub fn answer(&self, call: &Call, made: Made) -> Answer {
        let answer = Answer { event_number: made.event, ..Answer::default() };
        match &call.command {
            Command::Create { .. } => {
                Answer { order: made.place.map(|place| self.header(place, call.caller)), ..answer }
            }
            Command::Change { order, verb, .. } => {
                let answer = Answer { order: Some(self.header(*order, call.caller)), ..answer };
                self.what_it_made((*order, call.caller), verb, made, answer)
            }
            Command::SetBackOrders(_) => Answer { store: Some(self.store()), ..answer },
            Command::CreateRole { role, permissions } => {
                let permissions = permissions.iter().map(|permission| (*permission).into()).collect();
                Answer { role: Some(Role { role_id: role.to_string(), permissions }), ..answer }
            }
            Command::GrantRole { principal, role } => {
                let grant = Grant { principal: principal.to_string(), role_id: role.to_string() };
                Answer { grant: Some(grant), ..answer }
            }
            Command::RevokeRole { .. } => answer,
        }
    }

    fn what_it_made(&self, (order, caller): (usize, Name), verb: &Verb, made: Made, answer: Answer) -> Answer {
        let touched = |receipt: usize| {
            let items = &self.order(order).receipts[receipt].items;
            items.iter().map(|item| self.line(order, item.line, caller)).collect()
        };
        match (verb, made.place) {
            (Verb::Receive { .. }, Some(place)) => {
                // It is told as it was booked, even if it was voided since.
                let booked = Receipt {
                    void_time: None,
                    void_reason: String::new(),
                    voided_by: String::new(),
                    ..self.receipt(order, place, caller)
                };
                Answer { receipt: Some(booked), lines: touched(place), ..answer }
            }
            (Verb::Void { receipt }, _) => {
                Answer { receipt: Some(self.receipt(order, *receipt, caller)), lines: touched(*receipt), ..answer }
            }
            (Verb::Complete { .. }, Some(place)) => Answer { back_order: Some(self.back_order(place)), ..answer },
            _ => answer,
        }
    }

    pub fn back_order(&self, place: usize) -> BackOrder {
        let chain = self.chain_of(place);
        let sequence = chain.iter().take_while(|other| **other < place).count();
        let line_count = self.order(place).lines.len() as i32;
        BackOrder { purchase_order_id: self.wire.id(place), number: self.number(chain[0], sequence), line_count }
    }

    pub fn store(&self) -> Store {
        Store {
            store_id: self.wire.store.clone(),
            display_name: format!("Store {}", self.wire.store),
            currency: "EUR".to_owned(),
            time_zone: "Europe/Amsterdam".to_owned(),
            back_orders_enabled: self.model.back_orders_enabled,
            open_purchase_order_count: self.model.orders.iter().filter(|order| order.is_open()).count() as i64,
            create_time: Some(instant(self.model.created)),
            over_receipt_tolerance: "0".to_owned(),
            allow_negative_stock: false,
            allow_unlisted_items: false,
        }
    }

    pub fn header(&self, place: usize, caller: Name) -> PurchaseOrder {
        let (order, chain) = (self.order(place), self.chain_of(place));
        let sequence = chain.iter().take_while(|other| **other < place).count();
        let other =
            |sequence: Option<usize>| sequence.and_then(|sequence| chain.get(sequence)).map(|at| self.wire.id(*at));
        let time = |time: Option<Time>| time.map(instant);
        PurchaseOrder {
            store_id: self.wire.store.clone(),
            purchase_order_id: self.wire.id(place),
            number: self.number(order.chain, sequence),
            state: order.state().into(),
            etag: order.revision.to_string(),
            supplier_id: "acme".to_owned(),
            supplier_reference: REFERENCE.to_owned(),
            note: if sequence == 0 { NOTE.to_owned() } else { String::new() },
            currency: "EUR".to_owned(),
            expected_date: date(order.expected),
            create_time: Some(instant(order.created)),
            order_time: time(order.ordered),
            place_time: time(order.placed),
            complete_time: time(order.completed),
            cancel_time: time(order.cancelled),
            cancel_reason: order.cancel_reason.to_owned(),
            original_order_time: time(self.order(order.chain).ordered),
            original_purchase_order_id: self.wire.id(order.chain),
            parent_purchase_order_id: other(sequence.checked_sub(1)).unwrap_or_default(),
            back_order_purchase_order_id: other(Some(sequence + 1)).unwrap_or_default(),
            back_order_sequence: sequence as i32,
            totals: Some(totals(order)),
            line_count: order.lines.len() as i32,
            pending_line_count: order.lines.keys().filter(|line| order.pending(**line) > 0).count() as i32,
            active_receipt_count: order.active().count() as i32,
            allowed_actions: self.allowed_actions(order, caller),
            external_id: String::new(),
            ordered_cost: self.shown_cost(caller, self.sum(order, |line| order.lines[&line].new.quantity)),
            received_cost: self.shown_cost(caller, received_cost(order)),
            pending_cost: self.shown_cost(caller, self.sum(order, |line| order.pending(line))),
            charges_cost: self.shown_cost(caller, 0),
            created_by: order.created_by.to_owned(),
            placed_by: order.placed_by.to_owned(),
            completed_by: if order.completed.is_some() { order.closed_by.to_owned() } else { String::new() },
            cancelled_by: if order.cancelled.is_some() { order.closed_by.to_owned() } else { String::new() },
        }
    }

    fn shown_cost(&self, caller: Name, amount: Quantity) -> Option<String> {
        self.model.access.holds(caller, Permission::ViewCosts).then(|| decimal(amount))
    }

    /// What the quantities of the lines are worth, each rounded.
    fn sum(&self, order: &Order, quantity: impl Fn(i32) -> Quantity) -> Quantity {
        order.lines.iter().map(|(number, line)| worth(quantity(*number), line.new.cost)).sum()
    }

    fn allowed_actions(&self, order: &Order, caller: Name) -> Vec<i32> {
        let state = order.state();
        let actions = [
            (PurchaseOrderAction::Update, order.is_open()),
            (PurchaseOrderAction::Place, state == PurchaseOrderState::Draft),
            (PurchaseOrderAction::Receive, order.is_live()),
            (PurchaseOrderAction::VoidReceipt, state == PurchaseOrderState::Receiving),
            (PurchaseOrderAction::Complete, order.is_live() && order.has_accepted()),
            (PurchaseOrderAction::Cancel, order.is_open() && !order.has_accepted()),
        ];
        let holds = |action| self.model.access.holds(caller, needed_for(action));
        let allowed = actions.into_iter().filter(|(action, possible)| *possible && holds(*action));
        allowed.map(|(action, _)| action.into()).collect()
    }

    pub fn lines(&self, place: usize, caller: Name) -> Vec<PurchaseOrderLine> {
        self.order(place).lines.keys().map(|number| self.line(place, *number, caller)).collect()
    }

    fn line(&self, place: usize, number: i32, caller: Name) -> PurchaseOrderLine {
        let order = self.order(place);
        let line = &order.lines[&number];
        let times = || order.arrivals(number).map(|(receipt, _)| receipt.time);
        PurchaseOrderLine {
            line_number: number,
            product_id: line.new.product.to_owned(),
            description: format!("fresh {}", line.new.product),
            gtin: String::new(),
            unit: line.new.unit.into(),
            unit_cost: self.model.access.holds(caller, Permission::ViewCosts).then(|| cost(line.new.cost)),
            expected_date: date(line.new.expected.or(order.expected)),
            first_expected_date: date(line.first_expected),
            ordered: decimal(line.new.quantity),
            first_ordered: decimal(line.new.quantity),
            received: decimal(order.accepted(number)),
            rejected: decimal(order.rejected(number)),
            back_ordered: decimal(line.back_ordered),
            cancelled: decimal(line.cancelled),
            pending: decimal(order.pending(number)),
            excess: decimal(0),
            returned: decimal(0),
            first_receive_time: times().min().map(instant),
            last_receive_time: times().max().map(instant),
            back_order_time: order.completed.filter(|_| line.back_ordered > 0).map(instant),
            ordered_cost: self.shown_cost(caller, worth(line.new.quantity, line.new.cost)),
            pending_cost: self.shown_cost(caller, worth(order.pending(number), line.new.cost)),
            ..PurchaseOrderLine::default()
        }
    }

    fn receipt(&self, place: usize, receipt: usize, caller: Name) -> Receipt {
        let number = receipt as i32 + 1;
        let order = self.order(place);
        let receipt = &order.receipts[receipt];
        let of_item = |item: &Item| worth(item.accepted, order.lines[&item.line].new.cost);
        let items = receipt.items.iter().map(|item| ReceiptItem {
            line_number: item.line,
            accepted: decimal(item.accepted),
            rejected: decimal(item.rejected),
            reject_reason: if item.rejected > 0 { RejectReason::Damaged.into() } else { 0 },
            reject_note: if item.rejected > 0 { REJECT_NOTE.to_owned() } else { String::new() },
            excess: decimal(0),
            value: self.shown_cost(caller, of_item(item)),
            ..ReceiptItem::default()
        });
        Receipt {
            receipt_number: number,
            receive_time: Some(instant(receipt.time)),
            book_time: Some(instant(receipt.booked.1)),
            booked_by: receipt.booked.0.to_owned(),
            void_time: receipt.voided.map(|(_, time)| instant(time)),
            voided_by: receipt.voided.map(|(by, _)| by.to_owned()).unwrap_or_default(),
            void_reason: receipt.voided.map(|_| "counted again".to_owned()).unwrap_or_default(),
            item_count: receipt.items.len() as i32,
            items: items.collect(),
            store_id: self.wire.store.clone(),
            purchase_order_id: self.wire.id(place),
            supplier_id: "acme".to_owned(),
            value: self.shown_cost(caller, receipt.items.iter().map(of_item).sum()),
            ..Receipt::default()
        }
    }

    pub fn chain(&self, place: usize, caller: Name) -> GetBackOrderChainResponse {
        let chain = self.chain_of(place);
        let lines = self.order(chain[0]).lines.keys().map(|line| self.chain_line(&chain, *line));
        GetBackOrderChainResponse {
            lines: lines.collect(),
            purchase_orders: chain.iter().map(|place| self.header(*place, caller)).collect(),
            next_page_token: String::new(),
        }
    }

    /// A line of the original, added up over the orders that carry it on.
    fn chain_line(&self, chain: &[usize], number: i32) -> ChainLine {
        let new = &self.order(chain[0]).lines[&number].new;
        let orders: Vec<&Order> = chain.iter().map(|place| self.order(*place)).collect();
        let with_line = || orders.iter().filter(|order| order.lines.contains_key(&number));
        let sum = |of: &dyn Fn(&Order) -> Quantity| decimal(with_line().map(|order| of(order)).sum());
        let times = || with_line().flat_map(|order| order.arrivals(number)).map(|(receipt, _)| receipt.time);
        ChainLine {
            line_number: number,
            product_id: new.product.to_owned(),
            description: format!("fresh {}", new.product),
            unit: new.unit.into(),
            ordered: decimal(new.quantity),
            received: sum(&|order| order.accepted(number)),
            on_hand: sum(&|order| if order.completed.is_some() { order.accepted(number) } else { 0 }),
            returned: decimal(0),
            excess: decimal(0),
            cancelled: sum(&|order| order.lines[&number].cancelled),
            pending: sum(&|order| order.pending(number)),
            first_receive_time: times().min().map(instant),
            last_receive_time: times().max().map(instant),
        }
    }

    pub fn level(&self, product: Name, level: &Level, caller: Name) -> InventoryLevel {
        let shows_costs = self.model.access.holds(caller, Permission::ViewCosts);
        InventoryLevel {
            store_id: self.wire.store.clone(),
            product_id: product.to_owned(),
            unit: self.model.units[product].into(),
            on_hand: decimal(level.on_hand),
            staged: decimal(level.staged),
            on_order: decimal(level.on_order),
            back_ordered: decimal(level.back_ordered),
            average_cost: shows_costs.then(|| cost(level.average)),
            value: shows_costs.then(|| value(level.on_hand, level.average)),
        }
    }
}

/// Whatever units the lines have.
fn totals(order: &Order) -> QuantityTotals {
    let lines = || order.lines.iter();
    QuantityTotals {
        ordered: decimal(lines().map(|(_, line)| line.new.quantity).sum()),
        received: decimal(lines().map(|(number, _)| order.accepted(*number)).sum()),
        rejected: decimal(lines().map(|(number, _)| order.rejected(*number)).sum()),
        back_ordered: decimal(lines().map(|(_, line)| line.back_ordered).sum()),
        cancelled: decimal(lines().map(|(_, line)| line.cancelled).sum()),
        pending: decimal(lines().map(|(number, _)| order.pending(*number)).sum()),
        excess: decimal(0),
    }
}

/// What the active receipts brought is worth, each item rounded.
fn received_cost(order: &Order) -> Quantity {
    let items = order.active().flat_map(|receipt| &receipt.items);
    items.map(|item| worth(item.accepted, order.lines[&item.line].new.cost)).sum()
}
