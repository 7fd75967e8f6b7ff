//! UpdatePurchaseOrder.

use tonic::{Request, Status};

use super::create::parse_lines;
use crate::domain::order::update::UpdateOrder;
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::call::{Call, Marked, Submission};
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::form::Form;

const FIELDS: [&str; 5] = ["supplier_id", "supplier_reference", "note", "expected_date", "lines"];

impl Marked for v1::UpdatePurchaseOrderRequest {
    const RPC: &'static str = "purchasing.v1.PurchaseOrderService/UpdatePurchaseOrder";

    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

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
    let mut form = Form::default();
    let store = form.store_id(&request.store_id);
    let order = form.order_id(&request.purchase_order_id);
    let mark = request.mark(&mut form);
    let mask = form.mask(request.update_mask.as_ref(), &FIELDS);
    let is_named = |field: &str| mask.contains(field);
    let update = UpdateOrder {
        order,
        etag: request.etag.clone(),
        supplier: is_named("supplier_id").then(|| form.supplier_id("supplier_id", &request.supplier_id)),
        supplier_reference: is_named("supplier_reference")
            .then(|| form.optional_text("supplier_reference", &request.supplier_reference, MAX_DESCRIPTION)),
        note: is_named("note").then(|| form.note("note", &request.note)),
        expected_date: is_named("expected_date").then(|| form.date("expected_date", &request.expected_date)),
        lines: is_named("lines").then(|| parse_lines(&mut form, &request.lines)),
    };
    form.finish()?;
    Ok(call.submission(store, mark, update))
}
