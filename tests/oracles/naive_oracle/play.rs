//! One store's game: each call is drawn, sent and judged by the model. The two must agree, and so must
//! what can be read now and then.

use std::collections::BTreeMap;
use std::fmt::Debug;

use purchase_order_service::proto::v1::*;
use tonic::Status;
use tonic::transport::Channel;

use crate::naive_oracle::access::OPERATOR;
use crate::naive_oracle::books::level;
use crate::naive_oracle::command::{Call, Command, Name, Reason, Time, ensure};
use crate::naive_oracle::generator::{CALLERS, Generator, NO_PRODUCT, PRODUCTS};
use crate::naive_oracle::model::Model;
use crate::naive_oracle::shown::Shown;
use crate::naive_oracle::wire::{Answer, Wire, decimal};
use crate::support::{Caller, reason};

/// How often each kind of command came to each end.
pub type Counts = BTreeMap<(Reason, Name), u64>;
/// The ends that are no refusals.
pub const DONE: Reason = "(done)";
pub const REPLAYED: Reason = "(replayed)";

pub struct Play {
    seed: u64,
    model: Model,
    wire: Wire,
    generator: Generator,
    /// The calls so far: what a failure shows the end of.
    calls: Vec<Call>,
    pub counts: Counts,
}

impl Play {
    /// A store of alice's with a manager, a receiver and the feature on.
    pub async fn begin(channel: Channel, seed: u64, number: u64, now: Time) -> Self {
        let store = format!("store-{number}");
        Caller::of(channel.clone(), OPERATOR, &store).create_store("alice").ok().await;
        let model = Model { created: now, now, events: 1, ..Model::default() };
        let wire = Wire { channel, store, ids: Vec::new() };
        let generator = Generator::new(seed.wrapping_mul(1_000).wrapping_add(number));
        let mut play = Self { seed, model, wire, generator, calls: Vec::new(), counts: Counts::new() };
        for (caller, command) in [
            (OPERATOR, Command::SetBackOrders(true)),
            ("alice", Command::CreateRole { role: "keys", permissions: vec![Permission::ManageAccess] }),
            ("alice", Command::GrantRole { principal: "bob", role: "receiver" }),
            ("alice", Command::GrantRole { principal: "carol", role: "manager" }),
        ] {
            play.call(Call { caller, id: None, command }).await;
        }
        play
    }

    /// Plays on, so many calls at this time.
    pub async fn play(mut self, calls: u64, now: Time) -> Self {
        self.model.now = now;
        for _ in 0..calls {
            let call = self.generator.next(&self.model, &self.calls);
            self.call(call).await;
            if self.generator.one_in(6) {
                self.look().await;
            }
        }
        self
    }

    fn shown(&self) -> Shown<'_> {
        Shown { model: &self.model, wire: &self.wire }
    }

    async fn call(&mut self, call: Call) {
        self.calls.push(call.clone());
        let is_new = call.id.is_none_or(|id| !self.model.answered.contains_key(&(call.caller, id)));
        let preview = if is_new && self.generator.one_in(4) { self.wire.preview(&call).await } else { None };
        let got = self.wire.send(&call).await;
        let judged = self.model.judge(&call);
        self.learn(got.as_ref().ok());
        let end = judged.err().unwrap_or(if is_new { DONE } else { REPLAYED });
        *self.counts.entry((end, call.command.kind())).or_default() += 1;
        if let Some(preview) = preview {
            self.compare_preview(judged.map(|made| made.place), preview);
        }
        self.compare("its answer", judged.map(|made| self.shown().answer(&call, made)), got);
    }

    /// A new order's id is told by the answer that made it.
    fn learn(&mut self, answer: Option<&Answer>) {
        if self.wire.ids.len() < self.model.orders.len() {
            let made = answer.and_then(|answer| match (&answer.back_order, &answer.order) {
                (Some(back_order), _) => Some(back_order.purchase_order_id.clone()),
                (None, order) => order.as_ref().map(|order| order.purchase_order_id.clone()),
            });
            self.wire.ids.push(made.unwrap_or_default());
        }
    }

    /// A preview tells what the completion comes to, in the first of its blockers or by being refused.
    fn compare_preview(&self, judged: Result<Option<usize>, Reason>, got: Result<PreviewCompletionResponse, Status>) {
        let got = got.map_err(|status| reason(&status)).and_then(|preview| match preview.blockers.first() {
            Some(blocker) => Err(blocker.reason.clone()),
            None => Ok((preview.back_order_number, preview.back_order_line_count)),
        });
        // An order of which nothing was accepted is not completed, whatever is asked; its preview says so
        // beside the list, and so looks first at what is asked.
        let looks_on = judged == Err("NOTHING_RECEIVED");
        if looks_on && matches!(&got, Err(reason) if ["LINE_NOT_FOUND", "INVALID_FOR_STORED_DATA"].contains(&&**reason))
        {
            return;
        }
        let back_order = |place| self.shown().back_order(place);
        let expected = judged.map(|child| child.map(back_order).unwrap_or_default());
        self.agree("its preview", expected.map(|child| (child.number, child.line_count)), got);
    }

    fn compare<T: Debug + PartialEq>(&self, what: &str, expected: Result<T, Reason>, got: Result<T, Status>) {
        self.agree(what, expected, got.map_err(|status| reason(&status)));
    }

    fn agree<T: Debug + PartialEq>(&self, what: &str, expected: Result<T, Reason>, got: Result<T, String>) {
        let expected = expected.map_err(str::to_owned);
        if expected == got {
            return;
        }
        let (seed, store, last) = (self.seed, &self.wire.store, self.calls.len() - 1);
        let difference = difference(&format!("{expected:#?}"), &format!("{got:#?}"));
        let calls = self.calls.iter().enumerate().skip(last.saturating_sub(9));
        let calls: Vec<String> = calls.map(|(index, call)| format!("{index}: {call:?}")).collect();
        let calls = calls.join("\n");
        panic!("ORACLE_SEED={seed} {store}, call {last}, {what}:\n{difference}\nthe last calls:\n{calls}");
    }
}

