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
use crate::rpc::call::{Call, IdempotentRequest, Submission};
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::{At, FieldParser};

pub(super) async fn receive(
    app: &App,
    request: Request<v1::ReceivePurchaseOrderRequest>,
) -> Result<v1::ReceivePurchaseOrderResponse, Status> {
    let (call, request) = Call::open(request)?;
    let mut reply = app.submit(&call, parse(&call, request).map_err(to_status)?).await?;
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
    match (request.all_pending, request.items.is_empty()) {
        (true, true) => return Items::AllPending,
        (false, false) => {}
        (true, false) => fields.violation("items", "must be empty with all_pending"),
        (false, true) => fields.violation("items", "must name what came, unless all_pending is set"),
    }
    let mut seen = BTreeSet::new();
    let items = fields.capped(caps::ITEMS, &request.items).iter().enumerate();
    let items: Vec<ReceiptItem> = items.map(|(index, item)| parse_item(fields, index, item, &mut seen)).collect();
    // In normal fields, as they are kept and answered: some text grows threefold by it.
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
    let at = |field| At { list: "items", index, field };
    let line = fields.line_number(at("line_number"), item.line_number);
    if !seen.insert(line) {
        fields.violation(at("line_number"), format_args!("names line {line} a second time"));
    }
    let accepted = fields.quantity_or_zero(at("accepted"), item.accepted.as_deref());
    let rejected = fields.quantity_or_zero(at("rejected"), item.rejected.as_deref());
    let reject_reason = fields.reason(at("reject_reason"), &item.reject_reason);
    if rejected.is_positive() && item.reject_reason.is_empty() {
        fields.violation(at("reject_reason"), "is required where a quantity is rejected");
    }
    // A quantity that could not be read is a violation of its own and not also nothing.
    let is_nothing = |text: &Option<String>| text.as_deref().is_none_or(|text| decimal::parse(text) == Some(0));
    if is_nothing(&item.accepted) && is_nothing(&item.rejected) {
        fields.violation(format_args!("items[{index}]"), "must have a quantity above zero, accepted or rejected");
    }
    ReceiptItem { line, accepted, rejected, reject_reason }
}
