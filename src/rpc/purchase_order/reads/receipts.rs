//! GetReceipt and ListReceipts.

use tonic::{Request, Response, Status};

use super::OrderPage;
use crate::domain::order::ReceiptKey;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::repository::read::receipts;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::rpc::{App, convert};
use crate::workers::ReadClass;

pub(in crate::rpc::purchase_order) async fn get(
    app: &App,
    request: Request<v1::GetReceiptRequest>,
) -> Result<Response<v1::GetReceiptResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let ReceiptKey { order, number } = parse_get(&request).map_err(to_status)?;
    let check = call.check(order.store).map_err(to_status)?;
    // A receipt may have as many items as its order has lines.
    let read = app
        .read(&call, ReadClass::Large, move |session| {
            let found = receipts::receipt(session, &check, order.order, number)?;
            let (order, receipt) = found.ok_or(Refusal::OrderNotFound)?;
            match receipt {
                Some(receipt) => Ok(receipt),
                None => Err(Refusal::ReceiptNotFound { number: order.number, receipt: number }.into()),
            }
        })
        .await?;
    Ok(read.answer(|receipt| v1::GetReceiptResponse { receipt: Some(convert::receipt(&receipt)) }))
}

fn parse_get(request: &v1::GetReceiptRequest) -> Result<ReceiptKey, Refusal> {
    let mut fields = FieldParser::default();
    let order = fields.order_key(&request.store_id, &request.purchase_order_id);
    let number = fields.receipt_number(request.receipt_number);
    fields.finish()?;
    Ok(ReceiptKey { order, number })
}

pub(in crate::rpc::purchase_order) async fn list(
    app: &App,
    request: Request<v1::ListReceiptsRequest>,
) -> Result<Response<v1::ListReceiptsResponse>, Status> {
    let (call, mut request) = Call::open(request)?;
    let OrderPage { key, page } = parse_list(app, &mut request).map_err(to_status)?;
    let check = call.check(key.store).map_err(to_status)?;
    let asked = page.clone();
    let read = app
        .read(&call, page.class(), move |session| {
            let after = asked.after.unwrap_or(0);
            let found = receipts::list(session, &check, key.order, request.active_only, after, asked.limit())?;
            Ok(found.ok_or(Refusal::OrderNotFound)?)
        })
        .await?;
    Ok(read.answer(|mut receipts| {
        let next_page_token = page.cut(&mut receipts, |(last, _)| last.key.number);
        let receipts = receipts.iter().map(|(receipt, items)| convert::receipt_header(receipt, *items)).collect();
        v1::ListReceiptsResponse { receipts, next_page_token }
    }))
}

fn parse_list(app: &App, request: &mut v1::ListReceiptsRequest) -> Result<OrderPage<i32>, Refusal> {
    let mut fields = FieldParser::default();
    let key = fields.order_key(&request.store_id, &request.purchase_order_id);
    let page = Page::of(&app.page_key, request, &mut fields);
    fields.finish()?;
    Ok(OrderPage { key, page })
}
