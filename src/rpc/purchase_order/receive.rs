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
use crate::rpc::call::{Call, Marked, Submission};
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::form::{At, Form};

impl Marked for v1::ReceivePurchaseOrderRequest {
    const RPC: &'static str = "purchasing.v1.PurchaseOrderService/ReceivePurchaseOrder";

    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

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
    let mut form = Form::default();
    let store = form.store_id(&request.store_id);
    let mark = request.mark(&mut form);
    let receive = Receive {
        order: form.order_id(&request.purchase_order_id),
        items: parse_items(&mut form, &request),
        receive_time: form.time("receive_time", request.receive_time.as_ref()),
        delivery_note: form.optional_text("delivery_note", &request.delivery_note, MAX_DESCRIPTION),
        note: form.note("note", &request.note),
        etag: request.etag,
    };
    form.finish()?;
    Ok(call.submission(store, mark, receive))
}

fn parse_items(form: &mut Form, request: &v1::ReceivePurchaseOrderRequest) -> Items {
    match (request.all_pending, request.items.is_empty()) {
        (true, true) => return Items::AllPending,
        (false, false) => {}
        (true, false) => form.violation("items", "must be empty with all_pending"),
        (false, true) => form.violation("items", "must name what came, unless all_pending is set"),
    }
    let mut seen = BTreeSet::new();
    let items = form.capped(caps::ITEMS, &request.items).iter().enumerate();
    let items: Vec<ReceiptItem> = items.map(|(index, item)| parse_item(form, index, item, &mut seen)).collect();
    // In normal form, as they are kept and answered: some text grows threefold by it.
    let reasons: usize = items.iter().filter_map(|item| item.reject_reason.as_ref()).map(String::len).sum();
    if reasons > MAX_REJECT_REASONS {
        let rule = format_args!("have reject reasons of {reasons} bytes; at most {MAX_REJECT_REASONS} together");
        form.violation("items", rule);
    }
    Items::Listed(items)
}

fn parse_item(form: &mut Form, index: usize, item: &v1::NewReceiptItem, seen: &mut BTreeSet<i32>) -> ReceiptItem {
    let at = |field| At { list: "items", index, field };
    let line = form.line_number(at("line_number"), item.line_number);
    if !seen.insert(line) {
        form.violation(at("line_number"), format_args!("names line {line} a second time"));
    }
    let accepted = form.quantity_or_zero(at("accepted"), item.accepted.as_deref());
    let rejected = form.quantity_or_zero(at("rejected"), item.rejected.as_deref());
    let reject_reason = form.reason(at("reject_reason"), &item.reject_reason);
    if rejected.is_positive() && item.reject_reason.is_empty() {
        form.violation(at("reject_reason"), "is required where a quantity is rejected");
    }
    // A quantity that could not be read is a violation of its own and not also nothing.
    let is_nothing = |text: &Option<String>| text.as_deref().is_none_or(|text| decimal::parse(text) == Some(0));
    if is_nothing(&item.accepted) && is_nothing(&item.rejected) {
        form.violation(format_args!("items[{index}]"), "must have a quantity above zero, accepted or rejected");
    }
    ReceiptItem { line, accepted, rejected, reject_reason }
}
