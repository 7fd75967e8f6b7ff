//! What the clients write down: each intention and what was answered.

use std::collections::BTreeMap;

use purchase_order_service::proto::v1::*;
use uuid::Uuid;

/// An intention that was settled.
pub struct Entry {
    pub store: String,
    pub principal: String,
    /// The request id under which it was sent each time.
    pub id: Uuid,
    pub rpc: &'static str,
    pub answer: Answer,
}

/// What settled it.
pub enum Answer {
    Refused(String),
    Done(Effect),
}

/// What an acknowledged intention has done, as its answer tells.
#[derive(Default)]
pub struct Effect {
    /// The numbers of its events in the store, each with the order that it is about.
    pub events: Vec<(i64, Option<String>)>,
    /// The order that it made.
    pub made: Option<String>,
}

/// All that was intended.
#[derive(Default)]
pub struct Journal {
    pub entries: Vec<Entry>,
    /// What acknowledged completions put on hand, by store and product.
    pub on_hand: BTreeMap<(String, String), i64>,
}

impl Journal {
    pub fn put_on_hand(&mut self, store: &str, product: &str, quantity: i64) {
        *self.on_hand.entry((store.to_owned(), product.to_owned())).or_default() += quantity;
    }

    pub fn merge(&mut self, other: Self) {
        self.entries.extend(other.entries);
        for ((store, product), quantity) in other.on_hand {
            self.put_on_hand(&store, &product, quantity);
        }
    }

    /// How often each rpc came to each end.
    pub fn table(&self) -> String {
        let mut ends: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for entry in &self.entries {
            let end = match &entry.answer {
                Answer::Done(_) => "done",
                Answer::Refused(reason) => reason,
            };
            *ends.entry((entry.rpc, end)).or_default() += 1;
        }
        ends.iter().map(|((rpc, end), count)| format!("{count:8} {rpc} {end}")).collect::<Vec<_>>().join("\n")
    }
}

/// An answer that acknowledges an intention.
pub trait Acknowledgement {
    fn effect(&self) -> Effect;
}

/// The effect of a call that wrote one event, about this order; none if the number is 0.
fn one_event(number: i64, order: Option<&PurchaseOrder>) -> Effect {
    let order = order.map(|order| order.purchase_order_id.clone());
    let events = if number == 0 { Vec::new() } else { vec![(number, order)] };
    Effect { events, made: None }
}

impl Acknowledgement for CreatePurchaseOrderResponse {
    fn effect(&self) -> Effect {
        let order = self.purchase_order.as_ref();
        let made = order.map(|order| order.purchase_order_id.clone());
        Effect { made, ..one_event(self.event_number, order) }
    }
}

impl Acknowledgement for PlacePurchaseOrderResponse {
    fn effect(&self) -> Effect {
        one_event(self.event_number, self.purchase_order.as_ref())
    }
}

impl Acknowledgement for ReceivePurchaseOrderResponse {
    fn effect(&self) -> Effect {
        one_event(self.event_number, self.purchase_order.as_ref())
    }
}

impl Acknowledgement for VoidReceiptResponse {
    fn effect(&self) -> Effect {
        one_event(self.event_number, self.purchase_order.as_ref())
    }
}

impl Acknowledgement for CompletePurchaseOrderResponse {
    fn effect(&self) -> Effect {
        let mut effect = one_event(self.event_number, self.purchase_order.as_ref());
        // The back order's event is the next.
        effect.made = self.back_order.as_ref().map(|made| made.purchase_order_id.clone());
        effect.events.extend(effect.made.clone().map(|made| (self.event_number + 1, Some(made))));
        effect
    }
}

impl Acknowledgement for CancelPurchaseOrderResponse {
    fn effect(&self) -> Effect {
        one_event(self.event_number, self.purchase_order.as_ref())
    }
}

impl Acknowledgement for GrantRoleResponse {
    fn effect(&self) -> Effect {
        one_event(self.event_number, None)
    }
}

impl Acknowledgement for RevokeRoleResponse {
    fn effect(&self) -> Effect {
        one_event(self.event_number, None)
    }
}

impl Acknowledgement for EnableBackOrdersResponse {
    fn effect(&self) -> Effect {
        one_event(self.event_number, None)
    }
}

impl Acknowledgement for DisableBackOrdersResponse {
    fn effect(&self) -> Effect {
        one_event(self.event_number, None)
    }
}
