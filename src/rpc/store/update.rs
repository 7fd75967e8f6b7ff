//! UpdateStore.

use tonic::{Request, Status};

use crate::domain::refusal::Refusal;
use crate::domain::store::update::UpdateStore;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;
use crate::rpc::{App, convert};

/// The fields that `update_mask` may name.
const FIELDS: [&str; 2] = ["display_name", "time_zone"];

pub(super) async fn update(
    app: &App,
    request: Request<v1::UpdateStoreRequest>,
) -> Result<v1::UpdateStoreResponse, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(v1::UpdateStoreResponse { store: Some(convert::store(&reply.store)), event_number: reply.outcome.event() })
}

/// A field that the mask does not name is not judged: it may hold anything.
fn parse(call: &Call, mut request: v1::UpdateStoreRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let mask = fields.mask(request.update_mask.as_ref(), &FIELDS);
    let mut update = UpdateStore { display_name: None, time_zone: None };
    if mask.contains("display_name") {
        update.display_name = Some(fields.text("display_name", &request.display_name, MAX_DESCRIPTION));
    }
    if mask.contains("time_zone") {
        update.time_zone = fields.time_zone("time_zone", &request.time_zone);
    }
    fields.finish()?;
    Ok(call.submission(store, idempotency, update))
}
