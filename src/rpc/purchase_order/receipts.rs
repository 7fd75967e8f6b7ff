//! GetReceipt and ListReceipts.

use tonic::{Request, Status};

use super::reads::{of_order, order_key};
use crate::domain::order::ReceiptKey;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::repository::read::authorized::ReadSession;
use crate::repository::read::receipts;
use crate::rpc::call::Call;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::{App, class_of_page, convert};
use crate::workers::ReadClass;

pub(super) async fn get(app: &App, request: Request<v1::GetReceiptRequest>) -> Result<v1::GetReceiptResponse, Status> {
    let (call, request) = Call::open(request)?;
    let key = parse_get(&request).map_err(to_status)?;
    let check = call.check(key.order.store).map_err(to_status)?;
    let get = move |session: &mut ReadSession<'_>| {
        let found = receipts::receipt(session, &check, key.order.order, key.number)?;
        let (order, receipt) = found.ok_or(Refusal::OrderNotFound)?;
        let not_found = || Refusal::ReceiptNotFound { number: order.number, receipt: key.number };
        Ok(receipt.ok_or_else(not_found)?)
    };
    let receipt = app.read(&call, ReadClass::Large, get).await?;
    Ok(v1::GetReceiptResponse { receipt: Some(convert::receipt(&receipt)) })
}

fn parse_get(request: &v1::GetReceiptRequest) -> Result<ReceiptKey, Refusal> {
    let mut fields = FieldParser::default();
    let order = order_key(&mut fields, &request.store_id, &request.purchase_order_id);
    let number = fields.receipt_number(request.receipt_number);
    fields.finish()?;
    Ok(ReceiptKey { order, number })
}

pub(super) async fn list(
    app: &App,
    request: Request<v1::ListReceiptsRequest>,
) -> Result<v1::ListReceiptsResponse, Status> {
    let (call, mut request) = Call::open(request)?;
    let (key, page) = of_order(app, &mut request, |it| (&it.store_id, &it.purchase_order_id)).map_err(to_status)?;
    let (check, asked) = (call.check(key.store).map_err(to_status)?, page.clone());
    let list = move |session: &mut ReadSession<'_>| {
        let after = asked.after.unwrap_or(0);
        let found = receipts::list(session, &check, key.order, request.active_only, after, asked.limit())?;
        Ok(found.ok_or(Refusal::OrderNotFound)?)
    };
    let mut found = app.read(&call, class_of_page(&page), list).await?;
    let next_page_token = page.cut(&mut found, |(last, _)| last.key.number);
    let receipts = found.iter().map(|(receipt, items)| convert::receipt_header(receipt, *items)).collect();
    Ok(v1::ListReceiptsResponse { receipts, next_page_token })
}
