//! InventoryService.

use tonic::{Request, Response, Status};

use super::call::Call;
use super::errors::to_status;
use super::form::Form;
use super::page::{Page, Paged};
use super::{Service, admitted, caps, convert};
use crate::domain::code::ProductId;
use crate::domain::inventory::{Level, LevelKey, Movement};
use crate::domain::refusal::Refusal;
use crate::lanes::ReadError;
use crate::proto::v1;
use crate::proto::v1::inventory_service_server::InventoryService;
use crate::repository::read::inventory;
use crate::repository::session::Session;

impl Paged for v1::ListInventoryLevelsRequest {
    const RPC: &'static str = "purchasing.v1.InventoryService/ListInventoryLevels";

    fn page_fields(&mut self) -> (&mut i32, &mut String) {
        (&mut self.page_size, &mut self.page_token)
    }
}

impl Paged for v1::ListStockMovementsRequest {
    const RPC: &'static str = "purchasing.v1.InventoryService/ListStockMovements";

    fn page_fields(&mut self) -> (&mut i32, &mut String) {
        (&mut self.page_size, &mut self.page_token)
    }
}

#[tonic::async_trait]
impl InventoryService for Service {
    async fn get_inventory_level(
        &self,
        request: Request<v1::GetInventoryLevelRequest>,
    ) -> Result<Response<v1::GetInventoryLevelResponse>, Status> {
        let (call, request) = Call::open(request)?;
        let mut form = Form::default();
        let key = level_key(&mut form, &request.store_id, &request.product_id);
        form.finish().map_err(to_status)?;
        let caller = call.caller.clone();
        let read = move |session: &mut Session| -> Result<Level, ReadError> {
            admitted(session, &key.store, &caller)?;
            existing_level(session, &key)
        };
        let level = self.0.read(&call, read).await?;
        Ok(Response::new(v1::GetInventoryLevelResponse { inventory_level: Some(convert::level(&level)) }))
    }

    async fn list_inventory_levels(
        &self,
        request: Request<v1::ListInventoryLevelsRequest>,
    ) -> Result<Response<v1::ListInventoryLevelsResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut form = Form::default();
        let store = form.store_id(&request.store_id);
        let page: Page<String> = Page::of(&self.0.page_key, &mut request, &mut form);
        let products = products(&mut form, &request.product_ids);
        form.finish().map_err(to_status)?;
        let (caller, asked) = (call.caller.clone(), page.clone());
        let read = move |session: &mut Session| -> Result<Vec<Level>, ReadError> {
            admitted(session, &store, &caller)?;
            Ok(inventory::levels(session, &store, &products, asked.after.as_deref(), asked.limit())?)
        };
        let mut levels = self.0.read(&call, read).await?;
        let next_page_token = page.cut(&mut levels, |last| last.key.product.to_string());
        let inventory_levels = levels.iter().map(convert::level).collect();
        Ok(Response::new(v1::ListInventoryLevelsResponse { inventory_levels, next_page_token }))
    }

    async fn list_stock_movements(
        &self,
        request: Request<v1::ListStockMovementsRequest>,
    ) -> Result<Response<v1::ListStockMovementsResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut form = Form::default();
        let key = level_key(&mut form, &request.store_id, &request.product_id);
        let page: Page<i64> = Page::of(&self.0.page_key, &mut request, &mut form);
        form.finish().map_err(to_status)?;
        let (caller, asked) = (call.caller.clone(), page.clone());
        let read = move |session: &mut Session| -> Result<Vec<Movement>, ReadError> {
            admitted(session, &key.store, &caller)?;
            existing_level(session, &key)?;
            Ok(inventory::movements(session, &key, asked.after.unwrap_or(0), asked.limit())?)
        };
        let mut movements = self.0.read(&call, read).await?;
        let next_page_token = page.cut(&mut movements, |last| last.number);
        let stock_movements = movements.iter().map(convert::movement).collect();
        Ok(Response::new(v1::ListStockMovementsResponse { stock_movements, next_page_token }))
    }
}

fn level_key(form: &mut Form, store: &str, product: &str) -> LevelKey {
    LevelKey { store: form.store_id(store), product: form.product_id("product_id", product) }
}

fn products(form: &mut Form, products: &[String]) -> Vec<ProductId> {
    let products = form.capped(caps::PRODUCTS, products).iter().enumerate();
    products.map(|(index, product)| form.product_id(format_args!("product_ids[{index}]"), product)).collect()
}

fn existing_level(session: &mut Session, key: &LevelKey) -> Result<Level, ReadError> {
    let not_found = || Refusal::ProductNotFound(key.product.clone());
    Ok(inventory::level(session, key)?.ok_or_else(not_found)?)
}
