//! One client: draws what to do next, knows what must come of it, and writes down what did. Nobody else
//! touches its orders, so the answer to each intention is known beforehand whatever the others do.

use fastrand::Rng;
use purchase_order_service::proto::v1::PendingDisposition::{self, BackOrder, Cancel};
use purchase_order_service::proto::v1::PurchaseOrderState::Draft;
use purchase_order_service::proto::v1::{PurchaseOrder, ReceivePurchaseOrderRequest};
use uuid::Uuid;

use crate::chaos::journal::{Acknowledgement, Answer, Entry, Journal};
use crate::chaos::sending::{Counts, Person, Sender, assert_same, reason_or_message};
use crate::support::{Call, Caller, Mutation};

/// Few, so that the clients of a store change the same levels.
const PRODUCTS: [&str; 6] = ["apples", "pears", "plums", "figs", "limes", "kiwis"];

/// What must come of an intention: it is done, or refused for this reason.
type Expected = Result<(), &'static str>;

/// Where a client is, and who it speaks for.
pub struct Place {
    pub store: String,
    /// Owns the store.
    pub alice: Person,
    /// Has no role but what this client grants.
    pub helper: Person,
    /// Has no role at all.
    pub mallory: Person,
    pub operator: Person,
    /// Whether it is the store's only client, and may turn back orders off.
    pub may_switch: bool,
}

/// An open order as its client knows it.
struct Order {
    header: PurchaseOrder,
    lines: Vec<Line>,
    receipts: Vec<Receipt>,
}

#[derive(Clone, Copy)]
struct Line {
    number: i32,
    product: &'static str,
    pending: i64,
    staged: i64,
}

/// A receipt that is not voided: how much of which line, by its index.
struct Receipt {
    number: i32,
    items: Vec<(usize, i64)>,
}

impl Order {
    fn pending(&self) -> i64 {
        self.lines.iter().map(|line| line.pending).sum()
    }

    fn staged(&self) -> i64 {
        self.lines.iter().map(|line| line.staged).sum()
    }

    /// The order that carries what this one left pending.
    fn back_order(&self, header: PurchaseOrder) -> Self {
        let pending = self.lines.iter().filter(|line| line.pending > 0);
        let lines = pending.map(|line| Line { staged: 0, ..*line }).collect();
        Self { header, lines, receipts: Vec::new() }
    }

    fn move_to_staged(&mut self, items: &[(usize, i64)], sign: i64) {
        for (index, quantity) in items {
            self.lines[*index].pending -= sign * quantity;
            self.lines[*index].staged += sign * quantity;
        }
    }
}

pub struct Client<T> {
    place: Place,
    sender: Sender,
    rng: Rng,
    journal: Journal,
    /// Tells the disturber that an intention was answered.
    tell: T,
    order: Option<Order>,
    back_orders: bool,
    helper_receives: bool,
}

impl<T: Fn() + Send> Client<T> {
    pub fn new(place: Place, mut rng: Rng, tell: T) -> Self {
        let (sender, journal) = (Sender::new(rng.fork()), Journal::default());
        Self { place, sender, rng, journal, tell, order: None, back_orders: true, helper_receives: false }
    }

    /// Carries out so many intentions; what it wrote down.
    pub async fn carry_out(mut self, intentions: usize) -> (Journal, Counts) {
        while self.journal.entries.len() < intentions {
            self.order = match self.order.take() {
                None => self.begin().await,
                Some(order) if order.header.state() == Draft => self.go_on_with_draft(order).await,
                Some(order) => self.go_on(order).await,
            };
        }
        (self.journal, self.sender.counts)
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(..n) == 0
    }

    /// Sends an intention until it is settled, and writes that down. The answer, if it was done.
    async fn settle<R: Mutation>(
        &mut self,
        person: Person,
        ask: impl Fn(&Caller) -> Call<R>,
        expected: Expected,
    ) -> Option<R::Answer>
    where
        R::Answer: Acknowledgement + PartialEq,
    {
        let id = Uuid::from_u128(self.rng.u128(..));
        let ask = |caller: &Caller| ask(caller).id(id);
        let answer = self.sender.settle(&person, ask).await;
        if self.one_in(8) {
            let again = self.sender.settle(&person, ask).await;
            assert_same(&answer, &again);
        }
        let got = answer.as_ref().map(drop).map_err(reason_or_message);
        let (store, principal) = (self.place.store.clone(), person.name);
        let expected = expected.map_err(str::to_owned);
        assert_eq!(got, expected, "{} of {principal} in {store} under {id}: {answer:?}", R::PATH);
        let noted = answer
            .as_ref()
            .map_or_else(|status| Answer::Refused(reason_or_message(status)), |answer| Answer::Done(answer.effect()));
        self.journal.entries.push(Entry { store, principal, id, rpc: R::PATH, answer: noted });
        (self.tell)();
        answer.ok()
    }

