//! The oracle's calls on the wire, as requests of the contract.

use purchase_order_service::proto::v1::*;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::naive_oracle::answer::Answer;
use crate::naive_oracle::command::{
    self, Adjustment, Amended, Amendment, Call, Command, Confirmation, Confirmed, DAY, Day, Delivery, Disposed, Goods,
    Lorry, Name, NewItem as Came, NewLine as New, NewLot as Part, NewOrder, Settings, Source, Time, Unlisted, Verb,
};
use crate::naive_oracle::numbers::{Amount, Quantity, cost, decimal};
use crate::support::{Call as Sending, Caller, Mutation, line};

/// Said of every original order, and copied to its back orders.
pub const REFERENCE: Name = "spring";
/// Said of every original order, and not copied.
pub const NOTE: Name = "by the back transport";
/// What every charge is for.
pub const FREIGHT: Name = "freight";

/// A store as callers reach it.
pub struct Wire {
    pub channel: Channel,
    pub store: String,
    /// The ids of the model's orders.
    pub ids: Vec<String>,
    /// The ids of deliveries for several orders.
    pub deliveries: Vec<String>,
}

pub fn instant(time: Time) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.div_euclid(1_000_000), nanos: (time.rem_euclid(1_000_000) * 1_000) as i32 }
}

/// `YYYY-MM-DD`, or empty.
pub fn date(day: Option<Day>) -> String {
    day.map(|day| instant(day * DAY).to_string()[..10].to_owned()).unwrap_or_default()
}

fn etag_text(etag: Option<i64>) -> String {
    etag.map(|etag| etag.to_string()).unwrap_or_default()
}

impl Wire {
    pub fn caller(&self, principal: Name) -> Caller {
        Caller::of(self.channel.clone(), principal, &self.store)
    }

    /// The id of an order; of the one that nobody made, an id that nobody gave.
    pub fn id(&self, place: usize) -> String {
        self.ids.get(place).cloned().unwrap_or_else(|| Uuid::max().to_string())
    }

    /// An order as far as requests need it.
    pub fn named(&self, place: usize) -> PurchaseOrder {
        PurchaseOrder { purchase_order_id: self.id(place), ..PurchaseOrder::default() }
    }

    pub async fn send(&self, call: &Call) -> Result<Answer, Status> {
        let (caller, id) = (self.caller(call.caller), call.id);
        match &call.command {
            Command::Create(new) => send(create(&caller, new), id).await,
            Command::Copy { order, cancelled_only } => {
                let copy = caller.copy(&self.named(*order));
                send(copy.with(|request| request.cancelled_only = *cancelled_only), id).await
            }
            Command::Change { order, etag, verb } => self.change(call, *order, *etag, verb).await,
            Command::Adjust(adjustment) => send(self.adjust(&caller, adjustment), id).await,
            Command::SetBackOrders(true) => send(caller.enable_back_orders(), id).await,
            Command::SetBackOrders(false) => send(caller.disable_back_orders(), id).await,
            Command::Deliver(lorry) => send(self.deliver(&caller, lorry), id).await,
            Command::UpdateStore(settings) => send(update_store(&caller, *settings), id).await,
            Command::CreateRole { role, permissions } => send(caller.create_role(role, permissions), id).await,
            Command::GrantRole { principal, role } => send(caller.grant(principal, role), id).await,
            Command::RevokeRole { principal, role } => send(caller.revoke(principal, role), id).await,
        }
    }

