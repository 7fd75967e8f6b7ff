//! UpdatePurchaseOrder.

use tonic::{Request, Status};

use super::create::parse_lines;
use crate::domain::order::update::UpdateOrder;
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::call::{Call, IdempotentRequest, Submission};
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;

const FIELDS: [&str; 5] = ["supplier_id", "supplier_reference", "note", "expected_date", "lines"];

pub(super) async fn update(
    app: &App,
    request: Request<v1::UpdatePurchaseOrderRequest>,
) -> Result<v1::UpdatePurchaseOrderResponse, Status> {
    let (call, request) = Call::open(request)?;
    let reply = app.submit(&call, parse(&call, request).map_err(to_status)?).await?;
    Ok(v1::UpdatePurchaseOrderResponse {
        purchase_order: reply.order.as_ref().map(convert::purchase_order),
        event_number: reply.outcome.event(),
    })
}

/// A field that the mask does not name is not looked at.
fn parse(call: &Call, mut request: v1::UpdatePurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let order = fields.order_id(&request.purchase_order_id);
    let idempotency = request.idempotency(&mut fields);
    let mask = fields.mask(request.update_mask.as_ref(), &FIELDS);
    let is_named = |field: &str| mask.contains(field);
    let update = UpdateOrder {
        order,
        etag: request.etag.clone(),
        supplier: is_named("supplier_id").then(|| fields.supplier_id("supplier_id", &request.supplier_id)),
        supplier_reference: is_named("supplier_reference")
            .then(|| fields.optional_text("supplier_reference", &request.supplier_reference, MAX_DESCRIPTION)),
        note: is_named("note").then(|| fields.note("note", &request.note)),
        expected_date: is_named("expected_date").then(|| fields.date("expected_date", &request.expected_date)),
        lines: is_named("lines").then(|| parse_lines(&mut fields, &request.lines)),
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, update))
}
