//! CreatePurchaseOrder.

use tonic::{Request, Response, Status};

use crate::domain::money::UnitCost;
use crate::domain::order::Charge;
use crate::domain::order::create::{CreateOrder, NewLine, Price};
use crate::domain::pack::PackViolation;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::domain::text::{MAX_DESCRIPTION, MAX_LINE_NOTES};
use crate::domain::unit::Unit;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::caps::{self, Cap};
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::{Element, FieldParser};
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn create(
    app: &App,
    request: Request<v1::CreatePurchaseOrderRequest>,
) -> Result<Response<v1::CreatePurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::CreatePurchaseOrderResponse {
        purchase_order: convert::order_of(&reply),
        event_number: reply.outcome.event(),
    }))
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
        external_id: fields.optional_own_code("external_id", &request.external_id),
        charges: parse_charges(&mut fields, caps::CHARGES, &request.charges),
        lines: parse_lines(&mut fields, caps::LINES, &request.lines),
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, create))
}

/// The lines of a draft, or those that are added to an order. Lines whose unit is not known are left out: their violation refuses the request.
pub(super) fn parse_lines(fields: &mut FieldParser, cap: Cap, lines: &[v1::NewLine]) -> Vec<NewLine> {
    let mut parsed = Vec::new();
    for (index, line) in fields.capped(cap, lines).iter().enumerate() {
        parsed.extend(parse_line(fields, Element::new(cap.path, index), line));
    }
    // Measured in normal form, as they are stored and answered: normalizing can make text three times as
    // long.
    let notes: usize = parsed.iter().filter_map(|line| line.note.as_ref()).map(String::len).sum();
    if notes > MAX_LINE_NOTES {
        fields.violation(cap.path, format_args!("have notes of {notes} bytes; at most {MAX_LINE_NOTES} together"));
    }
    parsed
}

/// What is paid for an order besides its lines.
pub(super) fn parse_charges(fields: &mut FieldParser, cap: Cap, charges: &[v1::Charge]) -> Vec<Charge> {
    let mut parsed = Vec::new();
    for (index, charge) in fields.capped(cap, charges).iter().enumerate() {
        let path = Element::new(cap.path, index);
        let description = fields.required_text(path.field("description"), &charge.description, MAX_DESCRIPTION);
        parsed.push(Charge { description, amount: fields.amount(path.field("amount"), charge.amount.as_deref()) });
    }
    parsed
}

/// `None` for a line whose unit is a violation. Its other fields are judged all the same.
fn parse_line(fields: &mut FieldParser, path: Element, line: &v1::NewLine) -> Option<NewLine> {
    let product = fields.product_id(path.field("product_id"), &line.product_id);
    let description = fields.text(path.field("description"), &line.description, MAX_DESCRIPTION);
    let gtin = fields.gtin(path.field("gtin"), &line.gtin);
    let known = "UNIT_EACH, UNIT_KILOGRAM or another Unit other than UNSPECIFIED";
    let unit: Option<Unit> = fields.known(path.field("unit"), convert::unit_of(line.unit), known);
    let pack_size = fields.pack_size(path.field("pack_size"), line.pack_size.as_deref());
    let quantity = quantity(fields, path, line, pack_size, unit);
    let price = price(fields, path, line, pack_size);
    let expected_date = fields.date(path.field("expected_date"), &line.expected_date);
    let supplier_product = fields.optional_own_code(path.field("supplier_product_id"), &line.supplier_product_id);
    let note = fields.note(path.field("note"), &line.note);
    let tolerance = line.over_receipt_tolerance.as_deref();
    let tolerance = tolerance.map(|text| fields.tolerance(path.field("over_receipt_tolerance"), text));
    Some(NewLine {
        product,
        description,
        gtin,
        supplier_product,
        note,
        unit: unit?,
        quantity,
        pack_size,
        price,
        tolerance,
        lot_required: line.lot_required,
        expected_date,
    })
}

/// The ordered quantity, from units, packs or both.
fn quantity(
    fields: &mut FieldParser,
    path: Element,
    line: &v1::NewLine,
    pack_size: Option<Quantity>,
    unit: Option<Unit>,
) -> Quantity {
    let field = path.field("quantity");
    if line.quantity.is_none() && line.packs.is_none() {
        fields.violation(field, "is required, unless packs is set");
    }
    let (units, packs) = ((field, line.quantity.as_deref()), (path.field("packs"), line.packs.as_deref()));
    let quantity = match fields.stated_quantity(units, packs).resolve(pack_size) {
        Ok(quantity) => quantity,
        // A size that was given and is none is a violation already.
        Err(PackViolation::NoPackSize) if line.pack_size.is_some() => Quantity::ZERO,
        Err(violation) => {
            fields.violation(path.field("packs"), violation);
            Quantity::ZERO
        }
    };
    // A placeholder is zero, and so whole: a quantity that could not be read is one violation and not two.
    if let Some(unit) = unit.filter(|unit| unit.is_whole() && !quantity.is_whole()) {
        fields.violation(field, format_args!("is {quantity}, but {} is counted in whole numbers", unit.name()));
    }
    quantity
}

/// What the line costs: by the unit or by the pack, and not both, because they could contradict each other.
fn price(fields: &mut FieldParser, path: Element, line: &v1::NewLine, pack_size: Option<Quantity>) -> Price {
    let unit_cost = fields.optional_cost(path.field("unit_cost"), line.unit_cost.as_deref());
    let pack_cost = fields.optional_cost(path.field("pack_cost"), line.pack_cost.as_deref());
    let Some(pack_cost) = pack_cost else {
        if unit_cost.is_none() {
            fields.violation(path.field("unit_cost"), "is required, unless pack_cost is set");
        }
        return Price::Unit(unit_cost.unwrap_or_default());
    };
    if unit_cost.is_some() {
        fields.violation(path.field("unit_cost"), "must not be set with pack_cost");
    }
    match pack_size.map(|size| Price::by_pack(pack_cost, size)) {
        Some(Some(price)) => return price,
        Some(None) => {
            let rule = format_args!("makes one unit cost more than {}", UnitCost::MAX);
            fields.violation(path.field("pack_cost"), rule);
        }
        None if line.pack_size.is_none() => fields.violation(path.field("pack_cost"), "needs pack_size"),
        // The size is a violation already.
        None => {}
    }
    // A placeholder: each way that leads here has a violation.
    Price::Unit(UnitCost::default())
}
