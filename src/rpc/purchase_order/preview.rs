//! PreviewCompletion: a read that decides and forgets.

use std::sync::Arc;

use tonic::{Request, Status};

use super::complete::Choices;
use crate::domain::command::{Envelope, OrderView};
use crate::domain::order::actions::allowed;
use crate::domain::order::complete::{CompleteOrder, DisposedLine};
use crate::domain::order::preview::{Preview, ResultingStock, gate, preview as decide};
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::repository::read;
use crate::repository::read::authorized::{ReadError, ReadSession};
use crate::rpc::App;
use crate::rpc::call::Call;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::page::Page;
use crate::workers::ReadClass;

/// How many rows of each list were given out so far.
type Position = usize;

struct Asked {
    envelope: Envelope,
    complete: CompleteOrder,
    page: Page<Position>,
}

pub(super) async fn preview(
    app: &App,
    request: Request<v1::PreviewCompletionRequest>,
) -> Result<v1::PreviewCompletionResponse, Status> {
    let (call, request) = Call::open(request)?;
    let Asked { envelope, complete, page } = parse(app, &call, request).map_err(to_status)?;
    let (clock, ids) = (Arc::clone(&app.clock), Arc::clone(&app.ids));
    let read = move |session: &mut ReadSession<'_>| -> Result<(Preview, OrderView), ReadError> {
        let working_set = read::needs_for_caller(session, &envelope, |headers| gate(headers, &envelope, &complete))?;
        let preview = decide(&working_set, &envelope, &complete, clock.now(), &*ids)?;
        let permissions = working_set.permissions_of(&envelope.store, &envelope.principal.id)?;
        let allowed_actions = allowed(&preview.order, permissions);
        let seen = OrderView { order: preview.order.clone(), allowed_actions };
        Ok((preview, seen))
    };
    // It loads every line, whatever page is asked for.
    let (preview, seen) = app.read(&call, ReadClass::Large, read).await?;
    Ok(response(&preview, &seen, &page))
}

fn parse(app: &App, call: &Call, mut request: v1::PreviewCompletionRequest) -> Result<Asked, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let page = Page::of(&app.page_key, &mut request, &mut fields);
    let choices = Choices {
        order: &request.purchase_order_id,
        etag: request.etag,
        lines: &request.lines,
        rest: request.rest,
        cancel_reason: &request.cancel_reason,
        expected_date: &request.expected_date,
    };
    let complete = choices.parse(&mut fields);
    fields.finish()?;
    let envelope = call.submission(store, (None, 0), complete.clone()).envelope;
    Ok(Asked { envelope, complete, page })
}

fn response(preview: &Preview, seen: &OrderView, page: &Page<Position>) -> v1::PreviewCompletionResponse {
    let from = page.after.unwrap_or(0);
    let rows = preview.pending.len().max(preview.stock.len());
    let mut places: Vec<usize> = (from..rows).collect();
    let next_page_token = page.cut(&mut places, |last| last + 1);
    let pending = places.iter().filter_map(|place| preview.pending.get(*place));
    let (number, lines) = preview.back_order.clone().unwrap_or_default();
    v1::PreviewCompletionResponse {
        purchase_order: Some(convert::purchase_order(seen)),
        pending_lines: pending.map(|disposed| pending_line(seen, disposed)).collect(),
        stock: places.iter().filter_map(|place| preview.stock.get(*place)).map(resulting_stock).collect(),
        back_order_number: number,
        back_order_line_count: lines as i32,
        blockers: preview.blockers.iter().map(blocker).collect(),
        next_page_token,
    }
}

fn pending_line(seen: &OrderView, disposed: &DisposedLine) -> v1::PendingLine {
    let DisposedLine { line, disposition } = disposed;
    v1::PendingLine {
        line_number: line.key.number,
        product_id: line.product.to_string(),
        description: line.description.clone(),
        unit: convert::unit(line.unit).into(),
        pending: line.quantities.pending.to_string(),
        unit_cost: line.unit_cost.to_string(),
        pending_cost: line.unit_cost.times(line.quantities.pending),
        expected_date: convert::date(seen.order.expected_date_of(line)),
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
