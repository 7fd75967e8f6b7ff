//! AdjustInventory.

use tonic::{Request, Response, Status};

use crate::domain::command::Reply;
use crate::domain::inventory::adjust::{AdjustInventory, AdjustmentKind, NamedLot, ReturnedLine};
use crate::domain::money::UnitCost;
use crate::domain::outcome::{AdjustedLot, Outcome, StockAdjusted};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::domain::unit::Unit;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn adjust(
    app: &App,
    request: Request<v1::AdjustInventoryRequest>,
) -> Result<Response<v1::AdjustInventoryResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| response(&reply)))
}

fn response(reply: &Reply) -> v1::AdjustInventoryResponse {
    let mut response = v1::AdjustInventoryResponse {
        inventory_level: reply.level.as_ref().map(convert::level),
        purchase_order: convert::order_of(reply),
        line: convert::touched_lines(reply).pop(),
        event_number: reply.outcome.event(),
        ..v1::AdjustInventoryResponse::default()
    };
    if let Outcome::StockAdjusted(adjusted) = &reply.outcome {
        let StockAdjusted { movement, movement_count, quantity, lots, .. } = adjusted;
        response.movement_number = *movement;
        response.movement_count = *movement_count;
        response.quantity = Quantity::from_scaled(*quantity).to_string();
        response.lots = lots.iter().map(adjusted_lot).collect();
    }
    response
}

fn adjusted_lot(lot: &AdjustedLot) -> v1::Lot {
    v1::Lot {
        lot_code: lot.code.clone(),
        expiry_date: lot.expiry_date.clone().unwrap_or_default(),
        quantity: Quantity::from_scaled(lot.quantity).to_string(),
    }
}

fn parse(call: &Call, mut request: v1::AdjustInventoryRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let kinds = "SALE, CUSTOMER_RETURN, RETURN_TO_SUPPLIER, COUNT or LOSS";
    let kind = fields.known("kind", convert::adjustment_kind_of(request.kind), kinds);
    let product = fields.product_id("product_id", &request.product_id);
    let quantity = parse_quantity(&mut fields, kind, request.quantity.as_deref());
    let unit_cost = parse_cost(&mut fields, kind, request.unit_cost.as_deref());
    let unit = parse_unit(&mut fields, request.unit);
    let reason = fields.required_reason("reason", &request.reason);
    // The fingerprint was computed above, so what is taken out of the request from here on does not change it.
    let lot = parse_lot(&mut fields, request.lot.take());
    let returned_line = parse_returned_line(&mut fields, kind, request);
    let adjust =
        kind.map(|kind| AdjustInventory { product, kind, quantity, unit_cost, unit, reason, returned_line, lot });
    let adjust = fields.finish_with(adjust)?;
    Ok(call.submission(store, idempotency, adjust))
}

fn parse_quantity(fields: &mut FieldParser, kind: Option<AdjustmentKind>, quantity: Option<&str>) -> Quantity {
    let parsed = fields.quantity("quantity", quantity);
    let is_zero = quantity.is_some_and(|text| Quantity::parse(text) == Some(Quantity::ZERO));
    if is_zero && kind != Some(AdjustmentKind::Count) {
        fields.violation("quantity", "must be above zero; only a COUNT may find nothing");
    }
    parsed
}

fn parse_cost(fields: &mut FieldParser, kind: Option<AdjustmentKind>, cost: Option<&str>) -> Option<UnitCost> {
    cost?;
    if kind.is_some_and(|kind| !kind.may_put_in()) {
        fields.violation("unit_cost", "is only for stock that is put in, by CUSTOMER_RETURN or COUNT");
    }
    fields.optional_cost("unit_cost", cost)
}

fn parse_unit(fields: &mut FieldParser, unit: i32) -> Option<Unit> {
    // Only a product that is new to the store needs one, which is judged with the store's level.
    if unit == i32::from(v1::Unit::Unspecified) {
        return None;
    }
    fields.known("unit", convert::unit_of(unit), "a known unit, or unspecified")
}

fn parse_lot(fields: &mut FieldParser, lot: Option<v1::NamedLot>) -> Option<NamedLot> {
    let lot = lot?;
    Some(NamedLot {
        code: fields.lot_code("lot.lot_code", &lot.lot_code),
        expiry_date: fields.date("lot.expiry_date", &lot.expiry_date),
    })
}

fn parse_returned_line(
    fields: &mut FieldParser,
    kind: Option<AdjustmentKind>,
    request: v1::AdjustInventoryRequest,
) -> Option<ReturnedLine> {
    if request.purchase_order_id.is_empty() {
        // Refused and not ignored: such a caller means a return that is tied to a line.
        if request.line_number != 0 {
            fields.violation("line_number", "is only with purchase_order_id");
        }
        if !request.etag.is_empty() {
            fields.violation("etag", "is only with purchase_order_id");
        }
        return None;
    }
    if kind.is_some_and(|kind| kind != AdjustmentKind::ReturnToSupplier) {
        fields.violation("purchase_order_id", "is only for RETURN_TO_SUPPLIER");
    }
    Some(ReturnedLine {
        order: fields.order_id(&request.purchase_order_id),
        line: fields.line_number("line_number", request.line_number),
        etag: request.etag,
    })
}