    /// An order as the service shows it.
    async fn look(&mut self, id: &str) -> PurchaseOrder {
        let alice = self.place.alice.clone();
        let seen = self.sender.settle(&alice, |caller| caller.get(id)).await;
        seen.unwrap().purchase_order.unwrap()
    }
}

/// What it does without an order, and what has nothing to do with orders.
impl<T: Fn() + Send> Client<T> {
    async fn begin(&mut self) -> Option<Order> {
        match self.rng.u32(..10) {
            0 => self.change_helper().await,
            1 => self.switch_back_orders(false).await,
            2 => {
                let mallory = self.place.mallory.clone();
                self.settle(mallory, |caller| caller.create(&[("apples", "1")]), Err("NO_STORE_ACCESS")).await;
            }
            _ => return Some(self.create().await),
        }
        None
    }

    async fn create(&mut self) -> Order {
        let products = self.rng.choose_multiple(PRODUCTS, 3);
        let count = self.rng.usize(1..=3);
        let mut lines = Vec::new();
        for (number, product) in (1..).zip(&products[..count]) {
            lines.push(Line { number, product, pending: self.rng.i64(1..20), staged: 0 });
        }
        let quantities: Vec<String> = lines.iter().map(|line| line.pending.to_string()).collect();
        let asked: Vec<(&str, &str)> =
            lines.iter().zip(&quantities).map(|(line, quantity)| (line.product, &**quantity)).collect();
        let alice = self.place.alice.clone();
        let created = self.settle(alice, |caller| caller.create(&asked), Ok(())).await;
        Order { header: created.unwrap().purchase_order.unwrap(), lines, receipts: Vec::new() }
    }

    /// Grants or revokes the helper's role, or does so once more, which changes nothing.
    async fn change_helper(&mut self) {
        let (alice, name) = (self.place.alice.clone(), self.place.helper.name.clone());
        let grant = self.helper_receives == self.one_in(4);
        match grant {
            true => drop(self.settle(alice, |caller| caller.grant(&name, "receiver"), Ok(())).await),
            false => drop(self.settle(alice, |caller| caller.revoke(&name, "receiver"), Ok(())).await),
        }
        self.helper_receives = grant;
    }

    /// Turns back orders on or off, or does so once more, which changes nothing.
    async fn switch_back_orders(&mut self, has_open_order: bool) {
        if !self.place.may_switch {
            return;
        }
        let operator = self.place.operator.clone();
        if self.one_in(3) {
            self.settle(operator, Caller::disable_back_orders, Ok(())).await;
            self.back_orders = false;
            return;
        }
        let expected = if has_open_order && !self.back_orders { Err("OPEN_PURCHASE_ORDERS") } else { Ok(()) };
        self.settle(operator, Caller::enable_back_orders, expected).await;
        self.back_orders = expected.is_ok();
    }
}

/// What it does with its order; each returns the order that is open then.
impl<T: Fn() + Send> Client<T> {
    async fn go_on_with_draft(&mut self, order: Order) -> Option<Order> {
        match self.rng.u32(..10) {
            0 => self.cancel(order).await,
            1 => Some(self.be_refused(order).await),
            _ => Some(self.place(order).await),
        }
    }

    async fn go_on(&mut self, order: Order) -> Option<Order> {
        match self.rng.u32(..24) {
            0..=7 if order.pending() > 0 => Some(self.receive(order).await),
            8..=10 if order.staged() == 0 => Some(self.receive(order).await),
            0..=11 => self.complete(order, BackOrder).await,
            12 | 13 => self.complete(order, Cancel).await,
            14 => self.cancel(order).await,
            15..=17 => Some(self.void(order).await),
            18..=20 => Some(self.be_refused(order).await),
            21 => {
                self.change_helper().await;
                Some(order)
            }
            22 => {
                self.switch_back_orders(true).await;
                Some(order)
            }
            _ => {
                let seen = self.look(&order.header.purchase_order_id).await;
                assert_eq!(seen, order.header, "it is not as it was answered");
                Some(order)
            }
        }
    }

    /// The order's etag, or none: both are right.
    fn etag(&mut self, order: &Order) -> String {
        if self.rng.bool() { order.header.etag.clone() } else { String::new() }
    }

    async fn place(&mut self, mut order: Order) -> Order {
        let (alice, etag) = (self.place.alice.clone(), self.etag(&order));
        let ask = |caller: &Caller| caller.place(&order.header).with(|request| request.etag = etag.clone());
        order.header = self.settle(alice, ask, Ok(())).await.unwrap().purchase_order.unwrap();
        order
    }

