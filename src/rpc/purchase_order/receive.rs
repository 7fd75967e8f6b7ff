//! ReceivePurchaseOrder.

use std::collections::BTreeSet;

use tonic::{Request, Status};

use crate::domain::decimal;
use crate::domain::order::receipt::{MAX_REJECT_REASONS, ReceiptItem};
use crate::domain::order::receive::{Items, Receive};
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
) -> Result<v1::ReceivePurchaseOrderResponse, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let mut reply = app.submit(&call, submission).await?;
    // A replay repeats the receipt as it was booked, even if it was voided since.
    if let Some(receipt) = &mut reply.receipt {
        receipt.voided = None;
    }
    Ok(v1::ReceivePurchaseOrderResponse {
        purchase_order: reply.order.as_ref().map(convert::purchase_order),
        receipt: reply.receipt.as_ref().map(convert::receipt),
        lines: convert::touched_lines(&reply),
        event_number: reply.outcome.event(),
    })
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
    for (index, item) in fields.capped(caps::ITEMS, &request.items).iter().enumerate() {
        items.push(parse_item(fields, index, item, &mut seen));
    }
    // Measured in normal form, as they are stored and answered: normalizing can make text three times as
    // long.
    let reasons: usize = items.iter().filter_map(|item| item.reject_reason.as_ref()).map(String::len).sum();
    if reasons > MAX_REJECT_REASONS {
        let rule = format_args!("have reject reasons of {reasons} bytes; at most {MAX_REJECT_REASONS} together");
        fields.violation("items", rule);
    }
    Items::Listed(items)
}

fn parse_item(
    fields: &mut FieldParser,
    index: usize,
    item: &v1::NewReceiptItem,
    seen: &mut BTreeSet<i32>,
) -> ReceiptItem {
    let path = Element::new("items", index);
    let line = fields.line_number(path.field("line_number"), item.line_number);
    if !seen.insert(line) {
        fields.violation(path.field("line_number"), format_args!("names line {line} a second time"));
    }
    let accepted = fields.quantity_or_zero(path.field("accepted"), item.accepted.as_deref());
    let rejected = fields.quantity_or_zero(path.field("rejected"), item.rejected.as_deref());
    let reject_reason = fields.reason(path.field("reject_reason"), &item.reject_reason);
    if rejected.is_positive() && item.reject_reason.is_empty() {
        fields.violation(path.field("reject_reason"), "is required where a quantity is rejected");
    }
    if is_zero(item.accepted.as_deref()) && is_zero(item.rejected.as_deref()) {
        fields.violation(path, "must have a quantity above zero, accepted or rejected");
    }
    ReceiptItem { line, accepted, rejected, reject_reason }
}

/// Whether a quantity is unset or zero. One that cannot be parsed is not: it is a violation already, and
/// the item should not be refused for a second reason because of it.
fn is_zero(quantity: Option<&str>) -> bool {
    match quantity {
        Some(text) => decimal::parse(text) == Some(0),
        None => true,
    }
}