    async fn change(&self, call: &Call, place: usize, etag: Option<i64>, verb: &Verb) -> Result<Answer, Status> {
        let (caller, id) = (self.caller(call.caller), call.id);
        let (order, etag) = (self.named(place), etag_text(etag));
        match verb {
            Verb::SetExternalId(external_id) => {
                let update = caller.update(&order, &["external_id"]);
                send(update.with(|r| (r.etag, r.external_id) = (etag, (*external_id).to_owned())), id).await
            }
            Verb::Place { order_time } => {
                let order_time = order_time.map(instant);
                send(caller.place(&order).with(|r| (r.etag, r.order_time) = (etag, order_time)), id).await
            }
            Verb::Receive(Delivery { items, time, delivery_note, refuse_known }) => {
                let receive = caller.receive(&order).with(|request| {
                    request.all_pending = items.is_none();
                    request.items = items.iter().flatten().map(|item| self.new_item(item)).collect();
                    request.receive_time = time.map(instant);
                    request.delivery_note = (*delivery_note).to_owned();
                    request.refuse_known_delivery_note = *refuse_known;
                    request.etag = etag;
                });
                send(receive, id).await
            }
            Verb::Correct { receipt, delivery: Delivery { items, time, delivery_note, refuse_known } } => {
                let correct = caller.correct(&order, *receipt as i32 + 1).with(|request| {
                    request.all_pending = items.is_none();
                    request.items = items.iter().flatten().map(|item| self.new_item(item)).collect();
                    request.receive_time = time.map(instant);
                    request.delivery_note = (!delivery_note.is_empty()).then(|| (*delivery_note).to_owned());
                    request.refuse_known_delivery_note = *refuse_known;
                    request.etag = etag;
                });
                send(correct, id).await
            }
            Verb::Void { receipt } => {
                send(caller.void(&order, *receipt as i32 + 1).with(|request| request.etag = etag), id).await
            }
            Verb::Complete { lines, rest, reason, expected } => {
                let complete = caller.complete(&order).rest(*rest).because(reason).with(|request| {
                    request.lines = lines.iter().map(disposition).collect();
                    request.cancel_reason_code = code_of(reason);
                    request.expected_date = date(*expected);
                    request.etag = etag;
                });
                send(complete, id).await
            }
            Verb::Amend(amendment) => {
                let Amendment { expected, charges, lines, new_lines } = amendment;
                let amend = caller.amend(&order, &[]).with(|request| {
                    request.expected_date = expected.map(date);
                    request.charges = charges.as_ref().map(|charges| ChargeList { charges: charges_of(charges) });
                    request.lines = lines.iter().map(line_amendment).collect();
                    request.new_lines = new_lines.iter().map(new_line).collect();
                    request.etag = etag;
                });
                send(amend, id).await
            }
            Verb::Confirm(Confirmation { lines, rest, expected }) => {
                let confirm = caller.confirm(&order, &[]).with(|request| {
                    request.lines = lines.iter().map(line_confirmation).collect();
                    request.confirm_rest = *rest;
                    request.expected_date = date(*expected);
                    request.etag = etag;
                });
                send(confirm, id).await
            }
            Verb::Reopen { reason } => {
                let reopen = caller.reopen(&order).with(|request| {
                    (request.etag, request.reason) = (etag, (*reason).to_owned());
                });
                send(reopen, id).await
            }
            Verb::CancelLines { lines } => {
                let named = lines.iter().map(|(line, quantity)| (*line, quantity.map(decimal).unwrap_or_default()));
                let named: Vec<(i32, String)> = named.collect();
                let named: Vec<(i32, &str)> = named.iter().map(|(line, text)| (*line, text.as_str())).collect();
                send(caller.cancel_lines(&order, &named).with(|request| request.etag = etag), id).await
            }
            Verb::Cancel { reason } => {
                let reason = (*reason).to_owned();
                let cancel = caller.cancel(&order).with(|request| {
                    request.reason_code = code_of(&reason);
                    (request.etag, request.reason) = (etag, reason);
                });
                send(cancel, id).await
            }
        }
    }

    fn deliver(&self, caller: &Caller, lorry: &Lorry) -> Sending<ReceiveDeliveryRequest> {
        let Delivery { items, time, delivery_note, refuse_known } = &lorry.delivery;
        caller.deliver().with(|request| {
            request.supplier_id = lorry.supplier.to_owned();
            let etag = |(order, etag): &(usize, i64)| PurchaseOrderEtag {
                purchase_order_id: self.id(*order),
                etag: etag.to_string(),
            };
            request.etags = lorry.etags.iter().map(etag).collect();
            request.items = items.iter().flatten().map(|item| self.new_item(item)).collect();
            request.receive_time = time.map(instant);
            request.delivery_note = (*delivery_note).to_owned();
            request.refuse_known_delivery_note = *refuse_known;
        })
    }

    fn new_item(&self, item: &Came) -> NewReceiptItem {
        let said = NewReceiptItem {
            purchase_order_id: item.order.map(|order| self.id(order)).unwrap_or_default(),
            accepted: item.accepted.map(decimal),
            accepted_packs: item.accepted_packs.map(decimal),
            rejected: item.rejected.map(decimal),
            rejected_packs: item.rejected_packs.map(decimal),
            reject_reason: item.reject_reason.into(),
            reject_note: item.reject_note.to_owned(),
            unit_cost: item.unit_cost.map(cost),
            excess_unit_cost: item.excess_cost.map(cost),
            lots: item.lots.iter().map(new_lot).collect(),
            ..NewReceiptItem::default()
        };
        match item.goods {
            Goods::Line(line_number) => NewReceiptItem { line_number, ..said },
            Goods::Product(product) => NewReceiptItem { product_id: product.to_owned(), ..said },
            Goods::Gtin(gtin) => NewReceiptItem { gtin: gtin.to_owned(), ..said },
            Goods::Unlisted(new) => NewReceiptItem { unlisted: Some(unlisted(new)), ..said },
        }
    }

    fn adjust(&self, caller: &Caller, asked: &Adjustment) -> Sending<AdjustInventoryRequest> {
        let Adjustment { product, kind, quantity, unit, unit_cost, reason, source, lot } = asked;
        caller.adjust(product, *kind, &decimal(*quantity)).with(|request| {
            request.unit = (*unit).into();
            request.unit_cost = unit_cost.map(cost);
            request.reason = (*reason).to_owned();
            request.lot = lot.map(named_lot);
            if let Some(Source { order, line, etag }) = source {
                request.purchase_order_id = self.id(*order);
                request.line_number = *line;
                request.etag = etag_text(*etag);
            }
        })
    }

