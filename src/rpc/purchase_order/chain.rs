//! GetBackOrderChain: headers and rolled-up lines, paged in step.

use tonic::{Request, Status};

use super::reads::{of_order, seen};
use crate::domain::command::OrderView;
use crate::domain::order::chain::ChainLine;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::repository::read::authorized::ReadSession;
use crate::repository::read::chain::{self, ChainPosition};
use crate::rpc::call::Call;
use crate::rpc::errors::to_status;
use crate::rpc::page::Page;
use crate::rpc::{App, convert};
use crate::workers::ReadClass;

/// The place in the chain of the last header that was given out, and the number of the last line.
type Position = (i32, i32);

/// Before the original order and its first line.
const START: Position = (-1, 0);

pub(super) async fn chain(
    app: &App,
    request: Request<v1::GetBackOrderChainRequest>,
) -> Result<v1::GetBackOrderChainResponse, Status> {
    let (call, mut request) = Call::open(request)?;
    let (key, page): (_, Page<Position>) =
        of_order(app, &mut request, |it| (&it.store_id, &it.purchase_order_id)).map_err(to_status)?;
    let (check, asked) = (call.check(key.store).map_err(to_status)?, page.clone());
    let read = move |session: &mut ReadSession<'_>| {
        let (order, line) = asked.after.unwrap_or(START);
        let after = ChainPosition { order, line };
        let (authorized, found) = chain::page(session, &check, key.order, after, asked.limit() as i32)?;
        // Behind the first page there may be no more headers; the order was there for the first one.
        if found.orders.is_empty() && asked.after.is_none() {
            return Err(Refusal::OrderNotFound.into());
        }
        let orders: Vec<OrderView> = found.orders.into_iter().map(|order| seen(order, &authorized)).collect();
        Ok((orders, found.lines))
    };
    let (mut orders, mut lines) = app.read(&call, ReadClass::Large, read).await?;
    let next_page_token = page.cut(&mut positions(page.after.unwrap_or(START), &orders, &lines), |last| *last);
    orders.truncate(page.size);
    lines.truncate(page.size);
    Ok(v1::GetBackOrderChainResponse {
        purchase_orders: orders.iter().map(convert::purchase_order).collect(),
        lines: lines.iter().map(chain_line).collect(),
        next_page_token,
    })
}

/// Where the two lists stand after each row of the longer one. A list that has ended stays where it
/// ended.
fn positions(start: Position, orders: &[OrderView], lines: &[ChainLine]) -> Vec<Position> {
    let rows = 0..orders.len().max(lines.len());
    let reached = rows.scan(start, |position, row| {
        position.0 = orders.get(row).map_or(position.0, |seen| seen.order.chain_position);
        position.1 = lines.get(row).map_or(position.1, |line| line.number);
        Some(*position)
    });
    reached.collect()
}

fn chain_line(line: &ChainLine) -> v1::ChainLine {
    v1::ChainLine {
        line_number: line.number,
        product_id: line.product.to_string(),
        description: line.description.clone(),
        unit: convert::unit(line.unit).into(),
        ordered: line.ordered.to_string(),
        received: line.received.to_string(),
        on_hand: line.on_hand.to_string(),
        cancelled: line.cancelled.to_string(),
        pending: line.pending.to_string(),
        first_receive_time: convert::maybe_time(line.first_receive_time),
        last_receive_time: convert::maybe_time(line.last_receive_time),
    }
}
