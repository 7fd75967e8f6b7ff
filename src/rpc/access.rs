//! AccessService.

use std::collections::BTreeSet;

use tonic::{Request, Response, Status};

use super::call::{Call, IdempotentRequest, Submission};
use super::errors::to_status;
use super::field_parser::FieldParser;
use super::page::Page;
use super::{Service, caps, class_of_page, convert};
use crate::domain::access::Permission;
use crate::domain::access::create_role::CreateRole;
use crate::domain::access::delete_role::DeleteRole;
use crate::domain::access::grants::{GrantRole, RevokeRole};
use crate::domain::access::update_role::UpdateRole;
use crate::domain::code::{PrincipalId, RoleId, StoreId};
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::proto::v1::access_service_server::AccessService;
use crate::repository::read::access::{self, GrantPosition};
use crate::repository::read::authorized::ReadSession;
use crate::workers::ReadClass;

#[tonic::async_trait]
impl AccessService for Service {
    async fn create_role(
        &self,
        request: Request<v1::CreateRoleRequest>,
    ) -> Result<Response<v1::CreateRoleResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let (submission, create) = parse_create(&call, &mut request).map_err(to_status)?;
        let reply = self.0.submit(&call, submission).await?;
        let role = Some(role(&create.role, create.permissions));
        Ok(Response::new(v1::CreateRoleResponse { role, event_number: reply.outcome.event() }))
    }

    async fn update_role(
        &self,
        request: Request<v1::UpdateRoleRequest>,
    ) -> Result<Response<v1::UpdateRoleResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let (submission, update) = parse_update(&call, &mut request).map_err(to_status)?;
        let reply = self.0.submit(&call, submission).await?;
        let role = Some(role(&update.role, update.permissions));
        Ok(Response::new(v1::UpdateRoleResponse { role, event_number: reply.outcome.event() }))
    }

    async fn delete_role(
        &self,
        request: Request<v1::DeleteRoleRequest>,
    ) -> Result<Response<v1::DeleteRoleResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let (store, idempotency) = (fields.store_id(&request.store_id), request.idempotency(&mut fields));
        let role = fields.role_id(&request.role_id);
        fields.finish().map_err(to_status)?;
        let reply = self.0.submit(&call, call.submission(store, idempotency, DeleteRole { role })).await?;
        Ok(Response::new(v1::DeleteRoleResponse { event_number: reply.outcome.event() }))
    }

    async fn list_roles(
        &self,
        request: Request<v1::ListRolesRequest>,
    ) -> Result<Response<v1::ListRolesResponse>, Status> {
        let (call, request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let store = fields.store_id(&request.store_id);
        fields.finish().map_err(to_status)?;
        let check = call.check(store).map_err(to_status)?;
        let roles = self.0.read(&call, ReadClass::Small, move |session| access::roles(session, &check)).await?;
        let roles = roles.into_iter().map(|(id, permissions)| role(&id, permissions)).collect();
        Ok(Response::new(v1::ListRolesResponse { roles }))
    }

    async fn grant_role(
        &self,
        request: Request<v1::GrantRoleRequest>,
    ) -> Result<Response<v1::GrantRoleResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let (store, idempotency) = (fields.store_id(&request.store_id), request.idempotency(&mut fields));
        let (principal, role) = holder(&mut fields, &request.principal, &request.role_id);
        fields.finish().map_err(to_status)?;
        let granted = grant(&principal, &role);
        let reply = self.0.submit(&call, call.submission(store, idempotency, GrantRole { principal, role })).await?;
        Ok(Response::new(v1::GrantRoleResponse { grant: Some(granted), event_number: reply.outcome.event() }))
    }

    async fn revoke_role(
        &self,
        request: Request<v1::RevokeRoleRequest>,
    ) -> Result<Response<v1::RevokeRoleResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let (store, idempotency) = (fields.store_id(&request.store_id), request.idempotency(&mut fields));
        let (principal, role) = holder(&mut fields, &request.principal, &request.role_id);
        fields.finish().map_err(to_status)?;
        let reply = self.0.submit(&call, call.submission(store, idempotency, RevokeRole { principal, role })).await?;
        Ok(Response::new(v1::RevokeRoleResponse { event_number: reply.outcome.event() }))
    }

    async fn list_grants(
        &self,
        request: Request<v1::ListGrantsRequest>,
    ) -> Result<Response<v1::ListGrantsResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let store: StoreId = fields.store_id(&request.store_id);
        let page: Page<GrantPosition> = Page::of(&self.0.page_key, &mut request, &mut fields);
        let of = fields.optional_principal("principal", &request.principal);
        fields.finish().map_err(to_status)?;
        let (check, asked) = (call.check(store).map_err(to_status)?, page.clone());
        let list = move |session: &mut ReadSession<'_>| {
            access::grants(session, &check, of.as_ref(), asked.after.as_ref(), asked.limit())
        };
        let mut found = self.0.read(&call, class_of_page(&page), list).await?;
        let next_page_token = page.cut(&mut found, |(principal, role)| (principal.to_string(), role.to_string()));
        let grants = found.iter().map(|(principal, role)| grant(principal, role)).collect();
        Ok(Response::new(v1::ListGrantsResponse { grants, next_page_token }))
    }
}

fn parse_create(call: &Call, request: &mut v1::CreateRoleRequest) -> Result<(Submission, CreateRole), Refusal> {
    let mut fields = FieldParser::default();
    let (store, idempotency) = (fields.store_id(&request.store_id), request.idempotency(&mut fields));
    let create = CreateRole {
        role: fields.role_id(&request.role_id),
        permissions: permissions(&mut fields, &request.permissions),
    };
    fields.finish()?;
    Ok((call.submission(store, idempotency, create.clone()), create))
}

fn parse_update(call: &Call, request: &mut v1::UpdateRoleRequest) -> Result<(Submission, UpdateRole), Refusal> {
    let mut fields = FieldParser::default();
    let (store, idempotency) = (fields.store_id(&request.store_id), request.idempotency(&mut fields));
    let role = fields.role_id(&request.role_id);
    fields.mask(request.update_mask.as_ref(), &["permissions"]);
    let update = UpdateRole { role, permissions: permissions(&mut fields, &request.permissions) };
    fields.finish()?;
    Ok((call.submission(store, idempotency, update.clone()), update))
}

/// What a role is to allow: at least one permission, each once.
fn permissions(fields: &mut FieldParser, wire: &[i32]) -> BTreeSet<Permission> {
    let mut permissions = BTreeSet::new();
    for (index, number) in fields.capped(caps::PERMISSIONS, wire).iter().enumerate() {
        let field = format_args!("permissions[{index}]");
        let known = fields.known(field, convert::permission_of(*number), "a Permission other than UNSPECIFIED");
        if let Some(again) = known.filter(|permission| !permissions.insert(*permission)) {
            fields.violation(field, format_args!("names {again} a second time"));
        }
    }
    if wire.is_empty() {
        fields.violation("permissions", "must name at least one permission");
    }
    permissions
}

fn holder(fields: &mut FieldParser, principal: &str, role: &str) -> (PrincipalId, RoleId) {
    (fields.principal("principal", principal), fields.role_id(role))
}

fn role(id: &RoleId, permissions: impl IntoIterator<Item = Permission>) -> v1::Role {
    let permissions = permissions.into_iter().map(|permission| convert::permission(permission).into());
    v1::Role { role_id: id.to_string(), permissions: permissions.collect() }
}

fn grant(principal: &PrincipalId, role: &RoleId) -> v1::Grant {
    v1::Grant { principal: principal.to_string(), role_id: role.to_string() }
}
