//! GetPurchaseOrder, ListPurchaseOrderLines and ListPurchaseOrders; the reads of receipts, of chains, of
//! histories and of what a completion would do are in files of their own.

pub(super) mod chain;
pub(super) mod history;
pub(super) mod preview;
pub(super) mod receipts;
pub(super) mod receivable;

use std::collections::BTreeMap;

use tonic::{Request, Response, Status};

use crate::domain::access::CostVisibility;
use crate::domain::code::StoreId;
use crate::domain::command::OrderView;
use crate::domain::order::actions::allowed;
use crate::domain::order::{Line, Order, OrderKey, State};
use crate::domain::refusal::Refusal;
use crate::domain::text::{MAX_CODE, MAX_DESCRIPTION};
use crate::proto::v1;
use crate::repository::read::authorized::selection::StoreSelection;
use crate::repository::read::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use crate::repository::read::order_list::over_stores::list_over_stores;
use crate::repository::read::order_list::{self, OrderFilter, OrderPosition, Sorting};
use crate::repository::read::orders::{self, OrderName};
use crate::rpc::costs::PageEnd;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::rpc::{App, caps, convert};
use crate::workers::ReadClass;

/// A header with the actions that the caller may take now: those that its state and quantities allow and
/// that the caller holds the permission for.
fn view_of(order: Order, authorized: &Authorized) -> OrderView {
    let allowed_actions = allowed(&order, authorized.permissions());
    OrderView { order, allowed_actions }
}

/// A page of a list that belongs to one order.
struct OrderPage<K> {
    key: OrderKey,
    page: Page<K>,
}

pub(super) async fn get(
    app: &App,
    request: Request<v1::GetPurchaseOrderRequest>,
) -> Result<Response<v1::GetPurchaseOrderResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let GetOrder { store, order, is_full } = parse_get(&request).map_err(to_status)?;
    let check = call.check(store).map_err(to_status)?;
    // A header is one row; its lines are up to thousands.
    let class = if is_full { ReadClass::Large } else { ReadClass::Small };
    let read = app
        .read(&call, class, move |session| {
            if is_full { read_with_lines(session, &check, &order) } else { read_header(session, &check, &order) }
        })
        .await?;
    Ok(read.answer(|(view, lines)| v1::GetPurchaseOrderResponse {
        purchase_order: Some(convert::purchase_order(&view)),
        lines: lines.iter().map(|line| convert::line(&view.order, line)).collect(),
        charges: if is_full { convert::charges(&view.order) } else { Vec::new() },
    }))
}

struct GetOrder {
    store: StoreId,
    order: OrderName,
    /// Whether the lines are wanted too (view FULL).
    is_full: bool,
}

fn parse_get(request: &v1::GetPurchaseOrderRequest) -> Result<GetOrder, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let order = parse_order_name(&mut fields, request);
    let view = v1::PurchaseOrderView::try_from(request.view).ok();
    let view = fields.known("view", view, "BASIC, FULL or unspecified");
    fields.finish()?;
    Ok(GetOrder { store, order, is_full: view == Some(v1::PurchaseOrderView::Full) })
}

fn parse_order_name(fields: &mut FieldParser, request: &v1::GetPurchaseOrderRequest) -> OrderName {
    if request.external_id.is_empty() {
        return OrderName::Id(fields.order_id(&request.purchase_order_id));
    }
    if !request.purchase_order_id.is_empty() {
        fields.violation("purchase_order_id", "must be empty with external_id");
    }
    OrderName::ExternalId(fields.optional_own_code("external_id", &request.external_id).unwrap_or_default())
}

fn read_header(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    name: &OrderName,
) -> Result<(OrderView, Vec<Line>), ReadError> {
    let (authorized, order) = orders::order(session, check, name)?;
    let order = order.ok_or(Refusal::OrderNotFound)?;
    Ok((view_of(order, &authorized), Vec::new()))
}

fn read_with_lines(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    name: &OrderName,
) -> Result<(OrderView, Vec<Line>), ReadError> {
    let (authorized, found) = orders::order_with_lines(session, check, name)?;
    let (order, lines) = found.ok_or(Refusal::OrderNotFound)?;
    Ok((view_of(order, &authorized), lines))
}

pub(super) async fn lines(
    app: &App,
    request: Request<v1::ListPurchaseOrderLinesRequest>,
) -> Result<Response<v1::ListPurchaseOrderLinesResponse>, Status> {
    let (call, mut request) = Call::open(request)?;
    let OrderPage { key, page } = parse_lines(app, &mut request).map_err(to_status)?;
    let check = call.check(key.store).map_err(to_status)?;
    let asked = page.clone();
    let read = app
        .read(&call, page.class(), move |session| {
            let after = asked.after.unwrap_or(0);
            let found = orders::lines_after(session, &check, key.order, request.pending_only, after, asked.limit())?;
            Ok(found.ok_or(Refusal::OrderNotFound)?)
        })
        .await?;
    Ok(read.answer(|(order, mut lines)| {
        let next_page_token = page.cut(&mut lines, |last| last.key.number);
        let lines = lines.iter().map(|line| convert::line(&order, line)).collect();
        v1::ListPurchaseOrderLinesResponse { lines, next_page_token }
    }))
}

