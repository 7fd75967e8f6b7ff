//! ConfirmPurchaseOrder.

use std::collections::BTreeSet;

use tonic::{Request, Response, Status};

use crate::domain::order::confirm::{ConfirmOrder, LineConfirmation};
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::{Element, FieldParser};
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn confirm(
    app: &App,
    request: Request<v1::ConfirmPurchaseOrderRequest>,
) -> Result<Response<v1::ConfirmPurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::ConfirmPurchaseOrderResponse {
        purchase_order: convert::order_of(&reply),
        lines: convert::touched_lines(&reply),
        event_number: reply.outcome.event(),
    }))
}

fn parse(call: &Call, mut request: v1::ConfirmPurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let confirm = ConfirmOrder {
        order: fields.order_id(&request.purchase_order_id),
        lines: parse_lines(&mut fields, &request.lines),
        confirms_rest: request.confirm_rest,
        expected_date: fields.date("expected_date", &request.expected_date),
        etag: request.etag,
    };
    if request.lines.is_empty() && !request.confirm_rest {
        fields.violation("lines", "must not be empty, unless confirm_rest is set");
    }
    fields.finish()?;
    Ok(call.submission(store, idempotency, confirm))
}

fn parse_lines(fields: &mut FieldParser, listed: &[v1::LineConfirmation]) -> Vec<LineConfirmation> {
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for (index, confirmation) in fields.capped(caps::CONFIRMATIONS, listed).iter().enumerate() {
        let path = Element::new("lines", index);
        let line = fields.line_number(path.field("line_number"), confirmation.line_number);
        if !seen.insert(line) {
            fields.violation(path.field("line_number"), format_args!("names line {line} a second time"));
        }
        let quantity = (path.field("quantity"), confirmation.quantity.as_deref());
        let packs = (path.field("packs"), confirmation.packs.as_deref());
        lines.push(LineConfirmation {
            line,
            quantity: fields.stated_quantity(quantity, packs),
            expected_date: fields.date(path.field("expected_date"), &confirmation.expected_date),
        });
    }
    lines
}
