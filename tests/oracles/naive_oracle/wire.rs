//! The oracle's calls on the wire: as requests of the contract, and what is answered as one kind of
//! answer, whatever the rpc.

use purchase_order_service::proto::v1::*;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::naive_oracle::command::{
    Call, Command, Cost, DAY, Day, Disposed, Item, Name, NewLine as New, Quantity, Time, Verb, WHOLE,
};
use crate::support::{Call as Sending, Caller, Mutation, line};

/// Said of every rejected quantity.
pub const REJECT_NOTE: Name = "mouldy";
/// Said of every original order, and copied to its back orders.
pub const REFERENCE: Name = "spring";
/// Said of every original order, and not copied.
pub const NOTE: Name = "by the back transport";

/// A store as callers reach it.
pub struct Wire {
    pub channel: Channel,
    pub store: String,
    /// The ids of the model's orders.
    pub ids: Vec<String>,
}

/// What any mutation may answer.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    pub event_number: i64,
    pub order: Option<PurchaseOrder>,
    pub receipt: Option<Receipt>,
    pub lines: Vec<PurchaseOrderLine>,
    pub back_order: Option<BackOrder>,
    pub store: Option<Store>,
    pub role: Option<Role>,
    pub grant: Option<Grant>,
}

pub fn decimal(quantity: Quantity) -> String {
    let text = format!("{}.{:04}", quantity / WHOLE, quantity % WHOLE);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub fn cost(cost: Cost) -> String {
    let text = format!("{}.{:06}", cost / 1_000_000, cost % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a quantity is worth, to 4 places; nothing if there is less than none.
pub fn value(quantity: Quantity, cost: Cost) -> String {
    decimal(worth(quantity, cost))
}

/// The same in ten-thousandths, to be added up.
pub fn worth(quantity: Quantity, cost: Cost) -> Quantity {
    let exact = i128::from(quantity.max(0)) * i128::from(cost);
    let (below, rest) = (exact / 1_000_000, exact % 1_000_000);
    let up = rest > 500_000 || rest == 500_000 && below % 2 == 1;
    (below + i128::from(up)) as Quantity
}

pub fn instant(time: Time) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.div_euclid(1_000_000), nanos: (time.rem_euclid(1_000_000) * 1_000) as i32 }
}

/// `YYYY-MM-DD`, or empty.
pub fn date(day: Option<Day>) -> String {
    day.map(|day| instant(day * DAY).to_string()[..10].to_owned()).unwrap_or_default()
}

impl Wire {
    pub fn caller(&self, principal: Name) -> Caller {
        Caller::of(self.channel.clone(), principal, &self.store)
    }

    /// The id of an order; of the one that nobody made, an id that nobody gave.
    pub fn id(&self, place: usize) -> String {
        self.ids.get(place).cloned().unwrap_or_else(|| Uuid::max().to_string())
    }

    pub async fn send(&self, call: &Call) -> Result<Answer, Status> {
        let (caller, id) = (self.caller(call.caller), call.id);
        match &call.command {
            Command::Create { currency, expected, lines } => {
                send(self.create(call, currency, *expected, lines), id).await
            }
            Command::Change { order, etag, verb } => self.change(call, *order, *etag, verb).await,
            Command::SetBackOrders(true) => send(caller.enable_back_orders(), id).await,
            Command::SetBackOrders(false) => send(caller.disable_back_orders(), id).await,
            Command::CreateRole { role, permissions } => send(caller.create_role(role, permissions), id).await,
            Command::GrantRole { principal, role } => send(caller.grant(principal, role), id).await,
            Command::RevokeRole { principal, role } => send(caller.revoke(principal, role), id).await,
        }
    }

    fn create(
        &self,
        call: &Call,
        currency: Name,
        expected: Option<Day>,
        lines: &[New],
    ) -> Sending<CreatePurchaseOrderRequest> {
        self.caller(call.caller).create(&[]).with(|request| {
            request.currency = currency.to_owned();
            request.expected_date = date(expected);
            request.supplier_reference = REFERENCE.to_owned();
            request.note = NOTE.to_owned();
            request.lines = lines.iter().map(new_line).collect();
        })
    }

    async fn change(&self, call: &Call, place: usize, etag: Option<i64>, verb: &Verb) -> Result<Answer, Status> {
        let (caller, id) = (self.caller(call.caller), call.id);
        let order = PurchaseOrder { purchase_order_id: self.id(place), ..PurchaseOrder::default() };
        let etag = etag.map(|etag| etag.to_string()).unwrap_or_default();
        match verb {
            Verb::Place { order_time } => {
                let order_time = order_time.map(instant);
                send(caller.place(&order).with(|r| (r.etag, r.order_time) = (etag, order_time)), id).await
            }
            Verb::Receive { items, time } => {
                let receive = caller.receive(&order).with(|request| {
                    request.all_pending = items.is_none();
                    request.items = items.iter().flatten().map(new_item).collect();
                    request.receive_time = time.map(instant);
                    request.etag = etag;
                });
                send(receive, id).await
            }
            Verb::Void { receipt } => {
                send(caller.void(&order, *receipt as i32 + 1).with(|request| request.etag = etag), id).await
            }
            Verb::Complete { lines, rest, reason, expected } => {
                let complete = caller.complete(&order).rest(*rest).because(reason).with(|request| {
                    request.lines = lines.iter().map(disposition).collect();
                    request.expected_date = date(*expected);
                    request.etag = etag;
                });
                send(complete, id).await
            }
            Verb::Cancel { reason } => {
                let reason = (*reason).to_owned();
                send(caller.cancel(&order).with(|request| (request.etag, request.reason) = (etag, reason)), id).await
            }
        }
    }

    /// Asks what a completion would do; nothing of another command.
    pub async fn preview(&self, call: &Call) -> Option<Result<PreviewCompletionResponse, Status>> {
        let Command::Change { order, etag, verb: Verb::Complete { lines, rest, reason, expected } } = &call.command
        else {
            return None;
        };
        let order = PurchaseOrder { purchase_order_id: self.id(*order), ..PurchaseOrder::default() };
        let preview = self.caller(call.caller).preview(&order).rest(*rest).because(reason).with(|request| {
            request.lines = lines.iter().map(disposition).collect();
            request.expected_date = date(*expected);
            request.etag = etag.map(|etag| etag.to_string()).unwrap_or_default();
        });
        Some(preview.await)
    }
}

/// Reads that come in pages.
impl Wire {
    /// How many movements a product had, and what the last left on hand.
    pub async fn ledger(&self, caller: Name, product: Name) -> Result<(usize, String), Status> {
        let (mut count, mut balance, mut token) = (0, "0".to_owned(), String::new());
        loop {
            let page = self.caller(caller).movements(product).with(|r| (r.page_size, r.page_token) = (1_000, token));
            let page = page.await?;
            count += page.stock_movements.len();
            balance = page.stock_movements.into_iter().last().map_or(balance, |last| last.balance_after);
            token = page.next_page_token;
            if token.is_empty() {
                return Ok((count, balance));
            }
        }
    }

    /// Every order's header, by number.
    pub async fn headers(&self, caller: Name) -> Result<Vec<PurchaseOrder>, Status> {
        let (mut headers, mut token) = (Vec::new(), String::new());
        loop {
            let page = self.caller(caller).list().with(|r| (r.page_size, r.page_token) = (1_000, token)).await?;
            headers.extend(page.purchase_orders);
            token = page.next_page_token;
            if token.is_empty() {
                headers.sort_by(|one, other| one.number.cmp(&other.number));
                return Ok(headers);
            }
        }
    }
}

async fn send<R: Mutation>(call: Sending<R>, id: Option<Uuid>) -> Result<Answer, Status>
where
    Answer: From<R::Answer>,
{
    let call = match id {
        Some(id) => call.id(id),
        None => call,
    };
    call.await.map(Answer::from)
}

fn new_line(new: &New) -> NewLine {
    let expected_date = date(new.expected);
    let unit_cost = Some(cost(new.cost));
    NewLine { unit: new.unit.into(), unit_cost, expected_date, ..line(new.product, &decimal(new.quantity)) }
}

fn new_item(item: &Item) -> NewReceiptItem {
    let is_rejecting = item.rejected > 0;
    NewReceiptItem {
        line_number: item.line,
        accepted: some(item.accepted),
        rejected: some(item.rejected),
        reject_reason: if is_rejecting { RejectReason::Damaged.into() } else { 0 },
        reject_note: if is_rejecting { REJECT_NOTE.to_owned() } else { String::new() },
        ..NewReceiptItem::default()
    }
}

fn disposition(disposition: &Disposed) -> LineDisposition {
    let Disposed { line, back_order, cancel } = disposition;
    LineDisposition { line_number: *line, back_order: some(*back_order), cancel: some(*cancel) }
}

/// Unset is zero as well.
fn some(quantity: Quantity) -> Option<String> {
    (quantity > 0).then(|| decimal(quantity))
}

impl From<CreatePurchaseOrderResponse> for Answer {
    fn from(answer: CreatePurchaseOrderResponse) -> Self {
        Self { event_number: answer.event_number, order: answer.purchase_order, ..Self::default() }
    }
}

impl From<PlacePurchaseOrderResponse> for Answer {
    fn from(answer: PlacePurchaseOrderResponse) -> Self {
        Self { event_number: answer.event_number, order: answer.purchase_order, ..Self::default() }
    }
}

impl From<ReceivePurchaseOrderResponse> for Answer {
    fn from(answer: ReceivePurchaseOrderResponse) -> Self {
        let ReceivePurchaseOrderResponse { purchase_order: order, receipt, lines, event_number, same_delivery_note } =
            answer;
        assert_eq!(same_delivery_note, None, "no delivery here has a note");
        Self { event_number, order, receipt, lines, ..Self::default() }
    }
}

impl From<VoidReceiptResponse> for Answer {
    fn from(answer: VoidReceiptResponse) -> Self {
        let VoidReceiptResponse { purchase_order: order, receipt, lines, event_number } = answer;
        Self { event_number, order, receipt, lines, ..Self::default() }
    }
}

impl From<CompletePurchaseOrderResponse> for Answer {
    fn from(answer: CompletePurchaseOrderResponse) -> Self {
        let CompletePurchaseOrderResponse { purchase_order: order, back_order, event_number } = answer;
        Self { event_number, order, back_order, ..Self::default() }
    }
}

impl From<CancelPurchaseOrderResponse> for Answer {
    fn from(answer: CancelPurchaseOrderResponse) -> Self {
        Self { event_number: answer.event_number, order: answer.purchase_order, ..Self::default() }
    }
}

impl From<EnableBackOrdersResponse> for Answer {
    fn from(answer: EnableBackOrdersResponse) -> Self {
        Self { event_number: answer.event_number, store: answer.store, ..Self::default() }
    }
}

impl From<DisableBackOrdersResponse> for Answer {
    fn from(answer: DisableBackOrdersResponse) -> Self {
        Self { event_number: answer.event_number, store: answer.store, ..Self::default() }
    }
}

impl From<CreateRoleResponse> for Answer {
    fn from(answer: CreateRoleResponse) -> Self {
        Self { event_number: answer.event_number, role: answer.role, ..Self::default() }
    }
}

impl From<GrantRoleResponse> for Answer {
    fn from(answer: GrantRoleResponse) -> Self {
        Self { event_number: answer.event_number, grant: answer.grant, ..Self::default() }
    }
}

impl From<RevokeRoleResponse> for Answer {
    fn from(answer: RevokeRoleResponse) -> Self {
        Self { event_number: answer.event_number, ..Self::default() }
    }
}