fn parse_lines(app: &App, request: &mut v1::ListPurchaseOrderLinesRequest) -> Result<OrderPage<i32>, Refusal> {
    let mut fields = FieldParser::default();
    let key = fields.order_key(&request.store_id, &request.purchase_order_id);
    let page = Page::of(&app.page_key, request, &mut fields);
    fields.finish()?;
    Ok(OrderPage { key, page })
}

pub(super) async fn list(
    app: &App,
    request: Request<v1::ListPurchaseOrdersRequest>,
) -> Result<Response<v1::ListPurchaseOrdersResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let ListOrders { store, filter, sorting, page } = parse_list(app, request).map_err(to_status)?;
    let selection = call.selection(store).map_err(to_status)?;
    // Once, and not in the read: if that runs again, both attempts must mean the same present.
    let now = app.clock.now();
    let read = app
        .read_page(&call, page.class(), move |session| {
            let after = page.after.as_ref();
            match &selection {
                StoreSelection::One(check) => {
                    let limit = page.limit();
                    let (store, mut orders) = order_list::list(session, check, &filter, sorting, now, after, limit)?;
                    let next_page_token = page.cut(&mut orders, |last| OrderPosition::of(sorting, last));
                    Ok((rows(&[store], orders), PageEnd { next_page_token, ..PageEnd::default() }))
                }
                StoreSelection::Permitted(_) => {
                    let found = list_over_stores(session, &selection, &filter, sorting, now, after, page.size)?;
                    let next_page_token = found.next.as_ref().map(|next| page.token_after(next)).unwrap_or_default();
                    Ok((rows(&found.stores, found.orders), PageEnd { next_page_token, ..PageEnd::default() }))
                }
            }
        })
        .await?;
    Ok(read.answer(|purchase_orders, end| v1::ListPurchaseOrdersResponse {
        purchase_orders,
        next_page_token: end.next_page_token,
    }))
}

/// The orders of a page, each with what the caller may see in its store, and what they may do with it by their roles there.
fn rows(stores: &[Authorized], orders: Vec<Order>) -> Vec<(CostVisibility, v1::PurchaseOrder)> {
    let stores: BTreeMap<&StoreId, &Authorized> = stores.iter().map(|it| (&it.store().id, it)).collect();
    let mut rows = Vec::with_capacity(orders.len());
    for order in orders {
        // Each order is of one of the stores.
        if let Some(store) = stores.get(&order.key.store) {
            rows.push((store.costs(), convert::purchase_order(&view_of(order, store))));
        }
    }
    rows
}

struct ListOrders {
    /// The store; `None` for all stores of the caller.
    store: Option<StoreId>,
    filter: OrderFilter,
    sorting: Sorting,
    page: Page<OrderPosition>,
}

fn parse_list(app: &App, mut request: v1::ListPurchaseOrdersRequest) -> Result<ListOrders, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_selection(&request.store_id);
    let mut page = Page::of(&app.page_key, &mut request, &mut fields);
    if store.is_none() {
        page = page.over_stores();
    }
    let filter = OrderFilter {
        states: parse_states(&mut fields, &request.states),
        supplier: fields.optional_supplier_id("supplier_id", &request.supplier_id),
        product: fields.optional_product_id("product_id", &request.product_id),
        // Numbers are made by the service, in upper case.
        number_prefix: fields
            .optional_text("number_prefix", &request.number_prefix, MAX_CODE)
            .map(|prefix| prefix.to_ascii_uppercase()),
        // Compared with the stored one in lower case, which both databases fold for ASCII alone: SQLite always does,
        // PostgreSQL by the collation of the column.
        supplier_reference: fields
            .optional_text("supplier_reference", &request.supplier_reference, MAX_DESCRIPTION)
            .map(|reference| reference.to_ascii_lowercase()),
        back_orders_only: request.back_orders_only,
        create_time_from: fields.time_bound("create_time_from", request.create_time_from.as_ref()),
        create_time_before: fields.time_bound("create_time_before", request.create_time_before.as_ref()),
        expected_from: fields.date("expected_from", &request.expected_from),
        expected_before: fields.date("expected_before", &request.expected_before),
        overdue: request.overdue,
        external_id: fields.optional_own_code("external_id", &request.external_id),
    };
    let sorting = parse_sorting(&mut fields, request.order_by);
    fields.finish()?;
    Ok(ListOrders { store, filter, sorting, page })
}

fn parse_sorting(fields: &mut FieldParser, wire: i32) -> Sorting {
    let sorting = v1::PurchaseOrderSorting::try_from(wire).ok();
    match fields.known("order_by", sorting, "NEWEST, EXPECTED_DATE or unspecified") {
        Some(v1::PurchaseOrderSorting::ExpectedDate) => Sorting::ExpectedDate,
        _ => Sorting::Newest,
    }
}

/// The states, each once however often it is named: databases bound how many values a condition has.
fn parse_states(fields: &mut FieldParser, wire: &[i32]) -> Vec<State> {
    let mut states = Vec::new();
    for (index, number) in fields.capped(caps::STATES, wire).iter().enumerate() {
        let field = format_args!("states[{index}]");
        let state = convert::state_of(*number);
        let known = fields.known(field, state, "a PurchaseOrderState other than UNSPECIFIED");
        let Some(state) = known else { continue };
        if !states.contains(&state) {
            states.push(state);
        }
    }
    states
}
