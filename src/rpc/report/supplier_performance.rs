//! GetSupplierPerformance.

use tonic::{Request, Response, Status};

use crate::domain::access::CostVisibility;
use crate::domain::code::StoreId;
use crate::domain::refusal::Refusal;
use crate::domain::report::supplier_performance::{CancelledLines, RejectedLines, SupplierPerformance};
use crate::domain::report::{LeadTime, LineRate, MAX_DAYS, Mean, Period};
use crate::domain::store::Store;
use crate::domain::time::Date;
use crate::proto::v1;
use crate::repository::read::authorized::Authorized;
use crate::repository::read::supplier_performance::{self, Asked, PerformancePosition};
use crate::rpc::costs::PageEnd;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::rpc::{App, convert};
use crate::workers::ReadClass;

pub(super) async fn supplier_performance(
    app: &App,
    request: Request<v1::GetSupplierPerformanceRequest>,
) -> Result<Response<v1::GetSupplierPerformanceResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let Parsed { store, asked, page } = parse(app, request).map_err(to_status)?;
    let selection = call.selection(store).map_err(to_status)?;
    // However few suppliers are on the page: each may have thousands of orders.
    let read = app
        .read_page(&call, ReadClass::Large, move |session| {
            let found = supplier_performance::page(session, &selection, &asked, page.after.as_ref(), page.size)?;
            let next_page_token = found.next.as_ref().map(|next| page.token_after(next)).unwrap_or_default();
            let left_out = found.left_out.iter().map(ToString::to_string).collect();
            Ok((found.rows.iter().map(row).collect(), PageEnd { next_page_token, left_out }))
        })
        .await?;
    Ok(read.answer(|suppliers, PageEnd { next_page_token, left_out }| v1::GetSupplierPerformanceResponse {
        suppliers,
        next_page_token,
        left_out_store_ids: left_out,
    }))
}

struct Parsed {
    /// The store; `None` for all stores of the caller.
    store: Option<StoreId>,
    asked: Asked,
    page: Page<PerformancePosition>,
}

fn parse(app: &App, mut request: v1::GetSupplierPerformanceRequest) -> Result<Parsed, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_selection(&request.store_id);
    let mut page = Page::of(&app.page_key, &mut request, &mut fields);
    if store.is_none() {
        page = page.over_stores();
    }
    let supplier = fields.optional_supplier_id("supplier_id", &request.supplier_id);
    let period = parse_period(&mut fields, &request);
    let now = app.clock.now();
    // Without a period there is a violation.
    fields.finish_with(period.map(|period| Parsed { store, asked: Asked { period, supplier, now }, page }))
}

fn parse_period(fields: &mut FieldParser, request: &v1::GetSupplierPerformanceRequest) -> Option<Period> {
    let from = required_date(fields, "order_date_from", &request.order_date_from);
    let before = required_date(fields, "order_date_before", &request.order_date_before);
    let period = Period::new(from?, before?);
    fields.known("order_date_before", period, &format!("1 to {MAX_DAYS} days after order_date_from"))
}

fn required_date(fields: &mut FieldParser, field: &str, value: &str) -> Option<Date> {
    if value.is_empty() {
        fields.violation(field, "is required");
    }
    fields.date(field, value)
}

/// A supplier's figures, with what the caller may see in the store.
fn row((authorized, figures): &(Authorized, SupplierPerformance)) -> (CostVisibility, v1::SupplierPerformance) {
    (authorized.costs(), performance(authorized.store(), figures))
}

fn performance(store: &Store, performance: &SupplierPerformance) -> v1::SupplierPerformance {
    v1::SupplierPerformance {
        store_id: store.id.to_string(),
        supplier_id: performance.supplier.clone(),
        order_count: count(performance.orders),
        back_order_count: count(performance.back_orders),
        line_count: count(performance.lines),
        first_fill_rate: Some(rate(performance.first_fill)),
        final_fill_rate: Some(rate(performance.final_fill)),
        on_time_rate: Some(rate(performance.on_time)),
        lead_time: performance.lead_time.map(lead_time),
        rejected: performance.rejected.iter().map(rejected).collect(),
        cancelled: performance.cancelled.iter().map(cancelled).collect(),
        price_variance: Some(performance.price_variance.to_string()),
        outstanding_cost: Some(performance.outstanding.to_string()),
        currency: store.currency.code().to_owned(),
    }
}

fn rate(rate: LineRate) -> v1::LineRate {
    v1::LineRate { mean: text(rate.mean()), line_count: count(rate.lines) }
}

fn lead_time(time: LeadTime) -> v1::LeadTime {
    v1::LeadTime {
        mean_days: text(time.mean()),
        least_days: count(time.least),
        most_days: count(time.most),
        line_count: count(time.lines),
    }
}

fn rejected(RejectedLines { reason, items, lines }: &RejectedLines) -> v1::RejectedLines {
    v1::RejectedLines {
        reason: convert::reject_reason(*reason).into(),
        item_count: count(*items),
        line_count: count(*lines),
    }
}

fn cancelled(CancelledLines { reason, lines }: &CancelledLines) -> v1::CancelledLines {
    v1::CancelledLines { reason: convert::cancel_reason(*reason), line_count: count(*lines) }
}

fn text(mean: Option<Mean>) -> String {
    mean.map(|mean| mean.to_string()).unwrap_or_default()
}

/// A count as the contract has it. A report is refused long before one is too large for that.
fn count(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