    /// Receives some of what is pending, now and then by the helper.
    async fn receive(&mut self, mut order: Order) -> Order {
        let mut items = Vec::new();
        for (index, line) in order.lines.iter().enumerate().filter(|(_, line)| line.pending > 0) {
            if items.is_empty() || self.rng.bool() {
                items.push((index, self.rng.i64(1..=line.pending)));
            }
        }
        let (person, expected) = match self.one_in(4) {
            true if self.helper_receives => (self.place.helper.clone(), Ok(())),
            true => (self.place.helper.clone(), Err("NO_STORE_ACCESS")),
            false => (self.place.alice.clone(), Ok(())),
        };
        let etag = self.etag(&order);
        let ask = |caller: &Caller| {
            let receive = caller.receive(&order.header).with(|request| request.etag = etag.clone());
            let accept = |call: Call<ReceivePurchaseOrderRequest>, (index, quantity): &(usize, i64)| {
                call.accept(order.lines[*index].number, &quantity.to_string())
            };
            items.iter().fold(receive, accept)
        };
        let Some(received) = self.settle(person, ask, expected).await else { return order };
        order.move_to_staged(&items, 1);
        order.receipts.push(Receipt { number: received.receipt.unwrap().receipt_number, items });
        self.as_alice_sees(order).await
    }

    /// The order with its header as alice sees it: another caller may do other things than she may.
    async fn as_alice_sees(&mut self, mut order: Order) -> Order {
        order.header = self.look(&order.header.purchase_order_id).await;
        order
    }

    /// Voids a receipt, if there is one.
    async fn void(&mut self, mut order: Order) -> Order {
        if order.receipts.is_empty() {
            return order;
        }
        let receipt = order.receipts.swap_remove(self.rng.usize(..order.receipts.len()));
        let (alice, etag) = (self.place.alice.clone(), self.etag(&order));
        let ask =
            |caller: &Caller| caller.void(&order.header, receipt.number).with(|request| request.etag = etag.clone());
        order.header = self.settle(alice, ask, Ok(())).await.unwrap().purchase_order.unwrap();
        order.move_to_staged(&receipt.items, -1);
        order
    }

    async fn complete(&mut self, order: Order, rest: PendingDisposition) -> Option<Order> {
        let makes_back_order = rest == BackOrder && order.pending() > 0;
        let expected = match (order.staged() > 0, makes_back_order && !self.back_orders) {
            (false, _) => Err("NOTHING_RECEIVED"),
            (true, true) => Err("BACK_ORDERS_DISABLED"),
            (true, false) => Ok(()),
        };
        let (alice, etag) = (self.place.alice.clone(), self.etag(&order));
        let ask = |caller: &Caller| {
            let complete = caller.complete(&order.header).rest(rest).because("it will not come");
            complete.with(|request| request.etag = etag.clone())
        };
        let Some(completed) = self.settle(alice, ask, expected).await else { return Some(order) };
        for line in &order.lines {
            self.journal.put_on_hand(&self.place.store, line.product, line.staged);
        }
        assert_eq!(completed.back_order.is_some(), makes_back_order, "{completed:?}");
        let header = self.look(&completed.back_order?.purchase_order_id).await;
        Some(order.back_order(header))
    }

    async fn cancel(&mut self, order: Order) -> Option<Order> {
        let expected = if order.staged() > 0 { Err("ACCEPTED_STAGED") } else { Ok(()) };
        let (alice, etag) = (self.place.alice.clone(), self.etag(&order));
        let ask = |caller: &Caller| caller.cancel(&order.header).with(|request| request.etag = etag.clone());
        let cancelled = self.settle(alice, ask, expected).await;
        cancelled.is_none().then_some(order)
    }

    /// Asks for something that must be refused.
    async fn be_refused(&mut self, order: Order) -> Order {
        let (alice, mallory) = (self.place.alice.clone(), self.place.mallory.clone());
        match self.rng.u32(..4) {
            0 => drop(self.settle(mallory, |caller| caller.cancel(&order.header), Err("NO_STORE_ACCESS")).await),
            1 => {
                let etag = format!("{}0", order.header.etag);
                let ask = |caller: &Caller| caller.cancel(&order.header).with(|request| request.etag = etag.clone());
                self.settle(alice, ask, Err("ETAG_MISMATCH")).await;
            }
            2 if order.header.state() != Draft => {
                self.settle(alice, |caller| caller.place(&order.header), Err("WRONG_STATE")).await;
            }
            _ => {
                let line = order.lines[0];
                let too_much = (line.pending + 1).to_string();
                let expected = if order.header.state() == Draft { "WRONG_STATE" } else { "OVER_RECEIPT" };
                let ask = |caller: &Caller| caller.receive(&order.header).accept(line.number, &too_much);
                self.settle(alice, ask, Err(expected)).await;
            }
        }
        order
    }
}
