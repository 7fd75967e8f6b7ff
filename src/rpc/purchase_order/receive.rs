//! ReceivePurchaseOrder.

use std::collections::BTreeSet;

use tonic::{Request, Response, Status};

use crate::domain::command::Reply;
use crate::domain::order::receipt::{ItemCosts, MAX_REJECT_NOTES, RejectReason, Rejection};
use crate::domain::order::receive::{Items, NewItem, Receive};
use crate::domain::outcome::{KnownReceipt, Outcome};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::{Element, FieldParser};
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn receive(
    app: &App,
    request: Request<v1::ReceivePurchaseOrderRequest>,
) -> Result<Response<v1::ReceivePurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(response))
}

fn response(mut reply: Reply) -> v1::ReceivePurchaseOrderResponse {
    // A replay repeats the receipt as it was booked, even if it was voided since.
    if let Some(receipt) = &mut reply.receipt {
        receipt.voided = None;
    }
    v1::ReceivePurchaseOrderResponse {
        purchase_order: reply.order.as_ref().map(convert::purchase_order),
        receipt: reply.receipt.as_ref().map(convert::receipt),
        lines: convert::touched_lines(&reply),
        event_number: reply.outcome.event(),
        same_delivery_note: same_delivery_note(&reply.outcome).map(known_receipt),
    }
}

fn same_delivery_note(outcome: &Outcome) -> Option<&KnownReceipt> {
    match outcome {
        Outcome::ReceiptBooked(booked) => booked.same_delivery_note.as_ref(),
        _ => None,
    }
}

fn known_receipt(known: &KnownReceipt) -> v1::KnownReceipt {
    v1::KnownReceipt {
        purchase_order_id: known.order.to_string(),
        number: known.number.clone(),
        receipt_number: known.receipt,
    }
}

fn parse(call: &Call, mut request: v1::ReceivePurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let receive = Receive {
        order: fields.order_id(&request.purchase_order_id),
        items: parse_items(&mut fields, &request),
        receive_time: fields.time("receive_time", request.receive_time.as_ref()),
        delivery_note: fields.optional_text("delivery_note", &request.delivery_note, MAX_DESCRIPTION),
        refuse_known_delivery_note: request.refuse_known_delivery_note,
        note: fields.note("note", &request.note),
        etag: request.etag,
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, receive))
}

fn parse_items(fields: &mut FieldParser, request: &v1::ReceivePurchaseOrderRequest) -> Items {
    if request.all_pending {
        if request.items.is_empty() {
            return Items::AllPending;
        }
        fields.violation("items", "must be empty with all_pending");
    } else if request.items.is_empty() {
        fields.violation("items", "must name what came, unless all_pending is set");
    }
    let mut seen = BTreeSet::new();
    let mut items = Vec::new();
    let listed = fields.capped(caps::ITEMS, &request.items);
    for (index, item) in listed.iter().enumerate() {
        let item = parse_item(fields, index, item, &mut seen);
        // Forms send every line of an order, also those of which nothing came.
        if !item.accepted.is_zero() || !item.rejected.is_zero() {
            items.push(item);
        }
    }
    if items.is_empty() && !listed.is_empty() && listed.iter().all(says_zero) {
        fields.violation("items", "must have a quantity above zero, accepted or rejected, on one line at least");
    }
    // Measured in normal form, as they are stored and answered: normalizing can make text three times as
    // long.
    let notes = items.iter().filter_map(|item| item.rejection.as_ref()?.note.as_ref()).map(String::len).sum::<usize>();
    if notes > MAX_REJECT_NOTES {
        let rule = format_args!("have reject notes of {notes} bytes; at most {MAX_REJECT_NOTES} together");
        fields.violation("items", rule);
    }
    Items::Listed(items)
}

fn parse_item(fields: &mut FieldParser, index: usize, item: &v1::NewReceiptItem, seen: &mut BTreeSet<i32>) -> NewItem {
    let path = Element::new("items", index);
    let line = fields.line_number(path.field("line_number"), item.line_number);
    if !seen.insert(line) {
        fields.violation(path.field("line_number"), format_args!("names line {line} a second time"));
    }
    let accepted = fields.stated_quantity(
        (path.field("accepted"), item.accepted.as_deref()),
        (path.field("accepted_packs"), item.accepted_packs.as_deref()),
    );
    let rejected = fields.stated_quantity(
        (path.field("rejected"), item.rejected.as_deref()),
        (path.field("rejected_packs"), item.rejected_packs.as_deref()),
    );
    let rejection = parse_rejection(fields, path, item, !rejected.is_zero());
    let costs = ItemCosts {
        unit_cost: fields.optional_cost(path.field("unit_cost"), item.unit_cost.as_deref()),
        excess_unit_cost: fields.optional_cost(path.field("excess_unit_cost"), item.excess_unit_cost.as_deref()),
    };
    NewItem { index, line, accepted, rejected, rejection, costs }
}

/// Why a quantity is rejected; a reason without a quantity is judged and dropped.
fn parse_rejection(
    fields: &mut FieldParser,
    path: Element,
    item: &v1::NewReceiptItem,
    is_rejecting: bool,
) -> Option<Rejection> {
    let note = fields.reason(path.field("reject_note"), &item.reject_note);
    let known = "a RejectReason such as REJECT_REASON_DAMAGED";
    let reason = fields.known(path.field("reject_reason"), convert::reject_reason_of(item.reject_reason), known)?;
    if is_rejecting && reason.is_none() {
        fields.violation(path.field("reject_reason"), "is required where a quantity is rejected");
    }
    let reason = reason?;
    if is_rejecting && reason == RejectReason::Other && item.reject_note.is_empty() {
        fields.violation(path.field("reject_note"), "is required with REJECT_REASON_OTHER");
    }
    Some(Rejection { reason, note })
}

/// Whether every quantity of an item is unset or zero. One that cannot be parsed is not: it is a violation
/// already, and the request should not be refused for a second reason because of it.
fn says_zero(item: &v1::NewReceiptItem) -> bool {
    let stated = [&item.accepted, &item.accepted_packs, &item.rejected, &item.rejected_packs];
    stated.into_iter().flatten().all(|text| Quantity::parse(text) == Some(Quantity::ZERO))
}
