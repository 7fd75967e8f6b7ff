//! CancelPurchaseOrder.

use tonic::{Request, Status};

use crate::domain::order::cancel::CancelOrder;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::rpc::App;
use crate::rpc::call::{Call, Marked, Submission};
use crate::rpc::convert;
use crate::rpc::errors::to_status;
use crate::rpc::form::Form;

impl Marked for v1::CancelPurchaseOrderRequest {
    const RPC: &'static str = "purchasing.v1.PurchaseOrderService/CancelPurchaseOrder";

    fn request_id(&mut self) -> &mut String {
        &mut self.request_id
    }
}

pub(super) async fn cancel(
    app: &App,
    request: Request<v1::CancelPurchaseOrderRequest>,
) -> Result<v1::CancelPurchaseOrderResponse, Status> {
    let (call, request) = Call::open(request)?;
    let reply = app.submit(&call, parse(&call, request).map_err(to_status)?).await?;
    Ok(v1::CancelPurchaseOrderResponse {
        purchase_order: reply.order.as_ref().map(convert::purchase_order),
        event_number: reply.outcome.event(),
    })
}

fn parse(call: &Call, mut request: v1::CancelPurchaseOrderRequest) -> Result<Submission, Refusal> {
    let mut form = Form::default();
    let store = form.store_id(&request.store_id);
    let mark = request.mark(&mut form);
    let cancel = CancelOrder {
        order: form.order_id(&request.purchase_order_id),
        reason: form.reason("reason", &request.reason),
        etag: request.etag,
    };
    form.finish()?;
    Ok(call.submission(store, mark, cancel))
}
