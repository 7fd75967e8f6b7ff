//! FindReceivable.

use tonic::{Request, Response, Status};

use crate::domain::code::StoreId;
use crate::domain::gtin::Gtin;
use crate::domain::order::receive::items::ProductSelector;
use crate::domain::order::{Line, Order};
use crate::domain::refusal::Refusal;
use crate::domain::store::Store;
use crate::proto::v1;
use crate::repository::read::receivable::{self, ReceivablePosition};
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::rpc::{App, convert};

struct Find {
    store: StoreId,
    product: ProductSelector,
    supplier: Option<String>,
    page: Page<ReceivablePosition>,
}

pub(in crate::rpc::purchase_order) async fn find(
    app: &App,
    request: Request<v1::FindReceivableRequest>,
) -> Result<Response<v1::FindReceivableResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let Find { store, product, supplier, page } = parse(app, request).map_err(to_status)?;
    let check = call.check(store).map_err(to_status)?;
    let asked = page.clone();
    let read = app
        .read(&call, page.class(), move |session| {
            let (after, limit) = (asked.after.as_ref(), asked.limit());
            let (authorized, lines) = receivable::lines(session, &check, &product, supplier.as_deref(), after, limit)?;
            Ok((authorized.into_store(), lines))
        })
        .await?;
    Ok(read.answer(|(store, mut lines)| {
        let next_page_token = page.cut(&mut lines, |(order, line)| receivable::position(order, line));
        let lines = lines.iter().map(|(order, line)| receivable_line(&store, order, line)).collect();
        v1::FindReceivableResponse { lines, next_page_token }
    }))
}

fn parse(app: &App, mut request: v1::FindReceivableRequest) -> Result<Find, Refusal> {
    let mut fields = FieldParser::default();
    let page = Page::of(&app.page_key, &mut request, &mut fields);
    let store = fields.store_id(&request.store_id);
    let supplier = fields.optional_supplier_id("supplier_id", &request.supplier_id);
    let product = if request.gtin.is_empty() {
        ProductSelector::Product(fields.product_id("product_id", &request.product_id))
    } else {
        if !request.product_id.is_empty() {
            fields.violation("product_id", "must be empty with gtin");
        }
        ProductSelector::Gtin(Gtin::of(&fields.gtin("gtin", &request.gtin).unwrap_or_default()))
    };
    fields.finish()?;
    Ok(Find { store, product, supplier, page })
}

fn receivable_line(store: &Store, order: &Order, line: &Line) -> v1::ReceivableLine {
    v1::ReceivableLine {
        purchase_order_id: order.key.order.to_string(),
        number: order.number.clone(),
        supplier_id: order.supplier.clone(),
        supplier_reference: order.supplier_reference.clone().unwrap_or_default(),
        original_order_time: convert::maybe_time(order.original_order_time),
        line_number: line.key.number,
        product_id: line.product.to_string(),
        description: line.description.clone(),
        gtin: line.gtin.clone().unwrap_or_default(),
        unit: convert::unit(line.unit).into(),
        pack_size: line.pack_size.map(|size| size.to_string()).unwrap_or_default(),
        expected_date: convert::date(order.expected_date_of(line)),
        pending: line.quantities.pending.to_string(),
        received: line.quantities.received.to_string(),
        receivable: line.still_receivable(store).to_string(),
    }
}