    /// Asks what a completion would do; nothing of another command.
    pub async fn preview(&self, call: &Call) -> Option<Result<PreviewCompletionResponse, Status>> {
        let Command::Change { order, etag, verb: Verb::Complete { lines, rest, reason, expected } } = &call.command
        else {
            return None;
        };
        let preview = self.caller(call.caller).preview(&self.named(*order)).rest(*rest).because(reason);
        let preview = preview.with(|request| {
            request.lines = lines.iter().map(disposition).collect();
            request.cancel_reason_code = code_of(reason);
            request.expected_date = date(*expected);
            request.etag = etag_text(*etag);
        });
        Some(preview.await)
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

fn create(caller: &Caller, new: &NewOrder) -> Sending<CreatePurchaseOrderRequest> {
    caller.create(&[]).with(|request| {
        request.supplier_id = new.supplier.to_owned();
        request.currency = new.currency.to_owned();
        request.external_id = new.external_id.to_owned();
        request.expected_date = date(new.expected);
        request.supplier_reference = REFERENCE.to_owned();
        request.note = NOTE.to_owned();
        request.lines = new.lines.iter().map(new_line).collect();
        request.charges = charges_of(&new.charges);
    })
}

fn charges_of(amounts: &[Amount]) -> Vec<Charge> {
    let charge = |amount| Charge { description: FREIGHT.to_owned(), amount: Some(decimal(amount)) };
    amounts.iter().copied().map(charge).collect()
}

fn line_amendment(amended: &Amended) -> LineAmendment {
    LineAmendment {
        line_number: amended.line,
        quantity: amended.quantity.map(decimal),
        packs: amended.packs.map(decimal),
        unit_cost: amended.unit_cost.map(cost),
        pack_cost: amended.pack_cost.map(cost),
        expected_date: amended.expected.map(date),
        note: amended.note.map(str::to_owned),
        remove: amended.is_removed,
    }
}

fn line_confirmation(confirmed: &Confirmed) -> LineConfirmation {
    LineConfirmation {
        line_number: confirmed.line,
        quantity: confirmed.quantity.map(decimal),
        packs: confirmed.packs.map(decimal),
        expected_date: date(confirmed.expected),
    }
}

fn update_store(caller: &Caller, settings: Settings) -> Sending<UpdateStoreRequest> {
    let Settings { tolerance, negative_stock: negative, unlisted_items } = settings;
    let mut fields = Vec::new();
    fields.extend(tolerance.map(|_| "over_receipt_tolerance"));
    fields.extend(negative.map(|_| "allow_negative_stock"));
    fields.extend(unlisted_items.map(|_| "allow_unlisted_items"));
    caller.update_store(&fields).with(|request| {
        request.over_receipt_tolerance = tolerance.map(decimal).unwrap_or_default();
        request.allow_negative_stock = negative.unwrap_or_default();
        request.allow_unlisted_items = unlisted_items.unwrap_or_default();
    })
}

fn new_line(new: &New) -> NewLine {
    NewLine {
        unit: new.unit.into(),
        gtin: new.gtin.to_owned(),
        supplier_product_id: supplier_product_id(new.product),
        note: new.note.to_owned(),
        quantity: new.quantity.map(decimal),
        packs: new.packs.map(decimal),
        pack_size: new.pack_size.map(decimal),
        unit_cost: new.unit_cost.map(cost),
        pack_cost: new.pack_cost.map(cost),
        over_receipt_tolerance: new.tolerance.map(decimal),
        expected_date: date(new.expected),
        lot_required: new.lot_required,
        ..line(new.product, "0")
    }
}

/// What the supplier calls a product.
pub fn supplier_product_id(product: Name) -> String {
    format!("no. {product}")
}

fn unlisted(new: Unlisted) -> UnlistedProduct {
    UnlistedProduct {
        product_id: new.product.to_owned(),
        description: format!("fresh {}", new.product),
        unit: new.unit.into(),
        gtin: new.gtin.to_owned(),
        pack_size: new.pack_size.map(decimal),
    }
}

fn new_lot(new: &Part) -> NewLot {
    let named = named_lot(new.lot);
    NewLot { lot_code: named.lot_code, expiry_date: named.expiry_date, quantity: new.quantity.map(decimal) }
}

fn named_lot(lot: command::Lot) -> NamedLot {
    NamedLot { lot_code: lot.code.to_owned(), expiry_date: date(lot.expires) }
}

fn disposition(disposition: &Disposed) -> LineDisposition {
    let Disposed { line, back_order, cancel, reason, expected } = disposition;
    LineDisposition {
        line_number: *line,
        back_order: some(*back_order),
        cancel: some(*cancel),
        cancel_reason: (*reason).to_owned(),
        cancel_reason_code: code_of(reason),
        expected_date: date(*expected),
    }
}

/// The kind of a reason, which its text alone decides here: some have none.
pub fn code_of(reason: &str) -> i32 {
    let code = match reason {
        "never came" => CancelReason::Late,
        "another colour" => CancelReason::NoLongerNeeded,
        _ => CancelReason::Unspecified,
    };
    code.into()
}

/// Unset is zero as well.
fn some(quantity: Quantity) -> Option<String> {
    (quantity > 0).then(|| decimal(quantity))
}
