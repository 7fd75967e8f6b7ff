//! ListRoles and ListGrants.

use tonic::{Request, Response, Status};

use super::fields::{grant, role};
use crate::domain::code::{PrincipalId, StoreId};
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::repository::read::access::{self, GrantPosition};
use crate::rpc::App;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::workers::ReadClass;

pub(super) async fn list_roles(
    app: &App,
    request: Request<v1::ListRolesRequest>,
) -> Result<Response<v1::ListRolesResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let store = parse_roles(&request).map_err(to_status)?;
    let check = call.check(store).map_err(to_status)?;
    let read = app.read(&call, ReadClass::Small, move |session| access::roles(session, &check)).await?;
    Ok(read.answer(|roles| {
        let roles = roles.iter().map(|(id, permissions)| role(id, permissions)).collect();
        v1::ListRolesResponse { roles }
    }))
}

fn parse_roles(request: &v1::ListRolesRequest) -> Result<StoreId, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    fields.finish()?;
    Ok(store)
}

pub(super) async fn list_grants(
    app: &App,
    request: Request<v1::ListGrantsRequest>,
) -> Result<Response<v1::ListGrantsResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let ListGrants { store, principal, page } = parse_grants(app, request).map_err(to_status)?;
    let check = call.check(store).map_err(to_status)?;
    let asked = page.clone();
    let read = app
        .read(&call, page.class(), move |session| {
            access::grants(session, &check, principal.as_ref(), asked.after.as_ref(), asked.limit())
        })
        .await?;
    Ok(read.answer(|mut grants| {
        let next_page_token = page.cut(&mut grants, |(principal, role)| (principal.to_string(), role.to_string()));
        let grants = grants.iter().map(|(principal, role)| grant(principal, role)).collect();
        v1::ListGrantsResponse { grants, next_page_token }
    }))
}

struct ListGrants {
    store: StoreId,
    /// Only this principal's grants, if set.
    principal: Option<PrincipalId>,
    page: Page<GrantPosition>,
}

fn parse_grants(app: &App, mut request: v1::ListGrantsRequest) -> Result<ListGrants, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let page = Page::of(&app.page_key, &mut request, &mut fields);
    let principal = fields.optional_principal("principal", &request.principal);
    fields.finish()?;
    Ok(ListGrants { store, principal, page })
}
