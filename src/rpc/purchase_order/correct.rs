//! CorrectReceipt.

use tonic::{Request, Response, Status};

use super::receive::{items, known_receipt, same_delivery_note};
use crate::domain::order::correct::CorrectReceipt;
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn correct(
    app: &App,
    request: Request<v1::CorrectReceiptRequest>,
) -> Result<Response<v1::CorrectReceiptResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::CorrectReceiptResponse {
        purchase_order: convert::order_of(&reply),
        receipt: reply.orders.first().and_then(convert::booked_receipt),
        lines: convert::touched_lines(&reply),
        event_number: reply.outcome.event(),
        same_delivery_note: same_delivery_note(&reply.outcome).map(known_receipt),
    }))
}

fn parse(call: &Call, mut request: v1::CorrectReceiptRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let order = fields.order_id(&request.purchase_order_id);
    // An unset text is kept, an empty one removed.
    let delivery_note = request.delivery_note.as_deref();
    let note = request.note.as_deref();
    let correct = CorrectReceipt {
        order,
        receipt: fields.receipt_number(request.receipt_number),
        reason: fields.required_reason("reason", &request.reason),
        items: items(&mut fields, order, &request.items, request.all_pending),
        receive_time: fields.time("receive_time", request.receive_time.as_ref()),
        delivery_note: delivery_note.map(|text| fields.optional_text("delivery_note", text, MAX_DESCRIPTION)),
        refuse_known_delivery_note: request.refuse_known_delivery_note,
        note: note.map(|text| fields.note("note", text)),
        etag: request.etag,
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, correct))
}
