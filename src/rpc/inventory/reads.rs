//! GetInventoryLevel, ListInventoryLevels, ListInventoryLots and ListStockMovements.

use tonic::{Request, Response, Status};

use crate::domain::code::{ProductId, StoreId};
use crate::domain::inventory::LevelKey;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::repository::read::authorized::ReadError;
use crate::repository::read::inventory::{self, LotFilter, LotPosition};
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::rpc::{App, caps, convert};
use crate::workers::ReadClass;

pub(super) async fn level(
    app: &App,
    request: Request<v1::GetInventoryLevelRequest>,
) -> Result<Response<v1::GetInventoryLevelResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let LevelKey { store, product } = parse_level(&request).map_err(to_status)?;
    let check = call.check(store).map_err(to_status)?;
    let read = app
        .read(&call, ReadClass::Small, move |session| {
            inventory::level(session, &check, &product)?.ok_or_else(|| not_found(&product))
        })
        .await?;
    Ok(read.answer(|level| v1::GetInventoryLevelResponse { inventory_level: Some(convert::level(&level)) }))
}

fn parse_level(request: &v1::GetInventoryLevelRequest) -> Result<LevelKey, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let product = fields.product_id("product_id", &request.product_id);
    fields.finish()?;
    Ok(LevelKey { store, product })
}

pub(super) async fn levels(
    app: &App,
    request: Request<v1::ListInventoryLevelsRequest>,
) -> Result<Response<v1::ListInventoryLevelsResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let ListLevels { store, products, page } = parse_levels(app, request).map_err(to_status)?;
    let check = call.check(store).map_err(to_status)?;
    let asked = page.clone();
    let read = app
        .read(&call, page.class(), move |session| {
            inventory::levels(session, &check, &products, asked.after.as_deref(), asked.limit())
        })
        .await?;
    Ok(read.answer(|mut levels| {
        let next_page_token = page.cut(&mut levels, |last| last.key.product.to_string());
        let inventory_levels = levels.iter().map(convert::level).collect();
        v1::ListInventoryLevelsResponse { inventory_levels, next_page_token }
    }))
}

struct ListLevels {
    store: StoreId,
    /// Only these products, if any are named.
    products: Vec<ProductId>,
    page: Page<String>,
}

fn parse_levels(app: &App, mut request: v1::ListInventoryLevelsRequest) -> Result<ListLevels, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let page = Page::of(&app.page_key, &mut request, &mut fields);
    let mut products = Vec::new();
    for (index, product) in fields.capped(caps::PRODUCTS, &request.product_ids).iter().enumerate() {
        products.push(fields.product_id(format_args!("product_ids[{index}]"), product));
    }
    fields.finish()?;
    Ok(ListLevels { store, products, page })
}

pub(super) async fn lots(
    app: &App,
    request: Request<v1::ListInventoryLotsRequest>,
) -> Result<Response<v1::ListInventoryLotsResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let ListLots { store, filter, page } = parse_lots(app, request).map_err(to_status)?;
    let check = call.check(store).map_err(to_status)?;
    let asked = page.clone();
    let read = app
        .read(&call, page.class(), move |session| {
            inventory::lots(session, &check, &filter, asked.after.as_ref(), asked.limit())
        })
        .await?;
    Ok(read.answer(|mut lots| {
        let next_page_token = page.cut(&mut lots, inventory::lot_position);
        let inventory_lots = lots.iter().map(convert::inventory_lot).collect();
        v1::ListInventoryLotsResponse { inventory_lots, next_page_token }
    }))
}

struct ListLots {
    store: StoreId,
    filter: LotFilter,
    page: Page<LotPosition>,
}

fn parse_lots(app: &App, mut request: v1::ListInventoryLotsRequest) -> Result<ListLots, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let filter = LotFilter {
        product: fields.optional_product_id("product_id", &request.product_id),
        expires_before: fields.date("expires_before", &request.expires_before),
    };
    let page = Page::of(&app.page_key, &mut request, &mut fields);
    fields.finish()?;
    Ok(ListLots { store, filter, page })
}

pub(super) async fn movements(
    app: &App,
    request: Request<v1::ListStockMovementsRequest>,
) -> Result<Response<v1::ListStockMovementsResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let ListMovements { key, page } = parse_movements(app, request).map_err(to_status)?;
    let LevelKey { store, product } = key;
    let check = call.check(store).map_err(to_status)?;
    let asked = page.clone();
    let read = app
        .read(&call, page.class(), move |session| {
            let found = inventory::movements(session, &check, &product, asked.after.unwrap_or(0), asked.limit())?;
            found.ok_or_else(|| not_found(&product))
        })
        .await?;
    Ok(read.answer(|mut movements| {
        let next_page_token = page.cut(&mut movements, |last| last.number);
        let stock_movements = movements.iter().map(convert::movement).collect();
        v1::ListStockMovementsResponse { stock_movements, next_page_token }
    }))
}

struct ListMovements {
    key: LevelKey,
    /// A page's key is the number of its last movement.
    page: Page<i64>,
}

fn parse_movements(app: &App, mut request: v1::ListStockMovementsRequest) -> Result<ListMovements, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    let product = fields.product_id("product_id", &request.product_id);
    let page = Page::of(&app.page_key, &mut request, &mut fields);
    fields.finish()?;
    Ok(ListMovements { key: LevelKey { store, product }, page })
}

fn not_found(product: &ProductId) -> ReadError {
    Refusal::ProductNotFound(product.clone()).into()
}
