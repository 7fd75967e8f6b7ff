//! PlacePurchaseOrder.

use tonic::{Request, Response, Status};

use crate::domain::order::place::PlaceOrder;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn place(
    app: &App,
    request: Request<v1::PlacePurchaseOrderRequest>,
) -> Result<Response<v1::PlacePurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::PlacePurchaseOrderResponse {
        purchase_order: convert::order_of(&reply),
        event_number: reply.outcome.event(),
    }))
}

fn parse(call: &Call, mut request: v1::PlacePurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let place = PlaceOrder {
        order: fields.order_id(&request.purchase_order_id),
        order_time: fields.time("order_time", request.order_time.as_ref()),
        etag: request.etag,
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, place))
}
