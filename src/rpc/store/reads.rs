//! GetStore and ListStores.

use tonic::{Request, Response, Status};

use crate::domain::code::StoreId;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::repository::read::stores;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::rpc::{App, convert};
use crate::workers::ReadClass;

pub(super) async fn get(
    app: &App,
    request: Request<v1::GetStoreRequest>,
) -> Result<Response<v1::GetStoreResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let store = parse_get(&request).map_err(to_status)?;
    let check = call.check(store).map_err(to_status)?;
    let read = app.read(&call, ReadClass::Small, move |session| stores::store(session, &check)).await?;
    Ok(read.answer(|store| v1::GetStoreResponse { store: Some(convert::store(&store)) }))
}

fn parse_get(request: &v1::GetStoreRequest) -> Result<StoreId, Refusal> {
    let mut fields = FieldParser::default();
    let store = fields.store_id(&request.store_id);
    fields.finish()?;
    Ok(store)
}

/// This read is not about one store, so there is no check of access: the query itself finds only the stores
/// in which the caller has a role.
pub(super) async fn list(
    app: &App,
    request: Request<v1::ListStoresRequest>,
) -> Result<Response<v1::ListStoresResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let page = parse_list(app, request).map_err(to_status)?;
    let principal = call.principal().clone();
    let asked = page.clone();
    let read = app
        .read(&call, page.class(), move |session| {
            stores::list(session, &principal, asked.after.as_deref().unwrap_or(""), asked.limit())
        })
        .await?;
    Ok(read.answer(|mut stores| {
        let next_page_token = page.cut(&mut stores, |last| last.id.to_string());
        v1::ListStoresResponse { stores: stores.iter().map(convert::store).collect(), next_page_token }
    }))
}

fn parse_list(app: &App, mut request: v1::ListStoresRequest) -> Result<Page<String>, Refusal> {
    let mut fields = FieldParser::default();
    let page = Page::of(&app.page_key, &mut request, &mut fields);
    fields.finish()?;
    Ok(page)
}
