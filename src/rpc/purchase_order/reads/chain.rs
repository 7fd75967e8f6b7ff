//! GetBackOrderChain: the headers of a chain and its rolled-up lines, two lists that one page token leads
//! through together.

use tonic::{Request, Response, Status};

use super::{OrderPage, view_of};
use crate::domain::command::OrderView;
use crate::domain::order::OrderId;
use crate::domain::order::chain::ChainLine;
use crate::domain::refusal::Refusal;
use crate::domain::time::TimeZone;
use crate::proto::v1;
use crate::repository::read::authorized::{AccessCheck, ReadError, ReadSession};
use crate::repository::read::chain::{self, ChainPosition};
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::rpc::{App, convert};
use crate::workers::ReadClass;

/// A page's key: the chain position of the last header that was returned, and the number of the last line.
type Position = (i32, i32);

/// Before the original order, whose position is 0, and before line 1.
const START: Position = (-1, 0);

pub(in crate::rpc::purchase_order) async fn chain(
    app: &App,
    request: Request<v1::GetBackOrderChainRequest>,
) -> Result<Response<v1::GetBackOrderChainResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let OrderPage { key, page } = parse(app, request).map_err(to_status)?;
    let check = call.check(key.store).map_err(to_status)?;
    let asked = page.clone();
    let read = app.read(&call, ReadClass::Large, move |session| read_page(session, &check, key.order, &asked)).await?;
    Ok(read.answer(|read| response(read, &page)))
}

/// A page of a chain as it was read.
struct ChainRead {
    /// Its headers, in the order of the chain.
    orders: Vec<OrderView>,
    /// Its lines, by number.
    lines: Vec<ChainLine>,
    /// The zone of the store, whose calendar days are counted in.
    zone: TimeZone,
}

/// Cuts both lists, which were loaded with the page's limit, to the page.
fn response(read: ChainRead, page: &Page<Position>) -> v1::GetBackOrderChainResponse {
    let ChainRead { mut orders, mut lines, zone } = read;
    let mut positions = positions(page.after.unwrap_or(START), &orders, &lines);
    let next_page_token = page.cut(&mut positions, |last| *last);
    orders.truncate(page.size);
    lines.truncate(page.size);
    v1::GetBackOrderChainResponse {
        purchase_orders: orders.iter().map(convert::purchase_order).collect(),
        lines: lines.iter().map(|line| chain_line(line, &zone)).collect(),
        next_page_token,
    }
}

fn parse(app: &App, mut request: v1::GetBackOrderChainRequest) -> Result<OrderPage<Position>, Refusal> {
    let mut fields = FieldParser::default();
    let key = fields.order_key(&request.store_id, &request.purchase_order_id);
    let page = Page::of(&app.page_key, &mut request, &mut fields);
    fields.finish()?;
    Ok(OrderPage { key, page })
}

fn read_page(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    any_order: OrderId,
    page: &Page<Position>,
) -> Result<ChainRead, ReadError> {
    let (order, line) = page.after.unwrap_or(START);
    let after = ChainPosition { order, line };
    let (authorized, found) = chain::page(session, check, any_order, after, page.limit() as i32)?;
    // A later page may hold lines alone, and the first page has shown that the order exists.
    if found.orders.is_empty() && page.after.is_none() {
        return Err(Refusal::OrderNotFound.into());
    }
    let orders = found.orders.into_iter().map(|order| view_of(order, &authorized)).collect();
    Ok(ChainRead { orders, lines: found.lines, zone: authorized.into_store().time_zone })
}

/// The position in both lists after each row of the longer one. Where the shorter list has ended, its half
/// of the position stays at its last row, so that a later page asks for nothing more of it.
fn positions(start: Position, orders: &[OrderView], lines: &[ChainLine]) -> Vec<Position> {
    let mut positions = Vec::new();
    let (mut order, mut line) = start;
    for row in 0..orders.len().max(lines.len()) {
        if let Some(view) = orders.get(row) {
            order = view.order.chain_position;
        }
        if let Some(chain_line) = lines.get(row) {
            line = chain_line.number;
        }
        positions.push((order, line));
    }
    positions
}

fn chain_line(line: &ChainLine, zone: &TimeZone) -> v1::ChainLine {
    v1::ChainLine {
        line_number: line.number,
        product_id: line.product.to_string(),
        description: line.description.clone(),
        unit: convert::unit(line.unit).into(),
        ordered: (line.first_ordered + line.amended).to_string(),
        first_ordered: line.first_ordered.to_string(),
        amended: line.amended.to_string(),
        received: line.received.to_string(),
        rejected: line.rejected.to_string(),
        on_hand: line.on_hand.to_string(),
        returned: line.returned.to_string(),
        excess: line.excess.to_string(),
        cancelled: line.cancelled.to_string(),
        pending: line.pending.to_string(),
        first_receive_time: convert::maybe_time(line.first_receive_time),
        last_receive_time: convert::maybe_time(line.last_receive_time),
        days_to_last_receipt: line.days_to_last_receipt(zone),
    }
}
