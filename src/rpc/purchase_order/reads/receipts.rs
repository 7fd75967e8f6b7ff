//! GetReceipt and ListReceipts.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::{Request, Response, Status};

use crate::domain::order::ReceiptKey;
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::repository::read::receipts::{self, ListedReceipt, ReceiptFilter, ReceiptPosition};
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
                Some(receipt) => Ok((order.number, receipt)),
                None => Err(Refusal::ReceiptNotFound { number: order.number, receipt: number }.into()),
            }
        })
        .await?;
    Ok(read.answer(|(number, receipt)| v1::GetReceiptResponse { receipt: Some(convert::receipt(&receipt, &number)) }))
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
    let (call, request) = Call::open(request)?;
    // The two lists have different keys, so the page is parsed where it is known which one is asked for.
    if request.purchase_order_id.is_empty() {
        of_store(app, &call, request).await
    } else {
        of_order(app, &call, request).await
    }
}

async fn of_order(
    app: &App,
    call: &Call,
    mut request: v1::ListReceiptsRequest,
) -> Result<Response<v1::ListReceiptsResponse>, Status> {
    let mut fields = FieldParser::default();
    let page: Page<i32> = Page::of(&app.page_key, &mut request, &mut fields);
    let key = fields.order_key(&request.store_id, &request.purchase_order_id);
    let filter = parse_filter(&mut fields, &request);
    fields.finish().map_err(to_status)?;
    let check = call.check(key.store).map_err(to_status)?;
    let asked = page.clone();
    let read = app
        .read(call, page.class(), move |session| {
            let after = asked.after.unwrap_or(0);
            let found = receipts::of_order(session, &check, key.order, &filter, after, asked.limit())?;
            Ok(found.ok_or(Refusal::OrderNotFound)?)
        })
        .await?;
    Ok(read.answer(|receipts| response(receipts, &page, |last| last.receipt.key.number)))
}

async fn of_store(
    app: &App,
    call: &Call,
    mut request: v1::ListReceiptsRequest,
) -> Result<Response<v1::ListReceiptsResponse>, Status> {
    let mut fields = FieldParser::default();
    let page: Page<ReceiptPosition> = Page::of(&app.page_key, &mut request, &mut fields);
    let store = fields.store_id(&request.store_id);
    let filter = parse_filter(&mut fields, &request);
    fields.finish().map_err(to_status)?;
    let check = call.check(store).map_err(to_status)?;
    let asked = page.clone();
    let read = app
        .read(call, page.class(), move |session| {
            receipts::of_store(session, &check, &filter, asked.after.as_ref(), asked.limit())
        })
        .await?;
    Ok(read.answer(|receipts| response(receipts, &page, receipts::position)))
}

fn parse_filter(fields: &mut FieldParser, request: &v1::ListReceiptsRequest) -> ReceiptFilter {
    ReceiptFilter {
        active_only: request.active_only,
        delivery_note: fields.optional_text("delivery_note", &request.delivery_note, MAX_DESCRIPTION),
        supplier: fields.optional_supplier_id("supplier_id", &request.supplier_id),
        receive_time_from: fields.time_bound("receive_time_from", request.receive_time_from.as_ref()),
        receive_time_before: fields.time_bound("receive_time_before", request.receive_time_before.as_ref()),
    }
}

fn response<K: Serialize + DeserializeOwned>(
    mut receipts: Vec<ListedReceipt>,
    page: &Page<K>,
    key: impl Fn(&ListedReceipt) -> K,
) -> v1::ListReceiptsResponse {
    let next_page_token = page.cut(&mut receipts, key);
    let listed = receipts.iter().map(|listed| convert::receipt_header(&listed.receipt, &listed.number, listed.items));
    v1::ListReceiptsResponse { receipts: listed.collect(), next_page_token }
}
