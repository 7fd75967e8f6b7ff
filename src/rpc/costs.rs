//! Costs in messages: which fields hold one, who is shown them, and which requests name one.
//!
//! The contract marks every field that holds a cost, an amount or a value with `(purchasing.v1.cost)`.
//! From these marks the build script implements the two traits below for every message that an rpc
//! answers or takes, so a field that is added to the contract is covered as soon as it is marked.
//!
//! A handler cannot forget the redaction. What it gets from the writers and readers is
//! [`Unredacted`], and the only way out of that is [`Unredacted::answer`], which makes the response and
//! redacts it. `tests/service/architecture.rs` checks that no service makes a response in another way.

use std::pin::Pin;

use futures_util::{Stream, TryStreamExt};
use prost_types::FieldMask;
use tonic::{Response, Status};

use crate::domain::access::CostVisibility;
use crate::proto::v1;

/// A message of an answer. The build script implements it for every message that a response holds.
pub trait HideCosts {
    /// Unsets every field that holds a cost, at any depth.
    fn hide_costs(&mut self);
}

/// A request. The build script implements it for the request of every rpc.
pub trait NamesCost {
    /// The path of the first field that is set and holds a cost, without indexes: `lines.unit_cost`. A
    /// field that the update mask does not name is ignored, as it is when the request is carried out.
    fn names_cost(&self) -> Option<&'static str>;
}

/// What was done or read for a caller, before it is known what they may see of it.
#[derive(Debug)]
pub struct Unredacted<T> {
    value: T,
    /// By the caller's permissions in the transaction or snapshot that the value comes from.
    costs: CostVisibility,
}

impl<T> Unredacted<T> {
    /// What was done or read, with what was judged of its caller at that moment.
    pub(super) fn new(value: T, costs: CostVisibility) -> Self {
        Self { value, costs }
    }

    /// Makes the answer of it, without what its caller may not see.
    pub fn answer<M: HideCosts>(self, to_message: impl FnOnce(T) -> M) -> Response<M> {
        Response::new(self.redact(to_message).0)
    }

    /// What decides how to go on, and is no part of the answer.
    pub fn look<R: Copy>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.value)
    }

    /// Makes a part of an answer of it, or a message of a stream, without what its caller may not see.
    pub fn redact<M: HideCosts>(self, to_message: impl FnOnce(T) -> M) -> Redacted<M> {
        let mut message = to_message(self.value);
        if self.costs == CostVisibility::Hidden {
            message.hide_costs();
        }
        Redacted(message)
    }
}

/// A message that holds nothing but what its caller may see.
#[derive(Debug)]
pub struct Redacted<M>(M);

impl<M: HideCosts> Redacted<M> {
    /// A message that says nothing of what was read, and so has no costs that could be judged.
    pub fn without_costs(mut message: M) -> Self {
        message.hide_costs();
        Self(message)
    }
}

/// A page of rows, each of which is shown as the caller's roles in its own store allow.
#[derive(Debug)]
pub struct RedactedPage<M> {
    rows: Vec<Redacted<M>>,
    end: PageEnd,
}

/// What a page of rows says besides them.
#[derive(Debug, Default)]
pub struct PageEnd {
    /// The token of the next page; empty on the last one.
    pub next_page_token: String,
    /// The ids of stores that the page leaves out.
    pub left_out: Vec<String>,
}

impl<M: HideCosts> RedactedPage<M> {
    /// A page of rows, each with what was judged of its caller in the row's store.
    pub(super) fn new(rows: Vec<(CostVisibility, M)>, end: PageEnd) -> Self {
        let rows = rows.into_iter().map(|(costs, row)| Unredacted::new(row, costs).redact(|row| row)).collect();
        Self { rows, end }
    }

    /// Makes the answer of the rows and of what the page says besides.
    pub fn answer<A>(self, to_message: impl FnOnce(Vec<M>, PageEnd) -> A) -> Response<A> {
        answer_of(self.rows, |rows| to_message(rows, self.end))
    }
}

/// Answers with what several parts make together.
pub fn answer_of<P, M>(parts: Vec<Redacted<P>>, join: impl FnOnce(Vec<P>) -> M) -> Response<M> {
    Response::new(join(parts.into_iter().map(|Redacted(part)| part).collect()))
}

