//! CreatePurchaseOrder.

use tonic::{Request, Status};

use crate::domain::order::create::{CreateOrder, NewLine};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::domain::unit::Unit;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::call::{Call, IdempotentRequest, Submission};
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::{At, FieldParser};

pub(super) async fn create(
    app: &App,
    request: Request<v1::CreatePurchaseOrderRequest>,
) -> Result<v1::CreatePurchaseOrderResponse, Status> {
    let (call, request) = Call::open(request)?;
    let reply = app.submit(&call, parse(&call, request).map_err(to_status)?).await?;
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

/// The lines of a draft.
pub(super) fn parse_lines(fields: &mut FieldParser, lines: &[v1::NewLine]) -> Vec<NewLine> {
    let lines = fields.capped(caps::LINES, lines).iter().enumerate();
    lines.filter_map(|(index, line)| parse_line(fields, index, line)).collect()
}

/// A line; `None` stands for one whose unit is a violation.
fn parse_line(fields: &mut FieldParser, index: usize, line: &v1::NewLine) -> Option<NewLine> {
    let at = |field| At { list: "lines", index, field };
    let product = fields.product_id(at("product_id"), &line.product_id);
    let description = fields.text(at("description"), &line.description, MAX_DESCRIPTION);
    let gtin = fields.gtin(at("gtin"), &line.gtin);
    let known = "UNIT_EACH, UNIT_KILOGRAM or another Unit other than UNSPECIFIED";
    let unit: Option<Unit> = fields.known(at("unit"), convert::unit_of(line.unit), known);
    let parsed = NewLine {
        product,
        description,
        gtin,
        quantity: quantity(fields, at("quantity"), line.quantity.as_deref(), unit),
        unit: unit.unwrap_or(Unit::Each),
        unit_cost: fields.unit_cost(at("unit_cost"), line.unit_cost.as_deref()),
        expected_date: fields.date(at("expected_date"), &line.expected_date),
    };
    unit.map(|_| parsed)
}

fn quantity(fields: &mut FieldParser, field: At, value: Option<&str>, unit: Option<Unit>) -> Quantity {
    let quantity = fields.quantity(field, value);
    if let Some(unit) = unit.filter(|unit| unit.is_whole() && !quantity.is_whole()) {
        fields.violation(field, format_args!("is {quantity}, but {} is counted in whole numbers", unit.name()));
    }
    quantity
}
