//! What is read now and then, by this caller or that, and compared with what the model shows.

use purchase_order_service::proto::v1::*;

use crate::naive_oracle::access::OPERATOR;
use crate::naive_oracle::command::{Command, Day, Name, day};
use crate::naive_oracle::generator::{CALLERS, GUESTS, NO_PRODUCT, PRODUCTS};
use crate::naive_oracle::play::{Counts, Play};
use crate::naive_oracle::refused::{Refused, ensure};

impl Play {
    pub async fn look(&mut self) {
        let caller = match self.generator.rng.u32(..8) {
            0 => self.generator.one_of(&CALLERS),
            1 | 2 => "bob",
            _ => "carol",
        };
        match self.generator.rng.u32(..7) {
            6 => {
                let product = if self.generator.rng.bool() { "" } else { self.generator.one_of(&PRODUCTS).0 };
                let before = day(self.model.now) + self.generator.rng.i64(0..12);
                let before = self.generator.rng.bool().then_some(before);
                self.look_at_lots(caller, product, before).await;
            }
            0 => self.look_at_store(caller).await,
            1 | 2 => {
                let product = if self.generator.one_in(20) { NO_PRODUCT } else { self.generator.one_of(&PRODUCTS).0 };
                self.look_at_product(caller, product).await;
            }
            3 => {
                let place = self.a_place();
                self.look_at_receipts(caller, place).await;
            }
            _ => {
                let place = self.a_place();
                self.look_at_order(caller, place).await;
            }
        }
    }

    /// Mostly that of an order touched lately.
    fn a_place(&mut self) -> usize {
        let touched = self.calls.iter().rev().find_map(|call| match call.command {
            Command::Change { order, .. } => Some(order),
            _ => None,
        });
        match touched {
            Some(place) if !self.generator.one_in(3) => place,
            _ => self.generator.rng.usize(..=self.model.orders.len()),
        }
    }

    async fn look_at_store(&self, caller: Name) {
        let admitted = caller == OPERATOR || self.model.access.has_any_role(caller);
        let expected = ensure(admitted, "NO_STORE_ACCESS").map(|()| Some(self.shown().store()));
        let got = self.wire.caller(caller).get_store().await;
        self.compare("its store", expected, got.map(|got| got.store));
    }

    /// Who may not view is told no more than that.
    fn admit(&self, caller: Name, exists: Result<(), Refused>) -> Result<(), Refused> {
        self.model.access.admit(caller, Some(Permission::View)).and(exists)
    }

    async fn look_at_order(&self, caller: Name, place: usize) {
        let exists = ensure(place < self.model.orders.len(), "PURCHASE_ORDER_NOT_FOUND");
        let admitted = self.admit(caller, exists);
        let order = self.wire.named(place);
        let full = |request: &mut GetPurchaseOrderRequest| request.view = PurchaseOrderView::Full.into();
        let shown = |()| GetPurchaseOrderResponse {
            purchase_order: Some(self.shown().header(place, caller)),
            lines: self.shown().lines(place, caller),
            charges: self.shown().charges(place, caller),
        };
        let got = self.wire.caller(caller).get(&order.purchase_order_id).with(full).await;
        self.compare("an order", admitted.clone().map(shown), got);
        let chain = self.wire.caller(caller).chain(&order).await;
        self.compare("a chain", admitted.map(|()| self.shown().chain(place, caller)), chain);
    }

    async fn look_at_receipts(&mut self, caller: Name, place: usize) {
        let count = self.model.orders.get(place).map_or(0, |order| order.receipts.len());
        let number = self.generator.rng.usize(..=count);
        let exists = ensure(place < self.model.orders.len(), "PURCHASE_ORDER_NOT_FOUND");
        let order = self.wire.named(place);
        let listed = |()| self.shown().listed_receipts(place);
        let got = self.wire.caller(caller).list_receipts(&order).with(|request| request.page_size = 1_000).await;
        self.compare("receipts", self.admit(caller, exists.clone()).map(listed), got.map(|got| got.receipts));
        let exists = exists.and(ensure(number < count, "RECEIPT_NOT_FOUND"));
        let shown = |()| Some(self.shown().receipt(place, number, caller));
        let got = self.wire.caller(caller).receipt(&order, number as i32 + 1).await;
        self.compare("a receipt", self.admit(caller, exists).map(shown), got.map(|got| got.receipt));
    }

    async fn look_at_product(&self, caller: Name, product: Name) {
        let exists = ensure(self.model.units.contains_key(product), "PRODUCT_NOT_FOUND");
        let admitted = self.admit(caller, exists);
        let expected = admitted.clone().map(|()| Some(self.shown().level(product, caller)));
        let got = self.wire.caller(caller).level(product).await;
        self.compare("a level", expected, got.map(|got| got.inventory_level));
        let ledger = admitted.map(|()| self.shown().ledger(product, caller));
        self.compare("a ledger", ledger, self.wire.ledger(caller, product).await);
    }

    async fn look_at_lots(&self, caller: Name, product: Name, expires_before: Option<Day>) {
        let expected = self.admit(caller, Ok(())).map(|()| self.shown().lots(product, expires_before));
        self.compare("lots", expected, self.wire.lots(caller, product, expires_before).await);
    }

    /// Looks at everything once more, but of the older orders at their headers alone; how long the longest
    /// chain is.
    pub async fn end(mut self) -> (Counts, usize) {
        self.look_at_store("carol").await;
        for (product, _) in PRODUCTS.into_iter().chain(GUESTS) {
            self.look_at_product("carol", product).await;
        }
        for place in self.model.orders.len().saturating_sub(20)..self.model.orders.len() {
            self.look_at_order("carol", place).await;
            self.look_at_receipts("carol", place).await;
        }
        self.look_at_lots("carol", "", None).await;
        let levels = self.wire.caller("carol").list_levels().await;
        self.compare("all levels", Ok(self.shown().levels("carol")), levels.map(|got| got.inventory_levels));
        let headers = (0..self.model.orders.len()).map(|place| self.shown().header(place, "carol"));
        let mut headers: Vec<PurchaseOrder> = headers.collect();
        headers.sort_by(|one, other| one.number.cmp(&other.number));
        let longest = headers.iter().map(|header| header.back_order_sequence as usize + 1).max();
        self.compare("all orders", Ok(headers), self.wire.headers("carol").await);
        (self.counts, longest.unwrap_or_default())
    }
}
