//! StoreService.

use tonic::{Request, Response, Status};

use super::call::{Call, IdempotentRequest, Submission};
use super::errors::to_status;
use super::field_parser::FieldParser;
use super::page::Page;
use super::{Service, class_of_page, convert};
use crate::domain::refusal::Refusal;
use crate::domain::store::back_orders::{DisableBackOrders, EnableBackOrders};
use crate::domain::store::create::CreateStore;
use crate::domain::store::update::UpdateStore;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::proto::v1::store_service_server::StoreService;
use crate::repository::read::authorized::ReadSession;
use crate::repository::read::stores;
use crate::workers::ReadClass;

#[tonic::async_trait]
impl StoreService for Service {
    async fn create_store(
        &self,
        request: Request<v1::CreateStoreRequest>,
    ) -> Result<Response<v1::CreateStoreResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let reply = self.0.submit(&call, parse_create(&call, &mut request).map_err(to_status)?).await?;
        let store = Some(convert::store(&reply.store));
        Ok(Response::new(v1::CreateStoreResponse { store, event_number: reply.outcome.event() }))
    }

    async fn get_store(&self, request: Request<v1::GetStoreRequest>) -> Result<Response<v1::GetStoreResponse>, Status> {
        let (call, request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let store = fields.store_id(&request.store_id);
        fields.finish().map_err(to_status)?;
        let check = call.check(store).map_err(to_status)?;
        let store = self.0.read(&call, ReadClass::Small, move |session| stores::store(session, &check)).await?;
        Ok(Response::new(v1::GetStoreResponse { store: Some(convert::store(&store)) }))
    }

    async fn list_stores(
        &self,
        request: Request<v1::ListStoresRequest>,
    ) -> Result<Response<v1::ListStoresResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let page: Page<String> = Page::of(&self.0.page_key, &mut request, &mut fields);
        fields.finish().map_err(to_status)?;
        let (principal, asked) = (call.principal.clone(), page.clone());
        let list = move |session: &mut ReadSession<'_>| {
            stores::list(session, &principal, asked.after.as_deref().unwrap_or(""), asked.limit())
        };
        let mut found = self.0.read(&call, class_of_page(&page), list).await?;
        let next_page_token = page.cut(&mut found, |last| last.id.to_string());
        let stores = found.iter().map(convert::store).collect();
        Ok(Response::new(v1::ListStoresResponse { stores, next_page_token }))
    }

    async fn update_store(
        &self,
        request: Request<v1::UpdateStoreRequest>,
    ) -> Result<Response<v1::UpdateStoreResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let reply = self.0.submit(&call, parse_update(&call, &mut request).map_err(to_status)?).await?;
        let store = Some(convert::store(&reply.store));
        Ok(Response::new(v1::UpdateStoreResponse { store, event_number: reply.outcome.event() }))
    }

    async fn enable_back_orders(
        &self,
        request: Request<v1::EnableBackOrdersRequest>,
    ) -> Result<Response<v1::EnableBackOrdersResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let (store, idempotency) = (fields.store_id(&request.store_id), request.idempotency(&mut fields));
        fields.finish().map_err(to_status)?;
        let reply = self.0.submit(&call, call.submission(store, idempotency, EnableBackOrders)).await?;
        let store = Some(convert::store(&reply.store));
        Ok(Response::new(v1::EnableBackOrdersResponse { store, event_number: reply.outcome.event() }))
    }

    async fn disable_back_orders(
        &self,
        request: Request<v1::DisableBackOrdersRequest>,
    ) -> Result<Response<v1::DisableBackOrdersResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let (store, idempotency) = (fields.store_id(&request.store_id), request.idempotency(&mut fields));
        fields.finish().map_err(to_status)?;
        let reply = self.0.submit(&call, call.submission(store, idempotency, DisableBackOrders)).await?;
        let store = Some(convert::store(&reply.store));
        Ok(Response::new(v1::DisableBackOrdersResponse { store, event_number: reply.outcome.event() }))
    }
}

fn parse_create(call: &Call, request: &mut v1::CreateStoreRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let id = fields.store_id(&request.store_id);
    let idempotency = request.idempotency(&mut fields);
    let display_name = fields.text("display_name", &request.display_name, MAX_DESCRIPTION);
    let currency = fields.currency("currency", &request.currency);
    let time_zone = fields.time_zone("time_zone", &request.time_zone);
    let owner = fields.principal("owner_principal", &request.owner_principal);
    let (currency, time_zone) = fields.finish_with(currency.zip(time_zone))?;
    let create = CreateStore { id: id.clone(), display_name, currency, time_zone, owner };
    Ok(call.submission(id, idempotency, create))
}

fn parse_update(call: &Call, request: &mut v1::UpdateStoreRequest) -> Result<Submission, Refusal> {
    let mut fields = FieldParser::default();
    let (store, idempotency) = (fields.store_id(&request.store_id), request.idempotency(&mut fields));
    let mask = fields.mask(request.update_mask.as_ref(), &["display_name", "time_zone"]);
    let display_name = mask.contains("display_name");
    let display_name = display_name.then(|| fields.text("display_name", &request.display_name, MAX_DESCRIPTION));
    let time_zone = mask.contains("time_zone").then(|| fields.time_zone("time_zone", &request.time_zone));
    fields.finish()?;
    Ok(call.submission(store, idempotency, UpdateStore { display_name, time_zone: time_zone.flatten() }))
}
