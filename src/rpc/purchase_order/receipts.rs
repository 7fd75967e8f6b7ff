//! GetReceipt and ListReceipts.

use tonic::{Request, Status};

use super::reads::{of_order, order_key};
use crate::domain::order::receipt::Receipt;
use crate::domain::order::{OrderKey, ReceiptKey};
use crate::domain::refusal::Refusal;
use crate::lanes::ReadError;
use crate::proto::v1;
use crate::repository::read::{orders, receipts};
use crate::repository::session::Session;
use crate::rpc::call::Call;
use crate::rpc::errors::to_status;
use crate::rpc::form::Form;
use crate::rpc::page::Paged;
use crate::rpc::{App, admitted, convert};

impl Paged for v1::ListReceiptsRequest {
    const RPC: &'static str = "purchasing.v1.PurchaseOrderService/ListReceipts";

    fn page_fields(&mut self) -> (&mut i32, &mut String) {
        (&mut self.page_size, &mut self.page_token)
    }
}

pub(super) async fn get(app: &App, request: Request<v1::GetReceiptRequest>) -> Result<v1::GetReceiptResponse, Status> {
    let (call, request) = Call::open(request)?;
    let key = parse_get(&request).map_err(to_status)?;
    let caller = call.caller.clone();
    let read = move |session: &mut Session| -> Result<Receipt, ReadError> {
        admitted(session, &key.order.store, &caller)?;
        let order = orders::order(session, &key.order)?.ok_or(Refusal::OrderNotFound)?;
        let not_found = || Refusal::ReceiptNotFound { number: order.number, receipt: key.number };
        Ok(receipts::receipt(session, &key)?.ok_or_else(not_found)?)
    };
    let receipt = app.read(&call, read).await?;
    Ok(v1::GetReceiptResponse { receipt: Some(convert::receipt(&receipt)) })
}

fn parse_get(request: &v1::GetReceiptRequest) -> Result<ReceiptKey, Refusal> {
    let mut form = Form::default();
    let order = order_key(&mut form, &request.store_id, &request.purchase_order_id);
    let number = form.receipt_number(request.receipt_number);
    form.finish()?;
    Ok(ReceiptKey { order, number })
}

pub(super) async fn list(
    app: &App,
    request: Request<v1::ListReceiptsRequest>,
) -> Result<v1::ListReceiptsResponse, Status> {
    let (call, mut request) = Call::open(request)?;
    let (key, page) = of_order(app, &mut request, |it| (&it.store_id, &it.purchase_order_id)).map_err(to_status)?;
    let (caller, asked) = (call.caller.clone(), page.clone());
    let read = move |session: &mut Session| -> Result<Vec<(Receipt, i32)>, ReadError> {
        admitted(session, &key.store, &caller)?;
        orders::order(session, &key)?.ok_or(Refusal::OrderNotFound)?;
        let after = asked.after.unwrap_or(0);
        let found = receipts::list(session, &key, request.standing_only, after, asked.limit())?;
        counted(session, &key, found)
    };
    let mut found = app.read(&call, read).await?;
    let next_page_token = page.cut(&mut found, |(last, _)| last.key.number);
    let receipts = found.iter().map(|(receipt, items)| convert::receipt_header(receipt, *items)).collect();
    Ok(v1::ListReceiptsResponse { receipts, next_page_token })
}

/// Receipts, each with how many items it has.
fn counted(session: &mut Session, order: &OrderKey, found: Vec<Receipt>) -> Result<Vec<(Receipt, i32)>, ReadError> {
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return Ok(Vec::new()) };
    let counts = receipts::item_counts(session, order, first.key.number, last.key.number)?;
    let with_count = |receipt: Receipt| {
        let count = counts.get(&receipt.key.number).copied().unwrap_or_default();
        (receipt, count as i32)
    };
    Ok(found.into_iter().map(with_count).collect())
}