/// The messages of a stream, as tonic sends them.
pub type Messages<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

/// Answers with a stream of messages.
pub fn answer_by<M: 'static>(
    messages: impl Stream<Item = Result<Redacted<M>, Status>> + Send + 'static,
) -> Response<Messages<M>> {
    Response::new(Box::pin(messages.map_ok(|Redacted(message)| message)))
}

/// Whether an update mask names a field; only requests with a mask and a cost ask.
fn is_in_mask(mask: Option<&FieldMask>, field: &str) -> bool {
    mask.is_some_and(|mask| mask.paths.iter().any(|path| path == field))
}

include!(concat!(env!("OUT_DIR"), "/cost_impls.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    fn line(unit_cost: Option<&str>) -> v1::NewLine {
        v1::NewLine { unit_cost: unit_cost.map(str::to_owned), ..v1::NewLine::default() }
    }

    fn order_with_lines() -> v1::GetPurchaseOrderResponse {
        let line = v1::PurchaseOrderLine {
            line_number: 1,
            unit_cost: Some("2.5".to_owned()),
            ordered: "3".to_owned(),
            ..v1::PurchaseOrderLine::default()
        };
        v1::GetPurchaseOrderResponse {
            purchase_order: Some(v1::PurchaseOrder { number: "PO-000001".to_owned(), ..v1::PurchaseOrder::default() }),
            lines: vec![line.clone(), v1::PurchaseOrderLine { line_number: 2, ..line }],
            charges: Vec::new(),
        }
    }

    #[test]
    fn costs_are_unset_at_any_depth_and_nothing_else_is() {
        let mut hidden = order_with_lines();
        hidden.hide_costs();
        let mut expected = order_with_lines();
        for line in &mut expected.lines {
            line.unit_cost = None;
        }
        assert_eq!(hidden, expected);
    }

    #[test]
    fn every_marked_field_of_a_message_is_unset() {
        let mut line = v1::PendingLine {
            unit_cost: Some("0".to_owned()),
            pending_cost: Some("0".to_owned()),
            pending: "4".to_owned(),
            ..v1::PendingLine::default()
        };
        line.hide_costs();
        assert_eq!(line, v1::PendingLine { pending: "4".to_owned(), ..v1::PendingLine::default() });
    }

    #[test]
    fn an_answer_shows_costs_to_callers_who_may_see_them_alone() {
        for (costs, shown) in [(CostVisibility::Shown, Some("2.5")), (CostVisibility::Hidden, None)] {
            let answer = Unredacted::new(order_with_lines(), costs).answer(|read| read).into_inner();
            assert_eq!(answer.lines[1].unit_cost.as_deref(), shown);
            assert_eq!(answer.lines[1].ordered, "3");
        }
    }

    #[test]
    fn a_request_names_a_cost_if_any_line_does() {
        for (lines, named) in [
            (vec![], None),
            (vec![line(None), line(None)], None),
            (vec![line(None), line(Some("0"))], Some("lines.unit_cost")),
            // It is set, and so it is judged, even though it is no cost.
            (vec![line(Some(""))], Some("lines.unit_cost")),
        ] {
            let request = v1::CreatePurchaseOrderRequest { lines, ..v1::CreatePurchaseOrderRequest::default() };
            assert_eq!(request.names_cost(), named, "{:?}", request.lines);
        }
        assert_eq!(v1::ReceivePurchaseOrderRequest::default().names_cost(), None);
    }

    #[test]
    fn an_update_names_the_costs_of_the_fields_in_its_mask() {
        for (paths, named) in
            [(None, None), (Some(vec!["note"]), None), (Some(vec!["note", "lines"]), Some("lines.unit_cost"))]
        {
            let update_mask = paths.map(|paths| FieldMask { paths: paths.into_iter().map(str::to_owned).collect() });
            let lines = vec![line(Some("2.5"))];
            let request = v1::UpdatePurchaseOrderRequest { update_mask, lines, ..Default::default() };
            assert_eq!(request.names_cost(), named, "{:?}", request.update_mask);
        }
    }
}
