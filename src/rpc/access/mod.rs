//! AccessService: the roles of a store, what they allow, and who holds them.

mod create_role;
mod delete_role;
mod fields;
mod grant_role;
mod reads;
mod revoke_role;
mod update_role;

use tonic::{Request, Response, Status};

use super::Service;
use crate::proto::v1;
use crate::proto::v1::access_service_server::AccessService;

#[tonic::async_trait]
impl AccessService for Service {
    async fn create_role(
        &self,
        request: Request<v1::CreateRoleRequest>,
    ) -> Result<Response<v1::CreateRoleResponse>, Status> {
        create_role::create_role(&self.0, request).await
    }

    async fn update_role(
        &self,
        request: Request<v1::UpdateRoleRequest>,
    ) -> Result<Response<v1::UpdateRoleResponse>, Status> {
        update_role::update_role(&self.0, request).await
    }

    async fn delete_role(
        &self,
        request: Request<v1::DeleteRoleRequest>,
    ) -> Result<Response<v1::DeleteRoleResponse>, Status> {
        delete_role::delete_role(&self.0, request).await
    }

    async fn list_roles(
        &self,
        request: Request<v1::ListRolesRequest>,
    ) -> Result<Response<v1::ListRolesResponse>, Status> {
        reads::list_roles(&self.0, request).await
    }

    async fn grant_role(
        &self,
        request: Request<v1::GrantRoleRequest>,
    ) -> Result<Response<v1::GrantRoleResponse>, Status> {
        grant_role::grant_role(&self.0, request).await
    }

    async fn revoke_role(
        &self,
        request: Request<v1::RevokeRoleRequest>,
    ) -> Result<Response<v1::RevokeRoleResponse>, Status> {
        revoke_role::revoke_role(&self.0, request).await
    }

    async fn list_grants(
        &self,
        request: Request<v1::ListGrantsRequest>,
    ) -> Result<Response<v1::ListGrantsResponse>, Status> {
        reads::list_grants(&self.0, request).await
    }
}
