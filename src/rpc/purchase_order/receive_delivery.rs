//! ReceiveDelivery.

use std::collections::BTreeMap;

use tonic::{Request, Response, Status};

use super::receipt_items::{Orders, parse_items};
use super::receive::known_receipt;
use crate::domain::command::{OrderReply, Reply};
use crate::domain::order::OrderId;
use crate::domain::order::receive::book::DeliveryDetails;
use crate::domain::order::receive::delivery::{MAX_ORDERS, ReceiveDelivery};
use crate::domain::outcome::{Outcome, ReceiptChanged};
use crate::domain::refusal::Refusal;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::{Element, FieldParser};
use crate::rpc::guard::call::{Call, Submission};
use crate::rpc::idempotency::IdempotentRequest;

pub(super) async fn receive_delivery(
    app: &App,
    request: Request<v1::ReceiveDeliveryRequest>,
) -> Result<Response<v1::ReceiveDeliveryResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let submission = parse(&call, request).map_err(to_status)?;
    let reply = app.submit(&call, submission).await?;
    Ok(reply.answer(response))
}

fn response(reply: Reply) -> v1::ReceiveDeliveryResponse {
    // The command has no other outcome, and neither has a replay: the name of the rpc is a part of its fingerprint.
    let Outcome::DeliveryBooked(booked) = &reply.outcome else { return v1::ReceiveDeliveryResponse::default() };
    // The reply has its orders in the order of the receipts, see `Outcome::orders`.
    let of_orders = reply.orders.iter().zip(&booked.receipts);
    v1::ReceiveDeliveryResponse {
        delivery_id: booked.delivery.to_string(),
        orders: of_orders.map(|(of_order, receipt)| delivered_order(of_order, receipt)).collect(),
        same_delivery_note: booked.same_delivery_note.as_ref().map(known_receipt),
    }
}

fn delivered_order(of_order: &OrderReply, booked: &ReceiptChanged) -> v1::DeliveredOrder {
    v1::DeliveredOrder {
        purchase_order: Some(convert::purchase_order(&of_order.view)),
        receipt: convert::booked_receipt(of_order),
        lines: convert::lines_of(of_order),
        event_number: booked.event,
    }
}

fn parse(call: &Call, mut request: v1::ReceiveDeliveryRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    if request.items.is_empty() {
        fields.violation("items", "must name what came");
    }
    let receive = ReceiveDelivery {
        supplier: fields.supplier_id("supplier_id", &request.supplier_id),
        etags: etags(&mut fields, &request.etags),
        items: parse_items(&mut fields, Orders::OfSupplier, &request.items),
        details: DeliveryDetails {
            receive_time: fields.time("receive_time", request.receive_time.as_ref()),
            delivery_note: fields.optional_text("delivery_note", &request.delivery_note, MAX_DESCRIPTION),
            refuse_known_delivery_note: request.refuse_known_delivery_note,
            note: fields.note("note", &request.note),
        },
    };
    // Those of items and of etags together: the gate loads and judges the header of each.
    let orders = receive.named_orders().len();
    if orders > MAX_ORDERS {
        let rule = format_args!("name {orders} orders, with those of etags; at most {MAX_ORDERS} are allowed");
        fields.violation("items", rule);
    }
    fields.finish()?;
    Ok(call.submission(store, idempotency, receive))
}

fn etags(fields: &mut FieldParser, etags: &[v1::PurchaseOrderEtag]) -> BTreeMap<OrderId, String> {
    let mut parsed = BTreeMap::new();
    for (index, of_order) in fields.capped(caps::ETAGS, etags).iter().enumerate() {
        let field = Element::new("etags", index).field("purchase_order_id");
        let Some(order) = fields.order_id_at(field, &of_order.purchase_order_id) else { continue };
        if parsed.insert(order, of_order.etag.clone()).is_some() {
            fields.violation(field, "names an order a second time");
        }
    }
    parsed
}
