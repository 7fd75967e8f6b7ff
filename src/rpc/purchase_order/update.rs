//! UpdatePurchaseOrder.

use tonic::{Request, Response, Status};

use super::create::{parse_charges, parse_lines};
use crate::domain::order::update::UpdateOrder;
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

/// The fields that `update_mask` may name.
const FIELDS: [&str; 7] =
    ["supplier_id", "supplier_reference", "note", "external_id", "charges", "expected_date", "lines"];

pub(super) async fn update(
    app: &App,
    request: Request<v1::UpdatePurchaseOrderRequest>,
) -> Result<Response<v1::UpdatePurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::UpdatePurchaseOrderResponse {
        purchase_order: convert::order_of(&reply),
        event_number: reply.outcome.event(),
    }))
}

/// A field that the mask does not name is not judged: it may hold anything. Its lists are counted all the same, by the
/// guard, which looks at no mask.
fn parse(call: &Call, mut request: v1::UpdatePurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let order = fields.order_id(&request.purchase_order_id);
    let idempotency = request.idempotency(&mut fields);
    let mask = fields.mask(request.update_mask.as_ref(), &FIELDS);
    let mut update = UpdateOrder {
        order,
        etag: request.etag.clone(),
        supplier: None,
        supplier_reference: None,
        note: None,
        external_id: None,
        charges: None,
        expected_date: None,
        lines: None,
    };
    if mask.contains("supplier_id") {
        update.supplier = Some(fields.supplier_id("supplier_id", &request.supplier_id));
    }
    if mask.contains("supplier_reference") {
        let reference = &request.supplier_reference;
        // `Some(None)`, of an empty text, clears it; `None` would leave it as it is. So it is with the note, the
        // external id and the date.
        update.supplier_reference = Some(fields.optional_text("supplier_reference", reference, MAX_DESCRIPTION));
    }
    if mask.contains("note") {
        update.note = Some(fields.note("note", &request.note));
    }
    if mask.contains("external_id") {
        update.external_id = Some(fields.optional_own_code("external_id", &request.external_id));
    }
    if mask.contains("charges") {
        update.charges = Some(parse_charges(&mut fields, caps::CHARGES, &request.charges));
    }
    if mask.contains("expected_date") {
        update.expected_date = Some(fields.date("expected_date", &request.expected_date));
    }
    if mask.contains("lines") {
        update.lines = Some(parse_lines(&mut fields, caps::LINES, &request.lines));
    }
    fields.finish()?;
    Ok(call.submission(store, idempotency, update))
}
