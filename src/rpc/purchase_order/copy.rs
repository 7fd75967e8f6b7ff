//! CopyPurchaseOrder.

use tonic::{Request, Response, Status};

use crate::domain::order::copy::CopyOrder;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn copy(
    app: &App,
    request: Request<v1::CopyPurchaseOrderRequest>,
) -> Result<Response<v1::CopyPurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::CopyPurchaseOrderResponse {
        purchase_order: convert::order_of(&reply),
        event_number: reply.outcome.event(),
    }))
}

fn parse(call: &Call, mut request: v1::CopyPurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let copy =
        CopyOrder { source: fields.order_id(&request.purchase_order_id), cancelled_only: request.cancelled_only };
    fields.finish()?;
    Ok(call.submission(store, idempotency, copy))
}
