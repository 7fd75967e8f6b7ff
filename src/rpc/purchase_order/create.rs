//! CreatePurchaseOrder.

use tonic::{Request, Status};

use crate::domain::order::create::{CreateOrder, NewLine};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::domain::unit::Unit;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::call::{Call, Marked, Submission};
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::form::{At, Form};

impl Marked for v1::CreatePurchaseOrderRequest {
    const RPC: &'static str = "purchasing.v1.PurchaseOrderService/CreatePurchaseOrder";

    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

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
    let mut form = Form::default();
    let store = form.store_id(&request.store_id);
    let mark = request.mark(&mut form);
    let create = CreateOrder {
        supplier: form.supplier_id("supplier_id", &request.supplier_id),
        supplier_reference: form.optional_text("supplier_reference", &request.supplier_reference, MAX_DESCRIPTION),
        note: form.note("note", &request.note),
        currency: match request.currency.as_str() {
            "" => None,
            code => form.currency("currency", code),
        },
        expected_date: form.date("expected_date", &request.expected_date),
        lines: parse_lines(&mut form, &request.lines),
    };
    form.finish()?;
    Ok(call.submission(store, mark, create))
}

/// The lines of a draft.
pub(super) fn parse_lines(form: &mut Form, lines: &[v1::NewLine]) -> Vec<NewLine> {
    let lines = form.capped(caps::LINES, lines).iter().enumerate();
    lines.filter_map(|(index, line)| parse_line(form, index, line)).collect()
}

/// A line; `None` stands for one whose unit is a violation.
fn parse_line(form: &mut Form, index: usize, line: &v1::NewLine) -> Option<NewLine> {
    let at = |field| At { list: "lines", index, field };
    let product = form.product_id(at("product_id"), &line.product_id);
    let description = form.text(at("description"), &line.description, MAX_DESCRIPTION);
    let gtin = form.gtin(at("gtin"), &line.gtin);
    let known = "UNIT_EACH, UNIT_KILOGRAM or another Unit other than UNSPECIFIED";
    let unit: Option<Unit> = form.known(at("unit"), convert::unit_of(line.unit), known);
    let parsed = NewLine {
        product,
        description,
        gtin,
        quantity: quantity(form, at("quantity"), line.quantity.as_deref(), unit),
        unit: unit.unwrap_or(Unit::Each),
        unit_cost: form.unit_cost(at("unit_cost"), line.unit_cost.as_deref()),
        expected_date: form.date(at("expected_date"), &line.expected_date),
    };
    unit.map(|_| parsed)
}

fn quantity(form: &mut Form, field: At, value: Option<&str>, unit: Option<Unit>) -> Quantity {
    let quantity = form.quantity(field, value);
    if let Some(unit) = unit.filter(|unit| unit.is_whole() && !quantity.is_whole()) {
        form.violation(field, format_args!("is {quantity}, but {} is counted in whole numbers", unit.name()));
    }
    quantity
}
