//! PurchaseOrderService: purchase orders from draft to completion, their receipts, and the back orders that
//! follow them.

mod amend;
mod cancel;
mod cancel_lines;
mod complete;
mod confirm;
mod copy;
mod correct;
mod create;
mod place;
mod reads;
mod receipt_items;
mod receive;
mod receive_delivery;
mod reopen;
mod update;
mod void;

use tonic::{Request, Response, Status};

use super::Service;
use crate::proto::v1;
use crate::proto::v1::purchase_order_service_server::PurchaseOrderService;

#[tonic::async_trait]
impl PurchaseOrderService for Service {
    async fn create_purchase_order(
        &self,
        request: Request<v1::CreatePurchaseOrderRequest>,
    ) -> Result<Response<v1::CreatePurchaseOrderResponse>, Status> {
        create::create(&self.0, request).await
    }

    async fn update_purchase_order(
        &self,
        request: Request<v1::UpdatePurchaseOrderRequest>,
    ) -> Result<Response<v1::UpdatePurchaseOrderResponse>, Status> {
        update::update(&self.0, request).await
    }

    async fn get_purchase_order(
        &self,
        request: Request<v1::GetPurchaseOrderRequest>,
    ) -> Result<Response<v1::GetPurchaseOrderResponse>, Status> {
        reads::get(&self.0, request).await
    }

    async fn list_purchase_order_lines(
        &self,
        request: Request<v1::ListPurchaseOrderLinesRequest>,
    ) -> Result<Response<v1::ListPurchaseOrderLinesResponse>, Status> {
        reads::lines(&self.0, request).await
    }

    async fn list_purchase_orders(
        &self,
        request: Request<v1::ListPurchaseOrdersRequest>,
    ) -> Result<Response<v1::ListPurchaseOrdersResponse>, Status> {
        reads::list(&self.0, request).await
    }

    async fn amend_purchase_order(
        &self,
        request: Request<v1::AmendPurchaseOrderRequest>,
    ) -> Result<Response<v1::AmendPurchaseOrderResponse>, Status> {
        amend::amend(&self.0, request).await
    }

    async fn confirm_purchase_order(
        &self,
        request: Request<v1::ConfirmPurchaseOrderRequest>,
    ) -> Result<Response<v1::ConfirmPurchaseOrderResponse>, Status> {
        confirm::confirm(&self.0, request).await
    }

    async fn place_purchase_order(
        &self,
        request: Request<v1::PlacePurchaseOrderRequest>,
    ) -> Result<Response<v1::PlacePurchaseOrderResponse>, Status> {
        place::place(&self.0, request).await
    }

    async fn copy_purchase_order(
        &self,
        request: Request<v1::CopyPurchaseOrderRequest>,
    ) -> Result<Response<v1::CopyPurchaseOrderResponse>, Status> {
        copy::copy(&self.0, request).await
    }

    async fn receive_purchase_order(
        &self,
        request: Request<v1::ReceivePurchaseOrderRequest>,
    ) -> Result<Response<v1::ReceivePurchaseOrderResponse>, Status> {
        receive::receive(&self.0, request).await
    }

    async fn receive_delivery(
        &self,
        request: Request<v1::ReceiveDeliveryRequest>,
    ) -> Result<Response<v1::ReceiveDeliveryResponse>, Status> {
        receive_delivery::receive_delivery(&self.0, request).await
    }

    async fn get_receipt(
        &self,
        request: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::GetReceiptResponse>, Status> {
        reads::receipts::get(&self.0, request).await
    }

    async fn list_receipts(
        &self,
        request: Request<v1::ListReceiptsRequest>,
    ) -> Result<Response<v1::ListReceiptsResponse>, Status> {
        reads::receipts::list(&self.0, request).await
    }

    async fn find_receivable(
        &self,
        request: Request<v1::FindReceivableRequest>,
    ) -> Result<Response<v1::FindReceivableResponse>, Status> {
        reads::receivable::find(&self.0, request).await
    }

    async fn void_receipt(
        &self,
        request: Request<v1::VoidReceiptRequest>,
    ) -> Result<Response<v1::VoidReceiptResponse>, Status> {
        void::void(&self.0, request).await
    }

    async fn correct_receipt(
        &self,
        request: Request<v1::CorrectReceiptRequest>,
    ) -> Result<Response<v1::CorrectReceiptResponse>, Status> {
        correct::correct(&self.0, request).await
    }

    async fn preview_completion(
        &self,
        request: Request<v1::PreviewCompletionRequest>,
    ) -> Result<Response<v1::PreviewCompletionResponse>, Status> {
        reads::preview::preview(&self.0, request).await
    }

    async fn complete_purchase_order(
        &self,
        request: Request<v1::CompletePurchaseOrderRequest>,
    ) -> Result<Response<v1::CompletePurchaseOrderResponse>, Status> {
        complete::complete(&self.0, request).await
    }

    async fn cancel_purchase_order(
        &self,
        request: Request<v1::CancelPurchaseOrderRequest>,
    ) -> Result<Response<v1::CancelPurchaseOrderResponse>, Status> {
        cancel::cancel(&self.0, request).await
    }

    async fn cancel_purchase_order_lines(
        &self,
        request: Request<v1::CancelPurchaseOrderLinesRequest>,
    ) -> Result<Response<v1::CancelPurchaseOrderLinesResponse>, Status> {
        cancel_lines::cancel_lines(&self.0, request).await
    }

    async fn reopen_purchase_order(
        &self,
        request: Request<v1::ReopenPurchaseOrderRequest>,
    ) -> Result<Response<v1::ReopenPurchaseOrderResponse>, Status> {
        reopen::reopen(&self.0, request).await
    }

    async fn get_back_order_chain(
        &self,
        request: Request<v1::GetBackOrderChainRequest>,
    ) -> Result<Response<v1::GetBackOrderChainResponse>, Status> {
        reads::chain::chain(&self.0, request).await
    }

    async fn list_purchase_order_history(
        &self,
        request: Request<v1::ListPurchaseOrderHistoryRequest>,
    ) -> Result<Response<v1::ListPurchaseOrderHistoryResponse>, Status> {
        reads::history::list(&self.0, request).await
    }
}
