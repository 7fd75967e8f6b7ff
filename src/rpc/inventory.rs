//! InventoryService.

use tonic::{Request, Response, Status};

use super::call::Call;
use super::errors::to_status;
use super::field_parser::FieldParser;
use super::page::Page;
use super::{Service, caps, class_of_page, convert};
use crate::domain::code::ProductId;
use crate::domain::inventory::LevelKey;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::proto::v1::inventory_service_server::InventoryService;
use crate::repository::read::authorized::{ReadError, ReadSession};
use crate::repository::read::inventory;
use crate::workers::ReadClass;

#[tonic::async_trait]
impl InventoryService for Service {
    async fn get_inventory_level(
        &self,
        request: Request<v1::GetInventoryLevelRequest>,
    ) -> Result<Response<v1::GetInventoryLevelResponse>, Status> {
        let (call, request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let key = level_key(&mut fields, &request.store_id, &request.product_id);
        fields.finish().map_err(to_status)?;
        let check = call.check(key.store).map_err(to_status)?;
        let get = move |session: &mut ReadSession<'_>| {
            inventory::level(session, &check, &key.product)?.ok_or_else(|| not_found(&key.product))
        };
        let level = self.0.read(&call, ReadClass::Small, get).await?;
        Ok(Response::new(v1::GetInventoryLevelResponse { inventory_level: Some(convert::level(&level)) }))
    }

    async fn list_inventory_levels(
        &self,
        request: Request<v1::ListInventoryLevelsRequest>,
    ) -> Result<Response<v1::ListInventoryLevelsResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let store = fields.store_id(&request.store_id);
        let page: Page<String> = Page::of(&self.0.page_key, &mut request, &mut fields);
        let products = products(&mut fields, &request.product_ids);
        fields.finish().map_err(to_status)?;
        let (check, asked) = (call.check(store).map_err(to_status)?, page.clone());
        let list = move |session: &mut ReadSession<'_>| {
            inventory::levels(session, &check, &products, asked.after.as_deref(), asked.limit())
        };
        let mut levels = self.0.read(&call, class_of_page(&page), list).await?;
        let next_page_token = page.cut(&mut levels, |last| last.key.product.to_string());
        let inventory_levels = levels.iter().map(convert::level).collect();
        Ok(Response::new(v1::ListInventoryLevelsResponse { inventory_levels, next_page_token }))
    }

    async fn list_stock_movements(
        &self,
        request: Request<v1::ListStockMovementsRequest>,
    ) -> Result<Response<v1::ListStockMovementsResponse>, Status> {
        let (call, mut request) = Call::open(request)?;
        let mut fields = FieldParser::default();
        let key = level_key(&mut fields, &request.store_id, &request.product_id);
        let page: Page<i64> = Page::of(&self.0.page_key, &mut request, &mut fields);
        fields.finish().map_err(to_status)?;
        let (check, asked) = (call.check(key.store).map_err(to_status)?, page.clone());
        let list = move |session: &mut ReadSession<'_>| {
            let found = inventory::movements(session, &check, &key.product, asked.after.unwrap_or(0), asked.limit())?;
            found.ok_or_else(|| not_found(&key.product))
        };
        let mut movements = self.0.read(&call, class_of_page(&page), list).await?;
        let next_page_token = page.cut(&mut movements, |last| last.number);
        let stock_movements = movements.iter().map(convert::movement).collect();
        Ok(Response::new(v1::ListStockMovementsResponse { stock_movements, next_page_token }))
    }
}

fn level_key(fields: &mut FieldParser, store: &str, product: &str) -> LevelKey {
    LevelKey { store: fields.store_id(store), product: fields.product_id("product_id", product) }
}

fn products(fields: &mut FieldParser, products: &[String]) -> Vec<ProductId> {
    let products = fields.capped(caps::PRODUCTS, products).iter().enumerate();
    products.map(|(index, product)| fields.product_id(format_args!("product_ids[{index}]"), product)).collect()
}

fn not_found(product: &ProductId) -> ReadError {
    Refusal::ProductNotFound(product.clone()).into()
}
