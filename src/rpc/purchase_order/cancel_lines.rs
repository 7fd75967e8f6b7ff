//! CancelPurchaseOrderLines.

use std::collections::BTreeSet;
use std::fmt;

use tonic::{Request, Response, Status};

use crate::domain::order::cancel_lines::{CancelLines, LineToCancel};
use crate::domain::order::cancellation::{CancelReason, MAX_REASONS_SIZE};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::{Element, FieldParser};
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn cancel_lines(
    app: &App,
    request: Request<v1::CancelPurchaseOrderLinesRequest>,
) -> Result<Response<v1::CancelPurchaseOrderLinesResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(|reply| v1::CancelPurchaseOrderLinesResponse {
        purchase_order: convert::order_of(&reply),
        lines: convert::touched_lines(&reply),
        event_number: reply.outcome.event(),
    }))
}

fn parse(call: &Call, mut request: v1::CancelPurchaseOrderLinesRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let cancel = CancelLines {
        order: fields.order_id(&request.purchase_order_id),
        lines: parse_lines(&mut fields, &request.lines),
        etag: request.etag,
    };
    fields.finish()?;
    Ok(call.submission(store, idempotency, cancel))
}

/// The lines that have a quantity: forms send every line, also those of which nothing is cancelled.
fn parse_lines(fields: &mut FieldParser, listed: &[v1::LineCancellation]) -> Vec<LineToCancel> {
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    let listed = fields.capped(caps::CANCELLATIONS, listed);
    for (index, cancellation) in listed.iter().enumerate() {
        let path = Element::new("lines", index);
        let line = fields.line_number(path.field("line_number"), cancellation.line_number);
        if !seen.insert(line) {
            fields.violation(path.field("line_number"), format_args!("names line {line} a second time"));
        }
        let quantity = fields.optional_quantity(path.field("quantity"), cancellation.quantity.as_deref());
        // By the text and not by `quantity`: what could not be read is zero there too, and its line is judged further.
        if cancellation.quantity.as_deref().and_then(Quantity::parse) == Some(Quantity::ZERO) {
            continue;
        }
        let reason = fields.required_reason(path.field("reason"), &cancellation.reason);
        let reason_code = parse_reason_code(fields, path.field("reason_code"), cancellation.reason_code);
        lines.push(LineToCancel { index, line, quantity, reason, reason_code });
    }
    // A list without elements is below its cap, which is a violation already.
    if lines.is_empty() && !listed.is_empty() {
        fields.violation("lines", "must have a quantity above zero on one line at least, or none for all of it");
    }
    check_size(fields, lines.iter().map(|line| line.reason.as_str()));
    lines
}

/// The kind of a reason beside its text; unspecified is none.
pub(super) fn parse_reason_code(fields: &mut FieldParser, field: impl fmt::Display, code: i32) -> Option<CancelReason> {
    let known = "unspecified or a CancelReason such as CANCEL_REASON_OUT_OF_STOCK";
    fields.known(field, convert::cancel_reason_of(code), known).flatten()
}

/// The reasons that a request gives for its lines are limited together.
pub(super) fn check_size<'a>(fields: &mut FieldParser, reasons: impl Iterator<Item = &'a str>) {
    let size: usize = reasons.map(str::len).sum();
    if size > MAX_REASONS_SIZE {
        let rule = format_args!("have reasons of {size} bytes; at most {MAX_REASONS_SIZE} together");
        fields.violation("lines", rule);
    }
}
