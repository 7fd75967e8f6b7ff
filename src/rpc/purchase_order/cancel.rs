//! CancelPurchaseOrder.

use tonic::{Request, Response, Status};

use super::cancel_lines::parse_reason_code;
use crate::domain::order::cancel::CancelOrder;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn cancel(
    app: &App,
    request: Request<v1::CancelPurchaseOrderRequest>,
) -> Result<Response<v1::CancelPurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::CancelPurchaseOrderResponse {
        purchase_order: convert::order_of(&reply),
        event_number: reply.outcome.event(),
    }))
}

fn parse(call: &Call, mut request: v1::CancelPurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let cancel = CancelOrder {
        order: fields.order_id(&request.purchase_order_id),
        // Required unless the order is a draft, which is judged with the order.
        reason: fields.reason("reason", &request.reason),
        reason_code: parse_reason_code(&mut fields, "reason_code", request.reason_code),
        etag: request.etag,
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, cancel))
}
