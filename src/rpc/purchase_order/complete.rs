//! CompletePurchaseOrder.

use std::collections::BTreeSet;

use tonic::{Request, Response, Status};

use super::cancel_lines::{check_size, parse_reason_code};
use crate::domain::order::complete::{CompleteOrder, LineDisposition};
use crate::domain::outcome::{CreatedBackOrder, OrderCompleted, Outcome};
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::{Element, FieldParser};
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn complete(
    app: &App,
    request: Request<v1::CompletePurchaseOrderRequest>,
) -> Result<Response<v1::CompletePurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::CompletePurchaseOrderResponse {
        purchase_order: convert::order_of(&reply),
        // Of the outcome and not of the order, so that a replay repeats it even if it was folded back since.
        back_order: created_back_order(&reply.outcome).map(back_order),
        event_number: reply.outcome.event(),
    }))
}

fn created_back_order(outcome: &Outcome) -> Option<&CreatedBackOrder> {
    match outcome {
        Outcome::OrderCompleted(OrderCompleted { back_order, .. }) => back_order.as_ref(),
        _ => None,
    }
}

fn back_order(created: &CreatedBackOrder) -> v1::BackOrder {
    v1::BackOrder {
        purchase_order_id: created.order.to_string(),
        number: created.number.clone(),
        line_count: created.lines,
    }
}

fn parse(call: &Call, mut request: v1::CompletePurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let choices = Choices {
        order: &request.purchase_order_id,
        etag: request.etag,
        lines: &request.lines,
        rest: request.rest,
        cancel_reason: &request.cancel_reason,
        cancel_reason_code: request.cancel_reason_code,
        expected_date: &request.expected_date,
    };
    let complete = choices.parse(&mut fields);
    fields.finish()?;
    Ok(call.submission(store, idempotency, complete))
}

/// The fields that a completion and its preview have in common. Both parse them here, so that a preview is
/// refused for the same violations.
pub(super) struct Choices<'a> {
    pub(super) order: &'a str,
    pub(super) etag: String,
    pub(super) lines: &'a [v1::LineDisposition],
    pub(super) rest: i32,
    pub(super) cancel_reason: &'a str,
    pub(super) cancel_reason_code: i32,
    pub(super) expected_date: &'a str,
}

impl Choices<'_> {
    pub(super) fn parse(self, fields: &mut FieldParser) -> CompleteOrder {
        let mut seen = BTreeSet::new();
        let mut lines = Vec::new();
        for (index, line) in fields.capped(caps::DISPOSITIONS, self.lines).iter().enumerate() {
            lines.push(parse_disposition(fields, index, line, &mut seen));
        }
        check_size(fields, lines.iter().filter_map(|line| line.cancel_reason.as_deref()));
        let rest = fields.known("rest", convert::disposition_of(self.rest), "BACK_ORDER, CANCEL or unspecified");
        CompleteOrder {
            order: fields.order_id(self.order),
            etag: self.etag,
            lines,
            default_disposition: rest.flatten(),
            // Whether one is required depends on what is pending, and a preview tells of its absence as a blocker.
            cancel_reason: fields.reason("cancel_reason", self.cancel_reason),
            cancel_reason_code: parse_reason_code(fields, "cancel_reason_code", self.cancel_reason_code),
            expected_date: fields.date("expected_date", self.expected_date),
        }
    }
}

fn parse_disposition(
    fields: &mut FieldParser,
    index: usize,
    disposition: &v1::LineDisposition,
    seen: &mut BTreeSet<i32>,
) -> LineDisposition {
    let path = Element::new("lines", index);
    let line = fields.line_number(path.field("line_number"), disposition.line_number);
    if !seen.insert(line) {
        fields.violation(path.field("line_number"), format_args!("names line {line} a second time"));
    }
    LineDisposition {
        line,
        // Whether the two add up to what is pending is judged with the line.
        back_order: fields.quantity_or_zero(path.field("back_order"), disposition.back_order.as_deref()),
        cancel: fields.quantity_or_zero(path.field("cancel"), disposition.cancel.as_deref()),
        cancel_reason: fields.reason(path.field("cancel_reason"), &disposition.cancel_reason),
        cancel_reason_code: parse_reason_code(fields, path.field("cancel_reason_code"), disposition.cancel_reason_code),
        expected_date: fields.date(path.field("expected_date"), &disposition.expected_date),
    }
}
