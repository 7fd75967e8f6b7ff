//! ReceivePurchaseOrder.

use tonic::{Request, Response, Status};

use super::receipt_items::{Orders, parse_items};
use crate::domain::command::Reply;
use crate::domain::order::OrderId;
use crate::domain::order::receive::book::DeliveryDetails;
use crate::domain::order::receive::{Items, Receive};
use crate::domain::outcome::{KnownReceipt, Outcome};
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
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

fn response(reply: Reply) -> v1::ReceivePurchaseOrderResponse {
    v1::ReceivePurchaseOrderResponse {
        purchase_order: convert::order_of(&reply),
        receipt: reply.orders.first().and_then(convert::booked_receipt),
        lines: convert::touched_lines(&reply),
        event_number: reply.outcome.event(),
        same_delivery_note: same_delivery_note(&reply.outcome).map(known_receipt),
    }
}

pub(super) fn same_delivery_note(outcome: &Outcome) -> Option<&KnownReceipt> {
    match outcome {
        Outcome::ReceiptBooked(booked) | Outcome::ReceiptCorrected(booked) => booked.same_delivery_note.as_ref(),
        _ => None,
    }
}

pub(super) fn known_receipt(known: &KnownReceipt) -> v1::KnownReceipt {
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
    let order = fields.order_id(&request.purchase_order_id);
    let receive = Receive {
        order,
        items: items(&mut fields, order, &request.items, request.all_pending),
        details: DeliveryDetails {
            receive_time: fields.time("receive_time", request.receive_time.as_ref()),
            delivery_note: fields.optional_text("delivery_note", &request.delivery_note, MAX_DESCRIPTION),
            refuse_known_delivery_note: request.refuse_known_delivery_note,
            note: fields.note("note", &request.note),
        },
        etag: request.etag,
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, receive))
}

/// What a delivery of one order brought: the listed items or everything pending, never both.
pub(super) fn items(
    fields: &mut FieldParser,
    order: OrderId,
    listed: &[v1::NewReceiptItem],
    all_pending: bool,
) -> Items {
    if all_pending {
        if listed.is_empty() {
            return Items::AllPending;
        }
        fields.violation("items", "must be empty with all_pending");
    } else if listed.is_empty() {
        fields.violation("items", "must name what came, unless all_pending is set");
    }
    // Also after a violation, so that the caller learns what is wrong with the items as well.
    Items::Listed(parse_items(fields, Orders::One(order), listed))
}
