//! CreateStore.

use tonic::{Request, Response, Status};

use crate::domain::refusal::Refusal;
use crate::domain::store::create::CreateStore;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;
use crate::rpc::{App, convert};

pub(super) async fn create(
    app: &App,
    request: Request<v1::CreateStoreRequest>,
) -> Result<Response<v1::CreateStoreResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::CreateStoreResponse {
        store: Some(convert::store(&reply.store)),
        event_number: reply.outcome.event(),
    }))
}

fn parse(call: &Call, mut request: v1::CreateStoreRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let id = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let display_name = fields.text("display_name", &request.display_name, MAX_DESCRIPTION);
    let currency = fields.currency("currency", &request.currency);
    let time_zone = fields.time_zone("time_zone", &request.time_zone);
    let owner = fields.principal("owner_principal", &request.owner_principal);
    // A currency or time zone that is missing here is a violation already.
    let (currency, time_zone) = fields.finish_with(currency.zip(time_zone))?;
    let create = CreateStore { id: id.clone(), display_name, currency, time_zone, owner };
    Ok(call.submission(id, idempotency, create))
}
