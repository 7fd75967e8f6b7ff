//! PreviewCompletion: a read that makes the decision of a completion and does not save it.
//!
//! It runs the same plan and the same decision as CompletePurchaseOrder, in a read-only snapshot, so that
//! what it shows is what a completion would do at that moment.

use tonic::{Request, Response, Status};

use crate::domain::Ids;
use crate::domain::command::{Envelope, OrderView};
use crate::domain::order::actions::allowed;
use crate::domain::order::complete::{CompleteOrder, DisposedLine};
use crate::domain::order::preview::{self, Preview, ResultingStock};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::proto::v1;
use crate::repository::read;
use crate::repository::read::authorized::{ReadError, ReadSession};
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::rpc::purchase_order::complete::Choices;
use crate::rpc::{App, convert};
use crate::workers::ReadClass;

/// A page's key: how many rows of each list were returned so far. The lists have no key of their own that
/// outlives a change of the order, so a page may repeat or skip rows if the order changes in between.
type Position = usize;

pub(in crate::rpc::purchase_order) async fn preview(
    app: &App,
    request: Request<v1::PreviewCompletionRequest>,
) -> Result<Response<v1::PreviewCompletionResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let Parsed { envelope, complete, page } = parse(app, &call, request).map_err(to_status)?;
    let clock = app.clock.clone();
    let ids = app.ids.clone();
    // It loads every line, whatever page is asked for.
    let read = app
        .read(&call, ReadClass::Large, move |session| decide(session, &envelope, &complete, clock.now(), &*ids))
        .await?;
    Ok(read.answer(|(preview, view)| response(&preview, &view, &page)))
}

struct Parsed {
    /// The command as a writer would get it: the loads and the gate judge its principal.
    envelope: Envelope,
    /// The same command by its own type.
    complete: CompleteOrder,
    page: Page<Position>,
}

fn parse(app: &App, call: &Call, mut request: v1::PreviewCompletionRequest) -> Result<Parsed, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let page = Page::of(&app.page_key, &mut request, &mut fields);
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
    Ok(Parsed { envelope: call.envelope(store, complete.clone()), complete, page })
}

/// Judges the caller by the headers, loads the rest only if they may see it, and decides.
fn decide(
    session: &mut ReadSession<'_>,
    envelope: &Envelope,
    complete: &CompleteOrder,
    now: Timestamp,
    ids: &dyn Ids,
) -> Result<(Preview, OrderView), ReadError> {
    let working_set = read::needs_for_caller(session, envelope, |headers| preview::gate(headers, envelope, complete))?;
    let preview = preview::preview(&working_set, envelope, complete, now, ids)?;
    let permissions = working_set.permissions_of(&envelope.store, &envelope.principal.id)?;
    let allowed_actions = allowed(&preview.order, permissions);
    let view = OrderView { order: preview.order.clone(), allowed_actions };
    Ok((preview, view))
}

/// Cuts both lists to the same page: rows `from` to `from + size` of each.
fn response(preview: &Preview, view: &OrderView, page: &Page<Position>) -> v1::PreviewCompletionResponse {
    // If the order has fewer rows by now than were returned before, the page is empty, and the last.
    let from = page.after.unwrap_or(0);
    let rows = preview.pending.len().max(preview.stock.len());
    let mut places: Vec<usize> = (from..rows).collect();
    let next_page_token = page.cut(&mut places, |last| last + 1);
    let pending = places.iter().filter_map(|place| preview.pending.get(*place));
    let stock = places.iter().filter_map(|place| preview.stock.get(*place));
    let (back_order_number, back_order_lines) = preview.back_order.clone().unwrap_or_default();
    v1::PreviewCompletionResponse {
        purchase_order: Some(convert::purchase_order(view)),
        pending_lines: pending.map(|disposed| pending_line(view, disposed)).collect(),
        stock: stock.map(resulting_stock).collect(),
        back_order_number,
        back_order_line_count: back_order_lines as i32,
        blockers: preview.blockers.iter().map(blocker).collect(),
        next_page_token,
    }
}

fn pending_line(view: &OrderView, disposed: &DisposedLine) -> v1::PendingLine {
    let DisposedLine { line, disposition } = disposed;
    v1::PendingLine {
        line_number: line.key.number,
        product_id: line.product.to_string(),
        description: line.description.clone(),
        unit: convert::unit(line.unit).into(),
        pending: line.quantities.pending.to_string(),
        unit_cost: Some(line.unit_cost.to_string()),
        pending_cost: Some(line.value_of(line.quantities.pending).to_string()),
        expected_date: convert::date(view.order.expected_date_of(line)),
        back_order: disposition.back_order.to_string(),
        cancel: disposition.cancel.to_string(),
        unsettled: disposed.unsettled().to_string(),
    }
}

fn resulting_stock(stock: &ResultingStock) -> v1::ResultingStock {
    v1::ResultingStock {
        product_id: stock.before.key.product.to_string(),
        unit: convert::unit(stock.before.unit).into(),
        received: stock.received.to_string(),
        on_hand_before: stock.before.on_hand.to_string(),
        on_hand_after: (stock.before.on_hand + stock.received).to_string(),
        back_ordered_after: stock.back_ordered_after.to_string(),
    }
}

fn blocker(refusal: &Refusal) -> v1::Blocker {
    v1::Blocker {
        reason: refusal.reason().to_owned(),
        message: refusal.to_string(),
        line_numbers: refusal.lines().map(|lines| lines.first.clone()).unwrap_or_default(),
    }
}
