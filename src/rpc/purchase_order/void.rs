//! VoidReceipt.

use tonic::{Request, Response, Status};

use crate::domain::order::void::VoidReceipt;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn void(
    app: &App,
    request: Request<v1::VoidReceiptRequest>,
) -> Result<Response<v1::VoidReceiptResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::VoidReceiptResponse {
        purchase_order: convert::order_of(&reply),
        receipt: convert::receipt_of(&reply),
        lines: convert::touched_lines(&reply),
        event_number: reply.outcome.event(),
    }))
}

fn parse(call: &Call, mut request: v1::VoidReceiptRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let void = VoidReceipt {
        order: fields.order_id(&request.purchase_order_id),
        receipt: fields.receipt_number(request.receipt_number),
        reason: fields.required_reason("reason", &request.reason),
        etag: request.etag,
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, void))
}
