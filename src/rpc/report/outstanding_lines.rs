//! ListOutstandingLines.

use std::collections::BTreeMap;

use tonic::{Request, Response, Status};

use crate::domain::access::CostVisibility;
use crate::domain::code::StoreId;
use crate::domain::order::{Line, Order};
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_CODE;
use crate::domain::time::{Date, Timestamp};
use crate::proto::v1;
use crate::repository::read::authorized::Authorized;
use crate::repository::read::outstanding::{self, OutstandingFilter, OutstandingPage, OutstandingPosition};
use crate::rpc::costs::PageEnd;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::rpc::{App, convert};
use crate::workers::ReadClass;

struct ListLines {
    /// The store; `None` for all stores of the caller.
    store: Option<StoreId>,
    filter: OutstandingFilter,
    page: Page<OutstandingPosition>,
}

pub(super) async fn list(
    app: &App,
    request: Request<v1::ListOutstandingLinesRequest>,
) -> Result<Response<v1::ListOutstandingLinesResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let ListLines { store, filter, page } = parse(app, request).map_err(to_status)?;
    let selection = call.selection(store).map_err(to_status)?;
    // Once, so that what counts as overdue and the ages that rows show are of the same present.
    let now = app.clock.now();
    // Rows that a filter passes over are read as well.
    let class = if filter.passes_over_rows() { ReadClass::Large } else { page.class() };
    let read = app
        .read_page(&call, class, move |session| {
            let found = outstanding::lines(session, &selection, &filter, now, page.after.as_ref(), page.size)?;
            let next_page_token = found.next.as_ref().map(|next| page.token_after(next)).unwrap_or_default();
            Ok((rows(&found, now), PageEnd { next_page_token, ..PageEnd::default() }))
        })
        .await?;
    Ok(read.answer(|lines, end| v1::ListOutstandingLinesResponse { lines, next_page_token: end.next_page_token }))
}

fn parse(app: &App, mut request: v1::ListOutstandingLinesRequest) -> Result<ListLines, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_selection(&request.store_id);
    let mut page = Page::of(&app.page_key, &mut request, &mut fields);
    if store.is_none() {
        page = page.over_stores();
    }
    for (field, position) in
        [("chain_position_from", Some(request.chain_position_from)), ("chain_position_to", request.chain_position_to)]
    {
        if position.is_some_and(|position| position < 0) {
            fields.violation(field, "must not be negative");
        }
    }
    let filter = OutstandingFilter {
        supplier: fields.optional_supplier_id("supplier_id", &request.supplier_id),
        product: fields.optional_product_id("product_id", &request.product_id),
        due_from: fields.date("due_from", &request.due_from),
        due_before: fields.date("due_before", &request.due_before),
        overdue: request.overdue,
        // A back order is whatever is behind the original.
        chain_position_from: request.chain_position_from.max(i32::from(request.back_orders_only)),
        chain_position_to: request.chain_position_to,
        // Numbers are made by the service, in upper case.
        number: fields.optional_text("number", &request.number, MAX_CODE).map(|number| number.to_ascii_uppercase()),
        shortfall_only: request.confirmed_shortfall_only,
    };
    fields.finish()?;
    Ok(ListLines { store, filter, page })
}

/// The lines of a page, each with what the caller may see in its store.
fn rows(found: &OutstandingPage, now: Timestamp) -> Vec<(CostVisibility, v1::OutstandingLine)> {
    let stores: BTreeMap<&StoreId, &Authorized> = found.stores.iter().map(|store| (&store.store().id, store)).collect();
    let mut rows = Vec::with_capacity(found.lines.len());
    for (order, line) in &found.lines {
        // Each line is of one of the stores.
        if let Some(store) = stores.get(&order.key.store) {
            rows.push((store.costs(), outstanding_line(store, now, order, line)));
        }
    }
    rows
}

fn outstanding_line(store: &Authorized, now: Timestamp, order: &Order, line: &Line) -> v1::OutstandingLine {
    let zone = &store.store().time_zone;
    let today = zone.date_at(now);
    // Of a day to come, or of none, 0.
    let days_since = |date: Option<Date>| date.map_or(0, |date| today.days_since(date).max(0));
    v1::OutstandingLine {
        store_id: order.key.store.to_string(),
        purchase_order_id: order.key.order.to_string(),
        number: order.number.clone(),
        supplier_id: order.supplier.clone(),
        supplier_reference: order.supplier_reference.clone().unwrap_or_default(),
        chain_position: order.chain_position,
        line_number: line.key.number,
        product_id: line.product.to_string(),
        description: line.description.clone(),
        unit: convert::unit(line.unit).into(),
        pending: line.quantities.pending.to_string(),
        confirmed: line.confirmed.map(|confirmed| confirmed.to_string()).unwrap_or_default(),
        shortfall: line.shortfall().to_string(),
        pending_cost: Some(line.value_of(line.quantities.pending).to_string()),
        currency: order.currency.code().to_owned(),
        due_date: convert::date(order.expected_date_of(line)),
        first_expected_date: convert::date(line.first_expected_date),
        original_order_time: convert::maybe_time(order.original_order_time),
        age_days: days_since(order.original_order_time.map(|time| zone.date_at(time))),
        overdue_days: days_since(order.expected_date_of(line)),
    }
}
