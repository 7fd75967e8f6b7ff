//! Reads that come in pages, all of them together.

use purchase_order_service::proto::v1::*;
use tonic::Status;

use crate::naive_oracle::command::{Day, Name};
use crate::naive_oracle::wire::{Wire, date};

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

    /// The lots in stock, in pages that are so short that there are several.
    pub async fn lots(
        &self,
        caller: Name,
        product: Name,
        expires_before: Option<Day>,
    ) -> Result<Vec<InventoryLot>, Status> {
        let (mut lots, mut token) = (Vec::new(), String::new());
        loop {
            let page = self.caller(caller).list_lots().with(|request| {
                (request.page_size, request.page_token) = (4, token);
                request.product_id = product.to_owned();
                request.expires_before = date(expires_before);
            });
            let page = page.await?;
            lots.extend(page.inventory_lots);
            token = page.next_page_token;
            if token.is_empty() {
                return Ok(lots);
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
