//! InventoryService: stock levels and the stock ledger. It has reads alone: stock changes when purchase
//! orders change.

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
        reads::level(&self.0, request).await.map(Response::new)
    }

    async fn list_inventory_levels(
        &self,
        request: Request<v1::ListInventoryLevelsRequest>,
    ) -> Result<Response<v1::ListInventoryLevelsResponse>, Status> {
        reads::levels(&self.0, request).await.map(Response::new)
    }

    async fn list_stock_movements(
        &self,
        request: Request<v1::ListStockMovementsRequest>,
    ) -> Result<Response<v1::ListStockMovementsResponse>, Status> {
        reads::movements(&self.0, request).await.map(Response::new)
    }
}
