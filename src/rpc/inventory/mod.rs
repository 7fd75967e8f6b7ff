//! InventoryService: stock levels, the stock ledger, and what moves stock beside purchase orders.

mod adjust;
mod reads;

use tonic::{Request, Response, Status};

use super::Service;
use crate::proto::v1;
use crate::proto::v1::inventory_service_server::InventoryService;

#[tonic::async_trait]
impl InventoryService for Service {
    async fn get_inventory_level(
        &self,
        request: Request<v1::GetInventoryLevelRequest>,
    ) -> Result<Response<v1::GetInventoryLevelResponse>, Status> {
        reads::level(&self.0, request).await
    }

    async fn list_inventory_levels(
        &self,
        request: Request<v1::ListInventoryLevelsRequest>,
    ) -> Result<Response<v1::ListInventoryLevelsResponse>, Status> {
        reads::levels(&self.0, request).await
    }

    async fn list_inventory_lots(
        &self,
        request: Request<v1::ListInventoryLotsRequest>,
    ) -> Result<Response<v1::ListInventoryLotsResponse>, Status> {
        reads::lots(&self.0, request).await
    }

    async fn adjust_inventory(
        &self,
        request: Request<v1::AdjustInventoryRequest>,
    ) -> Result<Response<v1::AdjustInventoryResponse>, Status> {
        adjust::adjust(&self.0, request).await
    }

    async fn list_stock_movements(
        &self,
        request: Request<v1::ListStockMovementsRequest>,
    ) -> Result<Response<v1::ListStockMovementsResponse>, Status> {
        reads::movements(&self.0, request).await
    }
}
