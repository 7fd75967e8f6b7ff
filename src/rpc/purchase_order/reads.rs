//! GetPurchaseOrder, ListPurchaseOrderLines and ListPurchaseOrders.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::{Request, Status};

use crate::domain::code::StoreId;
use crate::domain::command::OrderView;
use crate::domain::order::actions::allowed;
use crate::domain::order::{Order, OrderKey, State};
use crate::domain::refusal::Refusal;
use crate::domain::text::{MAX_CODE, MAX_DESCRIPTION};
use crate::proto::v1;
use crate::repository::read::authorized::{Authorized, ReadSession};
use crate::repository::read::order_list::{self, OrderFilter, OrderPosition};
use crate::repository::read::orders;
use crate::rpc::call::Call;
use crate::rpc::caps;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::page::{Page, Paged};
use crate::rpc::{App, class_of_page, convert};
use crate::workers::ReadClass;

/// Which order a read is about.
pub(super) fn order_key(fields: &mut FieldParser, store: &str, order: &str) -> OrderKey {
    OrderKey { store: fields.store_id(store), order: fields.order_id(order) }
}

/// Which order a list is of, and which page of it; `ids` are the request's store and order.
pub(super) fn of_order<R: Paged, K: Serialize + DeserializeOwned>(
    app: &App,
    request: &mut R,
    ids: fn(&R) -> (&str, &str),
) -> Result<(OrderKey, Page<K>), Refusal> {
    let mut fields = FieldParser::default();
    let (store, order) = ids(request);
    let key = order_key(&mut fields, store, order);
    let page = Page::of(&app.page_key, request, &mut fields);
    fields.finish()?;
    Ok((key, page))
}

/// A header as the caller may see it.
pub(super) fn seen(order: Order, authorized: &Authorized) -> OrderView {
    let allowed_actions = allowed(&order, authorized.permissions());
    OrderView { order, allowed_actions }
}

pub(super) async fn get(
    app: &App,
    request: Request<v1::GetPurchaseOrderRequest>,
) -> Result<v1::GetPurchaseOrderResponse, Status> {
    let (call, request) = Call::open(request)?;
    let (key, full) = parse_get(&request).map_err(to_status)?;
    let check = call.check(key.store).map_err(to_status)?;
    let (seen, lines) = if full {
        let get = move |session: &mut ReadSession<'_>| {
            let (authorized, found) = orders::order_with_lines(session, &check, key.order)?;
            let (order, lines) = found.ok_or(Refusal::OrderNotFound)?;
            Ok((seen(order, &authorized), lines))
        };
        app.read(&call, ReadClass::Large, get).await?
    } else {
        let get = move |session: &mut ReadSession<'_>| {
            let (authorized, order) = orders::order(session, &check, key.order)?;
            Ok((seen(order.ok_or(Refusal::OrderNotFound)?, &authorized), Vec::new()))
        };
        app.read(&call, ReadClass::Small, get).await?
    };
    Ok(v1::GetPurchaseOrderResponse {
        purchase_order: Some(convert::purchase_order(&seen)),
        lines: lines.iter().map(|line| convert::line(&seen.order, line)).collect(),
    })
}

fn parse_get(request: &v1::GetPurchaseOrderRequest) -> Result<(OrderKey, bool), Refusal> {
    let mut fields = FieldParser::default();
    let key = order_key(&mut fields, &request.store_id, &request.purchase_order_id);
    let view = v1::PurchaseOrderView::try_from(request.view).ok();
    let view = fields.known("view", view, "BASIC, FULL or unspecified");
    fields.finish()?;
    Ok((key, view == Some(v1::PurchaseOrderView::Full)))
}

pub(super) async fn lines(
    app: &App,
    request: Request<v1::ListPurchaseOrderLinesRequest>,
) -> Result<v1::ListPurchaseOrderLinesResponse, Status> {
    let (call, mut request) = Call::open(request)?;
    let (key, page) = of_order(app, &mut request, |it| (&it.store_id, &it.purchase_order_id)).map_err(to_status)?;
    let (check, asked) = (call.check(key.store).map_err(to_status)?, page.clone());
    let list = move |session: &mut ReadSession<'_>| {
        let after = asked.after.unwrap_or(0);
        let found = orders::lines_after(session, &check, key.order, request.pending_only, after, asked.limit())?;
        Ok(found.ok_or(Refusal::OrderNotFound)?)
    };
    let (order, mut lines) = app.read(&call, class_of_page(&page), list).await?;
    let next_page_token = page.cut(&mut lines, |last| last.key.number);
    let lines = lines.iter().map(|line| convert::line(&order, line)).collect();
    Ok(v1::ListPurchaseOrderLinesResponse { lines, next_page_token })
}

pub(super) async fn list(
    app: &App,
    request: Request<v1::ListPurchaseOrdersRequest>,
) -> Result<v1::ListPurchaseOrdersResponse, Status> {
    let (call, mut request) = Call::open(request)?;
    let (store, filter, page) = parse_list(app, &mut request).map_err(to_status)?;
    let (check, asked) = (call.check(store).map_err(to_status)?, page.clone());
    let list = move |session: &mut ReadSession<'_>| {
        let (authorized, orders) = order_list::list(session, &check, &filter, asked.after.as_ref(), asked.limit())?;
        Ok(orders.into_iter().map(|order| seen(order, &authorized)).collect::<Vec<OrderView>>())
    };
    let mut found = app.read(&call, class_of_page(&page), list).await?;
    let next_page_token = page.cut(&mut found, |last| order_list::position(&last.order));
    Ok(v1::ListPurchaseOrdersResponse {
        purchase_orders: found.iter().map(convert::purchase_order).collect(),
        next_page_token,
    })
}

fn parse_list(
    app: &App,
    request: &mut v1::ListPurchaseOrdersRequest,
) -> Result<(StoreId, OrderFilter, Page<OrderPosition>), Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let page = Page::of(&app.page_key, request, &mut fields);
    let filter = OrderFilter {
        states: parse_states(&mut fields, &request.states),
        supplier: fields.optional_supplier_id("supplier_id", &request.supplier_id),
        product: fields.optional_product_id("product_id", &request.product_id),
        number_prefix: fields.optional_text("number_prefix", &request.number_prefix, MAX_CODE),
        supplier_reference: fields.optional_text("supplier_reference", &request.supplier_reference, MAX_DESCRIPTION),
        back_orders_only: request.back_orders_only,
        create_time_from: fields.time_bound("create_time_from", request.create_time_from.as_ref()),
        create_time_before: fields.time_bound("create_time_before", request.create_time_before.as_ref()),
    };
    fields.finish()?;
    Ok((store, filter, page))
}

/// The states, each once however often it is named: databases bound how many values a condition has.
fn parse_states(fields: &mut FieldParser, wire: &[i32]) -> Vec<State> {
    let mut states = Vec::new();
    for (index, wire) in fields.capped(caps::STATES, wire).iter().enumerate() {
        let (field, state) = (format_args!("states[{index}]"), convert::state_of(*wire));
        let known = fields.known(field, state, "a PurchaseOrderState other than UNSPECIFIED");
        states.extend(known.filter(|state| !states.contains(state)));
    }
    states
}
