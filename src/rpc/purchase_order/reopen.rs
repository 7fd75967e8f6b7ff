//! ReopenPurchaseOrder.

use tonic::{Request, Response, Status};

use crate::domain::order::reopen::ReopenOrder;
use crate::domain::outcome::{FoldedBackOrder, OrderReopened, Outcome};
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn reopen(
    app: &App,
    request: Request<v1::ReopenPurchaseOrderRequest>,
) -> Result<Response<v1::ReopenPurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::ReopenPurchaseOrderResponse {
        purchase_order: convert::order_of(&reply),
        folded_back_order: folded_back(&reply.outcome).map(folded_back_order),
        event_number: reply.outcome.event(),
    }))
}

fn folded_back(outcome: &Outcome) -> Option<&FoldedBackOrder> {
    match outcome {
        Outcome::OrderReopened(OrderReopened { folded_back, .. }) => folded_back.as_ref(),
        _ => None,
    }
}

fn folded_back_order(folded: &FoldedBackOrder) -> v1::FoldedBackOrder {
    v1::FoldedBackOrder { purchase_order_id: folded.order.to_string(), number: folded.number.clone() }
}

fn parse(call: &Call, mut request: v1::ReopenPurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let reopen = ReopenOrder {
        order: fields.order_id(&request.purchase_order_id),
        reason: fields.required_reason("reason", &request.reason),
        etag: request.etag,
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, reopen))
}
