//! StoreService: stores and their settings.

mod create;
mod disable_back_orders;
mod enable_back_orders;
mod reads;
mod update;

use tonic::{Request, Response, Status};

use super::Service;
use crate::proto::v1;
use crate::proto::v1::store_service_server::StoreService;

#[tonic::async_trait]
impl StoreService for Service {
    async fn create_store(
        &self,
        request: Request<v1::CreateStoreRequest>,
    ) -> Result<Response<v1::CreateStoreResponse>, Status> {
        create::create(&self.0, request).await
    }

    async fn get_store(&self, request: Request<v1::GetStoreRequest>) -> Result<Response<v1::GetStoreResponse>, Status> {
        reads::get(&self.0, request).await
    }

    async fn list_stores(
        &self,
        request: Request<v1::ListStoresRequest>,
    ) -> Result<Response<v1::ListStoresResponse>, Status> {
        reads::list(&self.0, request).await
    }

    async fn update_store(
        &self,
        request: Request<v1::UpdateStoreRequest>,
    ) -> Result<Response<v1::UpdateStoreResponse>, Status> {
        update::update(&self.0, request).await
    }

    async fn enable_back_orders(
        &self,
        request: Request<v1::EnableBackOrdersRequest>,
    ) -> Result<Response<v1::EnableBackOrdersResponse>, Status> {
        enable_back_orders::enable_back_orders(&self.0, request).await
    }

    async fn disable_back_orders(
        &self,
        request: Request<v1::DisableBackOrdersRequest>,
    ) -> Result<Response<v1::DisableBackOrdersResponse>, Status> {
        disable_back_orders::disable_back_orders(&self.0, request).await
    }
}
