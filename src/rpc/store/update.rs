//! UpdateStore.

use tonic::{Request, Response, Status};

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
const FIELDS: [&str; 5] =
    ["display_name", "time_zone", "over_receipt_tolerance", "allow_negative_stock", "allow_unlisted_items"];

pub(super) async fn update(
    app: &App,
    request: Request<v1::UpdateStoreRequest>,
) -> Result<Response<v1::UpdateStoreResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::UpdateStoreResponse {
        store: Some(convert::store(&reply.store)),
        event_number: reply.outcome.event(),
    }))
}

/// A field that the mask does not name is not judged: it may hold anything.
fn parse(call: &Call, mut request: v1::UpdateStoreRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let mask = fields.mask(request.update_mask.as_ref(), &FIELDS);
    let mut update = UpdateStore::default();
    if mask.contains("display_name") {
        update.display_name = Some(fields.text("display_name", &request.display_name, MAX_DESCRIPTION));
    }
    if mask.contains("time_zone") {
        // `None` is a violation here, and not a zone that is left as it is.
        update.time_zone = fields.time_zone("time_zone", &request.time_zone);
    }
    if mask.contains("over_receipt_tolerance") {
        let text = &request.over_receipt_tolerance;
        update.over_receipt_tolerance = Some(fields.tolerance("over_receipt_tolerance", text));
    }
    if mask.contains("allow_negative_stock") {
        update.allow_negative_stock = Some(request.allow_negative_stock);
    }
    if mask.contains("allow_unlisted_items") {
        update.allow_unlisted_items = Some(request.allow_unlisted_items);
    }
    fields.finish()?;
    Ok(call.submission(store, idempotency, update))
}
