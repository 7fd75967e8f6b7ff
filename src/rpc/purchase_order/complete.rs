//! CompletePurchaseOrder.

use std::collections::BTreeSet;

use tonic::{Request, Status};

use crate::domain::order::complete::{CompleteOrder, Settlement};
use crate::domain::outcome::{CreatedBackOrder, OrderCompleted, Outcome};
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::call::{Call, Marked, Submission};
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::form::{At, Form};

impl Marked for v1::CompletePurchaseOrderRequest {
    const RPC: &'static str = "purchasing.v1.PurchaseOrderService/CompletePurchaseOrder";

    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

pub(super) async fn complete(
    app: &App,
    request: Request<v1::CompletePurchaseOrderRequest>,
) -> Result<v1::CompletePurchaseOrderResponse, Status> {
    let (call, request) = Call::open(request)?;
    let reply = app.submit(&call, parse(&call, request).map_err(to_status)?).await?;
    Ok(v1::CompletePurchaseOrderResponse {
        purchase_order: reply.order.as_ref().map(convert::purchase_order),
        back_order: made_back_order(&reply.outcome).map(back_order),
        event_number: reply.outcome.event(),
    })
}

fn made_back_order(outcome: &Outcome) -> Option<&CreatedBackOrder> {
    match outcome {
        Outcome::OrderCompleted(OrderCompleted { back_order, .. }) => back_order.as_ref(),
        _ => None,
    }
}

fn back_order(made: &CreatedBackOrder) -> v1::BackOrder {
    v1::BackOrder { purchase_order_id: made.order.to_string(), number: made.number.clone(), line_count: made.lines }
}

fn parse(call: &Call, mut request: v1::CompletePurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut form = Form::default();
    let store = form.store_id(&request.store_id);
    let mark = request.mark(&mut form);
    let choices = Choices {
        order: &request.purchase_order_id,
        etag: request.etag,
        lines: &request.lines,
        rest: request.rest,
        cancel_reason: &request.cancel_reason,
        expected_date: &request.expected_date,
    };
    let complete = choices.parse(&mut form);
    form.finish()?;
    Ok(call.submission(store, mark, complete))
}

/// What completing and previewing have in common.
pub(super) struct Choices<'a> {
    pub(super) order: &'a str,
    pub(super) etag: String,
    pub(super) lines: &'a [v1::LineSettlement],
    pub(super) rest: i32,
    pub(super) cancel_reason: &'a str,
    pub(super) expected_date: &'a str,
}

impl Choices<'_> {
    pub(super) fn parse(self, form: &mut Form) -> CompleteOrder {
        let mut seen = BTreeSet::new();
        let lines = form.capped(caps::SETTLEMENTS, self.lines).iter().enumerate();
        let lines = lines.map(|(index, line)| parse_settlement(form, index, line, &mut seen)).collect();
        let rest = form.known("rest", convert::disposition_of(self.rest), "BACK_ORDER, CANCEL or unspecified");
        CompleteOrder {
            order: form.order_id(self.order),
            etag: self.etag,
            lines,
            rest: rest.flatten(),
            cancel_reason: form.reason("cancel_reason", self.cancel_reason),
            expected_date: form.date("expected_date", self.expected_date),
        }
    }
}

fn parse_settlement(
    form: &mut Form,
    index: usize,
    settlement: &v1::LineSettlement,
    seen: &mut BTreeSet<i32>,
) -> Settlement {
    let at = |field| At { list: "lines", index, field };
    let line = form.line_number(at("line_number"), settlement.line_number);
    if !seen.insert(line) {
        form.violation(at("line_number"), format_args!("names line {line} a second time"));
    }
    Settlement {
        line,
        back_order: form.quantity_or_zero(at("back_order"), settlement.back_order.as_deref()),
        cancel: form.quantity_or_zero(at("cancel"), settlement.cancel.as_deref()),
    }
}
