//! EnableBackOrders.

use tonic::{Request, Response, Status};

use crate::domain::refusal::Refusal;
use crate::domain::store::back_orders::EnableBackOrders;
use crate::proto::v1;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;
use crate::rpc::{App, convert};

pub(super) async fn enable_back_orders(
    app: &App,
    request: Request<v1::EnableBackOrdersRequest>,
) -> Result<Response<v1::EnableBackOrdersResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::EnableBackOrdersResponse {
        store: Some(convert::store(&reply.store)),
        event_number: reply.outcome.event(),
    }))
}

fn parse(call: &Call, mut request: v1::EnableBackOrdersRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    fields.finish()?;
    Ok(call.submission(store, idempotency, EnableBackOrders))
}