/// The lines in which two texts differ.
fn difference(expected: &str, got: &str) -> String {
    if expected.lines().count() != got.lines().count() {
        return format!("expected {expected}\ngot {got}");
    }
    let differ = expected.lines().zip(got.lines()).filter(|(expected, got)| expected != got);
    let differences = differ.map(|(expected, got)| format!("expected {}\ngot      {}", expected.trim(), got.trim()));
    differences.collect::<Vec<_>>().join("\n")
}

/// Reading.
impl Play {
    async fn look(&mut self) {
        let caller = if self.generator.one_in(8) { self.generator.one_of(&CALLERS) } else { "carol" };
        match self.generator.rng.u32(..5) {
            0 => self.look_at_store(caller).await,
            1 | 2 => {
                let product = if self.generator.one_in(20) { NO_PRODUCT } else { self.generator.one_of(&PRODUCTS).0 };
                self.look_at_product(caller, product).await;
            }
            _ => {
                let place = self.a_place();
                self.look_at_order(caller, place).await;
            }
        }
    }

    /// Mostly that of an order touched lately.
    fn a_place(&mut self) -> usize {
        let touched = self.calls.iter().rev().find_map(|call| match call.command {
            Command::Change { order, .. } => Some(order),
            _ => None,
        });
        match touched {
            Some(place) if !self.generator.one_in(3) => place,
            _ => self.generator.rng.usize(..=self.model.orders.len()),
        }
    }

    async fn look_at_store(&self, caller: Name) {
        let admitted = caller == OPERATOR || self.model.access.has_any_role(caller);
        let expected = ensure(admitted, "NO_STORE_ACCESS").map(|()| Some(self.shown().store()));
        let got = self.wire.caller(caller).get_store().await;
        self.compare("its store", expected, got.map(|got| got.store));
    }

    async fn look_at_order(&self, caller: Name, place: usize) {
        let exists = ensure(place < self.model.orders.len(), "PURCHASE_ORDER_NOT_FOUND");
        let admitted = self.model.access.admit(caller, Some(Permission::View)).and(exists);
        let id = self.wire.id(place);
        let full = |request: &mut GetPurchaseOrderRequest| request.view = PurchaseOrderView::Full.into();
        let shown = |()| GetPurchaseOrderResponse {
            purchase_order: Some(self.shown().header(place, caller)),
            lines: self.shown().lines(place, caller),
            charges: Vec::new(),
        };
        self.compare("an order", admitted.map(shown), self.wire.caller(caller).get(&id).with(full).await);
        let order = PurchaseOrder { purchase_order_id: id, ..PurchaseOrder::default() };
        let chain = self.wire.caller(caller).chain(&order).await;
        self.compare("a chain", admitted.map(|()| self.shown().chain(place, caller)), chain);
    }

    async fn look_at_product(&self, caller: Name, product: Name) {
        let exists = ensure(self.model.units.contains_key(product), "PRODUCT_NOT_FOUND");
        let admitted = self.model.access.admit(caller, Some(Permission::View)).and(exists);
        let level = level(&self.model.ledger, &self.model.orders, product);
        let expected = admitted.map(|()| Some(self.shown().level(product, &level, caller)));
        let got = self.wire.caller(caller).level(product).await;
        self.compare("a level", expected, got.map(|got| got.inventory_level));
        let ledger = admitted.map(|()| (level.movements, decimal(level.on_hand)));
        self.compare("a ledger", ledger, self.wire.ledger(caller, product).await);
    }

    /// Looks at everything once more; how long the longest chain is.
    pub async fn end(self) -> (Counts, usize) {
        self.look_at_store("carol").await;
        for (product, _) in PRODUCTS {
            self.look_at_product("carol", product).await;
        }
        let headers = (0..self.model.orders.len()).map(|place| self.shown().header(place, "carol"));
        let mut headers: Vec<PurchaseOrder> = headers.collect();
        headers.sort_by(|one, other| one.number.cmp(&other.number));
        let longest = headers.iter().map(|header| header.back_order_sequence as usize + 1).max();
        self.compare("all orders", Ok(headers), self.wire.headers("carol").await);
        (self.counts, longest.unwrap_or_default())
    }
}
