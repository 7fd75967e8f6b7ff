//! Reads that come in pages, all of them together.

use purchase_order_service::proto::v1::*;
use tonic::Status;

use crate::naive_oracle::command::Name;
use crate::naive_oracle::wire::Wire;

impl Wire {
    /// A product's ledger.
    pub async fn ledger(&self, caller: Name, product: Name) -> Result<Vec<StockMovement>, Status> {
        let (mut movements, mut token) = (Vec::new(), String::new());
        loop {
            let page = self.caller(caller).movements(product).with(|r| (r.page_size, r.page_token) = (1_000, token));
            let page = page.await?;
            movements.extend(page.stock_movements);
            token = page.next_page_token;
            if token.is_empty() {
                return Ok(movements);
            }
        }
    }

    /// Every order's header, by number.
    pub async fn headers(&self, caller: Name) -> Result<Vec<PurchaseOrder>, Status> {
        let (mut headers, mut token) = (Vec::new(), String::new());
        loop {
            let page = self.caller(caller).list().with(|r| (r.page_size, r.page_token) = (1_000, token)).await?;
            headers.extend(page.purchase_orders);
            token = page.next_page_token;
            if token.is_empty() {
                headers.sort_by(|one, other| one.number.cmp(&other.number));
                return Ok(headers);
            }
        }
    }
}
