//! ListPurchaseOrderHistory: an order's events, each as the message of its kind.

use tonic::{Request, Response, Status};

use super::OrderPage;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::repository::read::events::PageLimits;
use crate::repository::read::history::{self, HistoryPage};
use crate::rpc::App;
use crate::rpc::errors::to_status;
use crate::rpc::event::message::{self, MAX_STORED_BYTES};
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::workers::ReadClass;

pub(in crate::rpc::purchase_order) async fn list(
    app: &App,
    request: Request<v1::ListPurchaseOrderHistoryRequest>,
) -> Result<Response<v1::ListPurchaseOrderHistoryResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let OrderPage { key, page } = parse(app, request).map_err(to_status)?;
    let check = call.check(key.store).map_err(to_status)?;
    let after = page.after.unwrap_or(0);
    let limits = PageLimits { events: page.size as i64, bytes: MAX_STORED_BYTES };
    // An event may be about all lines of its order, so even a page of a few is a large read.
    let read = app
        .read(&call, ReadClass::Large, move |session| {
            let found = history::page(session, &check, key.order, after, limits)?;
            Ok(found.ok_or(Refusal::OrderNotFound)?)
        })
        .await?;
    Ok(read.answer(|found| response(found, &page)))
}

/// A page's key is the revision of its last event: each event of an order has its own, and none changes.
fn parse(app: &App, mut request: v1::ListPurchaseOrderHistoryRequest) -> Result<OrderPage<i64>, Refusal> {
    let mut fields = FieldParser::default();
    let key = fields.order_key(&request.store_id, &request.purchase_order_id);
    let page = Page::of(&app.page_key, &mut request, &mut fields);
    fields.finish()?;
    Ok(OrderPage { key, page })
}

fn response(found: HistoryPage, page: &Page<i64>) -> v1::ListPurchaseOrderHistoryResponse {
    let HistoryPage { authorized, events, is_last } = found;
    let last = events.last().filter(|_| !is_last).map(history::revision);
    v1::ListPurchaseOrderHistoryResponse {
        events: events.into_iter().map(|event| message::event(event, &authorized)).collect(),
        next_page_token: last.map(|last| page.token_after(&last)).unwrap_or_default(),
    }
}
