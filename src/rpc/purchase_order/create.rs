//! CreatePurchaseOrder.

use tonic::{Request, Status};

use crate::domain::order::create::{CreateOrder, NewLine};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::domain::unit::Unit;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::{Element, ElementField, FieldParser};
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn create(
    app: &App,
    request: Request<v1::CreatePurchaseOrderRequest>,
) -> Result<v1::CreatePurchaseOrderResponse, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(v1::CreatePurchaseOrderResponse {
        purchase_order: reply.order.as_ref().map(convert::purchase_order),
        event_number: reply.outcome.event(),
    })
}

fn parse(call: &Call, mut request: v1::CreatePurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let create = CreateOrder {
        supplier: fields.supplier_id("supplier_id", &request.supplier_id),
        supplier_reference: fields.optional_text("supplier_reference", &request.supplier_reference, MAX_DESCRIPTION),
        note: fields.note("note", &request.note),
        currency: match request.currency.as_str() {
            "" => None,
            code => fields.currency("currency", code),
        },
        expected_date: fields.date("expected_date", &request.expected_date),
        lines: parse_lines(&mut fields, &request.lines),
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, create))
}

/// The lines of a draft. Lines whose unit is not known are left out: their violation refuses the request.
pub(super) fn parse_lines(fields: &mut FieldParser, lines: &[v1::NewLine]) -> Vec<NewLine> {
    let mut parsed = Vec::new();
    for (index, line) in fields.capped(caps::LINES, lines).iter().enumerate() {
        parsed.extend(parse_line(fields, index, line));
    }
    parsed
}

/// `None` for a line whose unit is a violation. Its other fields are judged all the same.
fn parse_line(fields: &mut FieldParser, index: usize, line: &v1::NewLine) -> Option<NewLine> {
    let path = Element::new("lines", index);
    let product = fields.product_id(path.field("product_id"), &line.product_id);
    let description = fields.text(path.field("description"), &line.description, MAX_DESCRIPTION);
    let gtin = fields.gtin(path.field("gtin"), &line.gtin);
    let known = "UNIT_EACH, UNIT_KILOGRAM or another Unit other than UNSPECIFIED";
    let unit: Option<Unit> = fields.known(path.field("unit"), convert::unit_of(line.unit), known);
    let quantity = quantity(fields, path.field("quantity"), line.quantity.as_deref(), unit);
    let unit_cost = fields.unit_cost(path.field("unit_cost"), line.unit_cost.as_deref());
    let expected_date = fields.date(path.field("expected_date"), &line.expected_date);
    Some(NewLine { product, description, gtin, quantity, unit: unit?, unit_cost, expected_date })
}

fn quantity(fields: &mut FieldParser, field: ElementField, value: Option<&str>, unit: Option<Unit>) -> Quantity {
    let quantity = fields.quantity(field, value);
    if let Some(unit) = unit.filter(|unit| unit.is_whole() && !quantity.is_whole()) {
        fields.violation(field, format_args!("is {quantity}, but {} is counted in whole numbers", unit.name()));
    }
    quantity
}
