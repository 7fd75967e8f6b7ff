//! AmendPurchaseOrder.

use std::collections::BTreeSet;

use tonic::{Request, Response, Status};

use super::create::{parse_charges, parse_lines};
use crate::domain::order::amend::{AmendOrder, LineAmendment};
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::{Element, FieldParser};
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn amend(
    app: &App,
    request: Request<v1::AmendPurchaseOrderRequest>,
) -> Result<Response<v1::AmendPurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::AmendPurchaseOrderResponse {
        purchase_order: convert::order_of(&reply),
        lines: convert::touched_lines(&reply),
        event_number: reply.outcome.event(),
    }))
}

fn parse(call: &Call, mut request: v1::AmendPurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let order = fields.order_id(&request.purchase_order_id);
    let idempotency = request.idempotency(&mut fields);
    let amend = AmendOrder {
        order,
        etag: request.etag.clone(),
        // Unset leaves the date, set and empty removes it. So it is with the dates and notes of lines.
        expected_date: request.expected_date.as_ref().map(|date| fields.date("expected_date", date)),
        charges: request.charges.as_ref().map(|list| parse_charges(&mut fields, caps::CHARGE_LIST, &list.charges)),
        lines: parse_amendments(&mut fields, &request.lines),
        new_lines: parse_lines(&mut fields, caps::NEW_LINES, &request.new_lines),
    };
    let has_lines = !(request.lines.is_empty() && request.new_lines.is_empty());
    if !has_lines && request.expected_date.is_none() && request.charges.is_none() {
        fields.violation("lines", "must not be empty, unless new_lines, expected_date or charges is set");
    }
    fields.finish()?;
    Ok(call.submission(store, idempotency, amend))
}

fn parse_amendments(fields: &mut FieldParser, listed: &[v1::LineAmendment]) -> Vec<LineAmendment> {
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for (index, amendment) in fields.capped(caps::AMENDMENTS, listed).iter().enumerate() {
        let path = Element::new("lines", index);
        let parsed = parse_amendment(fields, path, amendment);
        if !seen.insert(parsed.line) {
            fields.violation(path.field("line_number"), format_args!("names line {} a second time", parsed.line));
        }
        lines.push(parsed);
    }
    lines
}

fn parse_amendment(fields: &mut FieldParser, path: Element, amendment: &v1::LineAmendment) -> LineAmendment {
    let quantity = (path.field("quantity"), amendment.quantity.as_deref());
    let packs = (path.field("packs"), amendment.packs.as_deref());
    let parsed = LineAmendment {
        line: fields.line_number(path.field("line_number"), amendment.line_number),
        is_removed: amendment.remove,
        quantity: fields.stated_quantity(quantity, packs),
        unit_cost: fields.optional_cost(path.field("unit_cost"), amendment.unit_cost.as_deref()),
        pack_cost: fields.optional_cost(path.field("pack_cost"), amendment.pack_cost.as_deref()),
        expected_date: amendment.expected_date.as_ref().map(|date| fields.date(path.field("expected_date"), date)),
        note: amendment.note.as_ref().map(|note| fields.note(path.field("note"), note)),
    };
    if parsed.unit_cost.is_some() && parsed.pack_cost.is_some() {
        fields.violation(path.field("unit_cost"), "must not be set with pack_cost");
    }
    let is_changed = amendment.quantity.is_some()
        || amendment.packs.is_some()
        || amendment.unit_cost.is_some()
        || amendment.pack_cost.is_some()
        || amendment.expected_date.is_some()
        || amendment.note.is_some();
    if amendment.remove && is_changed {
        fields.violation(path.field("remove"), "must not be set with anything that changes");
    }
    parsed
}
