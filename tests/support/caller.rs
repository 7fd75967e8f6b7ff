//! Somebody who calls: one short method per rpc, to be refined before it is sent.

use prost_types::FieldMask;
use purchase_order_service::proto::v1::*;
use tonic::transport::Channel;

use super::rpc::{Call, Rpc};

/// Somebody, calling about one store.
#[derive(Clone)]
pub struct Caller {
    pub(super) channel: Channel,
    pub(super) principal: String,
    pub(super) token: Option<String>,
    pub(super) store: String,
}

impl Caller {
    /// Somebody who calls a service by this channel.
    pub fn of(channel: Channel, principal: &str, store: &str) -> Self {
        Self { channel, principal: principal.to_owned(), token: None, store: store.to_owned() }
    }

    /// Somebody with this token, if with any.
    pub fn bearing(&self, token: Option<String>) -> Self {
        Self { token, ..self.clone() }
    }

    /// The same person, calling about another store.
    pub fn at(&self, store: &str) -> Self {
        Self { store: store.to_owned(), ..self.clone() }
    }

    /// Any request.
    pub fn call<R: Rpc>(&self, request: R) -> Call<R> {
        Call {
            channel: self.channel.clone(),
            principal: self.principal.clone(),
            token: self.token.clone(),
            timeout: None,
            traceparent: None,
            request,
        }
    }

    pub fn store_id(&self) -> String {
        self.store.clone()
    }
}

fn mask(fields: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: fields.iter().map(|field| (*field).to_owned()).collect() })
}

/// A line of a new order: 2.50 each.
pub fn line(product: &str, quantity: &str) -> NewLine {
    NewLine {
        product_id: product.to_owned(),
        description: format!("fresh {product}"),
        unit: Unit::Each.into(),
        quantity: Some(quantity.to_owned()),
        // What is ordered by the hundred million costs next to nothing: the value of an order is limited.
        unit_cost: Some(if quantity.len() < 9 { "2.5" } else { "0.000001" }.to_owned()),
        ..NewLine::default()
    }
}

/// Purchase orders.
impl Caller {
    /// A draft of these products and quantities, from the supplier `acme`.
    pub fn create(&self, lines: &[(&str, &str)]) -> Call<CreatePurchaseOrderRequest> {
        self.call(CreatePurchaseOrderRequest {
            store_id: self.store_id(),
            supplier_id: "acme".to_owned(),
            lines: lines.iter().map(|(product, quantity)| line(product, quantity)).collect(),
            ..CreatePurchaseOrderRequest::default()
        })
    }

    /// A draft that was created.
    pub async fn draft(&self, lines: &[(&str, &str)]) -> PurchaseOrder {
        self.create(lines).ok().await.purchase_order.expect("the header is answered")
    }

    /// An order that was created and placed.
    pub async fn order(&self, lines: &[(&str, &str)]) -> PurchaseOrder {
        let draft = self.draft(lines).await;
        self.place(&draft).ok().await.purchase_order.expect("the header is answered")
    }

    /// An order of which these quantities were accepted.
    pub async fn received(&self, lines: &[(&str, &str)], accepted: &[(i32, &str)]) -> PurchaseOrder {
        let order = self.order(lines).await;
        let receive = accepted.iter().fold(self.receive(&order), |call, (line, quantity)| call.accept(*line, quantity));
        receive.ok().await.purchase_order.expect("the header is answered")
    }

    /// Changes the fields that are named; their values are to be set.
    pub fn update(&self, order: &PurchaseOrder, fields: &[&str]) -> Call<UpdatePurchaseOrderRequest> {
        self.call(UpdatePurchaseOrderRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            update_mask: mask(fields),
            ..UpdatePurchaseOrderRequest::default()
        })
    }

    pub fn copy(&self, order: &PurchaseOrder) -> Call<CopyPurchaseOrderRequest> {
        self.call(CopyPurchaseOrderRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            ..CopyPurchaseOrderRequest::default()
        })
    }

    pub fn place(&self, order: &PurchaseOrder) -> Call<PlacePurchaseOrderRequest> {
        self.call(PlacePurchaseOrderRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            ..PlacePurchaseOrderRequest::default()
        })
    }

    pub fn receive(&self, order: &PurchaseOrder) -> Call<ReceivePurchaseOrderRequest> {
        self.call(ReceivePurchaseOrderRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            ..ReceivePurchaseOrderRequest::default()
        })
    }

    /// A delivery of the supplier `acme`, for whichever orders its items are of.
    pub fn deliver(&self) -> Call<ReceiveDeliveryRequest> {
        self.call(ReceiveDeliveryRequest {
            store_id: self.store_id(),
            supplier_id: "acme".to_owned(),
            ..ReceiveDeliveryRequest::default()
        })
    }

    pub fn void(&self, order: &PurchaseOrder, receipt_number: i32) -> Call<VoidReceiptRequest> {
        self.call(VoidReceiptRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            receipt_number,
            reason: "counted again".to_owned(),
            ..VoidReceiptRequest::default()
        })
    }

    /// So much is ordered of each line from now on.
    pub fn amend(&self, order: &PurchaseOrder, lines: &[(i32, &str)]) -> Call<AmendPurchaseOrderRequest> {
        let named = lines.iter().map(|(line_number, quantity)| LineAmendment {
            line_number: *line_number,
            quantity: Some((*quantity).to_owned()),
            ..LineAmendment::default()
        });
        self.call(AmendPurchaseOrderRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            lines: named.collect(),
            ..AmendPurchaseOrderRequest::default()
        })
    }

    /// So much is confirmed of each line; with an empty quantity as it is ordered.
    pub fn confirm(&self, order: &PurchaseOrder, lines: &[(i32, &str)]) -> Call<ConfirmPurchaseOrderRequest> {
        let named = lines.iter().map(|(line_number, quantity)| LineConfirmation {
            line_number: *line_number,
            quantity: (!quantity.is_empty()).then(|| (*quantity).to_owned()),
            ..LineConfirmation::default()
        });
        self.call(ConfirmPurchaseOrderRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            lines: named.collect(),
            ..ConfirmPurchaseOrderRequest::default()
        })
    }

    /// So much of what is pending on each line; with an empty quantity all of it.
    pub fn cancel_lines(&self, order: &PurchaseOrder, lines: &[(i32, &str)]) -> Call<CancelPurchaseOrderLinesRequest> {
        let named = lines.iter().map(|(line_number, quantity)| LineCancellation {
            line_number: *line_number,
            quantity: (!quantity.is_empty()).then(|| (*quantity).to_owned()),
            reason: "sold out".to_owned(),
            reason_code: CancelReason::Unspecified.into(),
        });
        self.call(CancelPurchaseOrderLinesRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            lines: named.collect(),
            ..CancelPurchaseOrderLinesRequest::default()
        })
    }

    /// Another receipt in the place of this one.
    pub fn correct(&self, order: &PurchaseOrder, receipt_number: i32) -> Call<CorrectReceiptRequest> {
        self.call(CorrectReceiptRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            receipt_number,
            reason: "counted again".to_owned(),
            ..CorrectReceiptRequest::default()
        })
    }

    pub fn preview(&self, order: &PurchaseOrder) -> Call<PreviewCompletionRequest> {
        self.call(PreviewCompletionRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            ..PreviewCompletionRequest::default()
        })
    }

    pub fn complete(&self, order: &PurchaseOrder) -> Call<CompletePurchaseOrderRequest> {
        self.call(CompletePurchaseOrderRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            ..CompletePurchaseOrderRequest::default()
        })
    }

    pub fn reopen(&self, order: &PurchaseOrder) -> Call<ReopenPurchaseOrderRequest> {
        self.call(ReopenPurchaseOrderRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            reason: "a box was found".to_owned(),
            ..ReopenPurchaseOrderRequest::default()
        })
    }

    /// Completes an order and back-orders all that is pending; the back order.
    pub async fn back_order(&self, order: &PurchaseOrder) -> PurchaseOrder {
        let completed = self.complete(order).rest(PendingDisposition::BackOrder).ok().await;
        self.seen(&completed.back_order.expect("something was pending").purchase_order_id).await
    }

    pub fn cancel(&self, order: &PurchaseOrder) -> Call<CancelPurchaseOrderRequest> {
        self.call(CancelPurchaseOrderRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            reason: "not needed any more".to_owned(),
            ..CancelPurchaseOrderRequest::default()
        })
    }

    pub fn get(&self, purchase_order_id: &str) -> Call<GetPurchaseOrderRequest> {
        self.call(GetPurchaseOrderRequest {
            store_id: self.store_id(),
            purchase_order_id: purchase_order_id.to_owned(),
            ..GetPurchaseOrderRequest::default()
        })
    }

    /// An order's header as it stands.
    pub async fn seen(&self, purchase_order_id: &str) -> PurchaseOrder {
        self.get(purchase_order_id).ok().await.purchase_order.expect("the header is answered")
    }

    /// An order's lines as they stand.
    pub async fn lines(&self, order: &PurchaseOrder) -> Vec<PurchaseOrderLine> {
        let full = |request: &mut GetPurchaseOrderRequest| request.view = PurchaseOrderView::Full.into();
        self.get(&order.purchase_order_id).with(full).ok().await.lines
    }

    pub fn list(&self) -> Call<ListPurchaseOrdersRequest> {
        self.call(ListPurchaseOrdersRequest { store_id: self.store_id(), ..ListPurchaseOrdersRequest::default() })
    }

    pub fn list_lines(&self, order: &PurchaseOrder) -> Call<ListPurchaseOrderLinesRequest> {
        self.call(ListPurchaseOrderLinesRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            ..ListPurchaseOrderLinesRequest::default()
        })
    }

    pub fn receipt(&self, order: &PurchaseOrder, receipt_number: i32) -> Call<GetReceiptRequest> {
        self.call(GetReceiptRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            receipt_number,
        })
    }

    pub fn list_receipts(&self, order: &PurchaseOrder) -> Call<ListReceiptsRequest> {
        self.call(ListReceiptsRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            ..ListReceiptsRequest::default()
        })
    }

    /// The receipts of the whole store.
    pub fn list_all_receipts(&self) -> Call<ListReceiptsRequest> {
        self.call(ListReceiptsRequest { store_id: self.store_id(), ..ListReceiptsRequest::default() })
    }

    /// Where a product can be received.
    pub fn find(&self, product_id: &str) -> Call<FindReceivableRequest> {
        self.call(FindReceivableRequest {
            store_id: self.store_id(),
            product_id: product_id.to_owned(),
            ..FindReceivableRequest::default()
        })
    }

    /// What is still awaited.
    pub fn outstanding(&self) -> Call<ListOutstandingLinesRequest> {
        self.call(ListOutstandingLinesRequest { store_id: self.store_id(), ..ListOutstandingLinesRequest::default() })
    }

    pub fn chain(&self, order: &PurchaseOrder) -> Call<GetBackOrderChainRequest> {
        self.call(GetBackOrderChainRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            ..GetBackOrderChainRequest::default()
        })
    }

    /// What happened to an order.
    pub fn history(&self, order: &PurchaseOrder) -> Call<ListPurchaseOrderHistoryRequest> {
        self.call(ListPurchaseOrderHistoryRequest {
            store_id: self.store_id(),
            purchase_order_id: order.purchase_order_id.clone(),
            ..ListPurchaseOrderHistoryRequest::default()
        })
    }
}

/// Reports.
impl Caller {
    /// How all suppliers performed with what was ordered in March 2026.
    pub fn performance(&self) -> Call<GetSupplierPerformanceRequest> {
        self.call(GetSupplierPerformanceRequest {
            store_id: self.store_id(),
            order_date_from: "2026-03-01".to_owned(),
            order_date_before: "2026-04-01".to_owned(),
            ..GetSupplierPerformanceRequest::default()
        })
    }
}

/// Stock.
impl Caller {
    pub fn level(&self, product_id: &str) -> Call<GetInventoryLevelRequest> {
        self.call(GetInventoryLevelRequest { store_id: self.store_id(), product_id: product_id.to_owned() })
    }

    pub fn list_levels(&self) -> Call<ListInventoryLevelsRequest> {
        self.call(ListInventoryLevelsRequest { store_id: self.store_id(), ..ListInventoryLevelsRequest::default() })
    }

    pub fn list_lots(&self) -> Call<ListInventoryLotsRequest> {
        self.call(ListInventoryLotsRequest { store_id: self.store_id(), ..ListInventoryLotsRequest::default() })
    }

    pub fn movements(&self, product_id: &str) -> Call<ListStockMovementsRequest> {
        self.call(ListStockMovementsRequest {
            store_id: self.store_id(),
            product_id: product_id.to_owned(),
            ..ListStockMovementsRequest::default()
        })
    }

    /// An adjustment of a product, with a reason.
    pub fn adjust(&self, product_id: &str, kind: AdjustmentKind, quantity: &str) -> Call<AdjustInventoryRequest> {
        self.call(AdjustInventoryRequest {
            store_id: self.store_id(),
            product_id: product_id.to_owned(),
            kind: kind.into(),
            quantity: Some(quantity.to_owned()),
            reason: "as told".to_owned(),
            ..AdjustInventoryRequest::default()
        })
    }

    /// What a product stands at, as one line that leaves out what is nothing.
    pub async fn stock(&self, product_id: &str) -> String {
        let level = self.level(product_id).ok().await.inventory_level.expect("the level is answered");
        let parts = [
            (&level.on_hand, "on hand"),
            (&level.staged, "staged"),
            (&level.on_order, "on order"),
            (&level.back_ordered, "back-ordered"),
        ];
        parts_text(&parts)
    }
}

/// So much of a lot, as an item has it.
fn new_lot(lot_code: &str, expiry_date: &str, quantity: &str) -> NewLot {
    NewLot { lot_code: lot_code.to_owned(), expiry_date: expiry_date.to_owned(), quantity: Some(quantity.to_owned()) }
}

impl Call<AdjustInventoryRequest> {
    /// Which lot the goods are of.
    pub fn of_lot(self, lot_code: &str, expiry_date: &str) -> Self {
        let lot = NamedLot { lot_code: lot_code.to_owned(), expiry_date: expiry_date.to_owned() };
        self.with(|request| request.lot = Some(lot))
    }

    /// What a unit cost that is put in.
    pub fn costing(self, unit_cost: &str) -> Self {
        self.with(|request| request.unit_cost = Some(unit_cost.to_owned()))
    }

    /// The unit in which the product is counted.
    pub fn counted_in(self, unit: Unit) -> Self {
        self.with(|request| request.unit = unit.into())
    }

    /// By which line of which order the goods came that go back.
    pub fn of_line(self, order: &PurchaseOrder, line_number: i32) -> Self {
        self.with(|request| {
            request.purchase_order_id = order.purchase_order_id.clone();
            request.line_number = line_number;
        })
    }
}

/// A line as one line of text that leaves out what is nothing.
pub fn line_text(line: &PurchaseOrderLine) -> String {
    let parts = [
        (&line.ordered, "ordered"),
        (&line.received, "received"),
        (&line.rejected, "rejected"),
        (&line.back_ordered, "back-ordered"),
        (&line.cancelled, "cancelled"),
        (&line.pending, "pending"),
        (&line.excess, "excess"),
        (&line.returned, "returned"),
    ];
    format!("{} {}: {}", line.line_number, line.product_id, parts_text(&parts))
}

/// A lot as one line of text.
pub fn lot_text(lot: &Lot) -> String {
    let expires = if lot.expiry_date.is_empty() { String::new() } else { format!(" {}", lot.expiry_date) };
    format!("{}{expires}: {}", lot.lot_code, lot.quantity)
}

/// The same of what a chain's line came to.
pub fn chain_line_text(line: &ChainLine) -> String {
    let parts = [
        (&line.ordered, "ordered"),
        (&line.received, "received"),
        (&line.on_hand, "on hand"),
        (&line.cancelled, "cancelled"),
        (&line.pending, "pending"),
        (&line.excess, "excess"),
        (&line.rejected, "rejected"),
    ];
    format!("{} {}: {}", line.line_number, line.product_id, parts_text(&parts))
}

fn parts_text(parts: &[(&String, &str)]) -> String {
    let some = parts.iter().filter(|(quantity, _)| *quantity != "0");
    some.map(|(quantity, name)| format!("{quantity} {name}")).collect::<Vec<_>>().join(", ")
}

/// Stores and who may do what in them.
impl Caller {
    /// A store in Amsterdam that buys in euros.
    pub fn create_store(&self, owner: &str) -> Call<CreateStoreRequest> {
        self.call(CreateStoreRequest {
            store_id: self.store_id(),
            display_name: format!("Store {}", self.store),
            currency: "EUR".to_owned(),
            time_zone: "Europe/Amsterdam".to_owned(),
            owner_principal: owner.to_owned(),
            ..CreateStoreRequest::default()
        })
    }

    pub fn get_store(&self) -> Call<GetStoreRequest> {
        self.call(GetStoreRequest { store_id: self.store_id() })
    }

    pub fn list_stores(&self) -> Call<ListStoresRequest> {
        self.call(ListStoresRequest::default())
    }

    /// Changes the fields that are named; their values are to be set.
    pub fn update_store(&self, fields: &[&str]) -> Call<UpdateStoreRequest> {
        let (store_id, update_mask) = (self.store_id(), mask(fields));
        self.call(UpdateStoreRequest { store_id, update_mask, ..UpdateStoreRequest::default() })
    }

    pub fn enable_back_orders(&self) -> Call<EnableBackOrdersRequest> {
        self.call(EnableBackOrdersRequest { store_id: self.store_id(), ..EnableBackOrdersRequest::default() })
    }

    pub fn disable_back_orders(&self) -> Call<DisableBackOrdersRequest> {
        self.call(DisableBackOrdersRequest { store_id: self.store_id(), ..DisableBackOrdersRequest::default() })
    }

    pub fn create_role(&self, role: &str, permissions: &[Permission]) -> Call<CreateRoleRequest> {
        self.call(CreateRoleRequest {
            store_id: self.store_id(),
            role_id: role.to_owned(),
            permissions: permissions.iter().map(|permission| (*permission).into()).collect(),
            ..CreateRoleRequest::default()
        })
    }

    pub fn update_role(&self, role: &str, permissions: &[Permission]) -> Call<UpdateRoleRequest> {
        self.call(UpdateRoleRequest {
            store_id: self.store_id(),
            role_id: role.to_owned(),
            update_mask: mask(&["permissions"]),
            permissions: permissions.iter().map(|permission| (*permission).into()).collect(),
            ..UpdateRoleRequest::default()
        })
    }

    pub fn delete_role(&self, role: &str) -> Call<DeleteRoleRequest> {
        let (store_id, role_id) = (self.store_id(), role.to_owned());
        self.call(DeleteRoleRequest { store_id, role_id, ..DeleteRoleRequest::default() })
    }

    pub fn list_roles(&self) -> Call<ListRolesRequest> {
        self.call(ListRolesRequest { store_id: self.store_id() })
    }

    pub fn grant(&self, principal: &str, role: &str) -> Call<GrantRoleRequest> {
        self.call(GrantRoleRequest {
            store_id: self.store_id(),
            principal: principal.to_owned(),
            role_id: role.to_owned(),
            ..GrantRoleRequest::default()
        })
    }

    pub fn revoke(&self, principal: &str, role: &str) -> Call<RevokeRoleRequest> {
        self.call(RevokeRoleRequest {
            store_id: self.store_id(),
            principal: principal.to_owned(),
            role_id: role.to_owned(),
            ..RevokeRoleRequest::default()
        })
    }

    pub fn list_grants(&self) -> Call<ListGrantsRequest> {
        self.call(ListGrantsRequest { store_id: self.store_id(), ..ListGrantsRequest::default() })
    }
}

/// So much of a product is kept.
pub fn item_of_product(product_id: &str, quantity: &str) -> NewReceiptItem {
    NewReceiptItem {
        product_id: product_id.to_owned(),
        accepted: Some(quantity.to_owned()),
        ..NewReceiptItem::default()
    }
}

/// So many of a product are kept that the order does not name.
pub fn unlisted_item(product_id: &str, quantity: &str) -> NewReceiptItem {
    let unlisted = UnlistedProduct {
        product_id: product_id.to_owned(),
        description: format!("Fresh {product_id}"),
        unit: Unit::Each.into(),
        ..UnlistedProduct::default()
    };
    NewReceiptItem { unlisted: Some(unlisted), accepted: Some(quantity.to_owned()), ..NewReceiptItem::default() }
}

impl Call<ReceiveDeliveryRequest> {
    /// So much of a line of an order is kept.
    pub fn accept_line(self, order: &PurchaseOrder, line: i32, quantity: &str) -> Self {
        self.item(NewReceiptItem {
            purchase_order_id: order.purchase_order_id.clone(),
            line_number: line,
            accepted: Some(quantity.to_owned()),
            ..NewReceiptItem::default()
        })
    }

    /// So much of a product is kept, on whichever orders it is.
    pub fn accept_product(self, product_id: &str, quantity: &str) -> Self {
        self.item(item_of_product(product_id, quantity))
    }

    pub fn item(self, item: NewReceiptItem) -> Self {
        self.with(|request| request.items.push(item))
    }

    /// So much of the last item is of a lot.
    pub fn lot(self, lot_code: &str, expiry_date: &str, quantity: &str) -> Self {
        let lot = new_lot(lot_code, expiry_date, quantity);
        self.with(|request| request.items.last_mut().expect("an item").lots.push(lot))
    }

    /// The order as its caller has read it.
    pub fn etag(self, order: &PurchaseOrder) -> Self {
        let (purchase_order_id, etag) = (order.purchase_order_id.clone(), order.etag.clone());
        self.with(|request| request.etags.push(PurchaseOrderEtag { purchase_order_id, etag }))
    }
}

impl Call<CorrectReceiptRequest> {
    /// So much of a line is kept.
    pub fn accept(self, line: i32, quantity: &str) -> Self {
        let item =
            NewReceiptItem { line_number: line, accepted: Some(quantity.to_owned()), ..NewReceiptItem::default() };
        self.item(item)
    }

    pub fn item(self, item: NewReceiptItem) -> Self {
        self.with(|request| request.items.push(item))
    }

    /// So much of the last item is of a lot.
    pub fn lot(self, lot_code: &str, expiry_date: &str, quantity: &str) -> Self {
        let lot = new_lot(lot_code, expiry_date, quantity);
        self.with(|request| request.items.last_mut().expect("an item").lots.push(lot))
    }

    pub fn all_pending(self) -> Self {
        self.with(|request| request.all_pending = true)
    }
}

impl Call<ReceivePurchaseOrderRequest> {
    /// So much of a line is kept.
    pub fn accept(self, line: i32, quantity: &str) -> Self {
        let item =
            NewReceiptItem { line_number: line, accepted: Some(quantity.to_owned()), ..NewReceiptItem::default() };
        self.with(|request| request.items.push(item))
    }

    /// So much of a line is refused as damaged, with a note; without a note, no reason is given.
    pub fn reject(self, line: i32, quantity: &str, note: &str) -> Self {
        let reason = if note.is_empty() { RejectReason::Unspecified } else { RejectReason::Damaged };
        let item = NewReceiptItem {
            line_number: line,
            rejected: Some(quantity.to_owned()),
            reject_reason: reason.into(),
            reject_note: note.to_owned(),
            ..NewReceiptItem::default()
        };
        self.with(|request| request.items.push(item))
    }

    /// So much of a product is kept, on whichever lines it is.
    pub fn accept_product(self, product_id: &str, quantity: &str) -> Self {
        self.with(|request| request.items.push(item_of_product(product_id, quantity)))
    }

    /// So much of the last item is of a lot.
    pub fn lot(self, lot_code: &str, expiry_date: &str, quantity: &str) -> Self {
        let lot = new_lot(lot_code, expiry_date, quantity);
        self.with(|request| request.items.last_mut().expect("an item").lots.push(lot))
    }

    pub fn all_pending(self) -> Self {
        self.with(|request| request.all_pending = true)
    }
}

fn disposition(line: i32, back_order: &str, cancel: &str) -> LineDisposition {
    let given = |quantity: &str| (!quantity.is_empty()).then(|| quantity.to_owned());
    LineDisposition {
        line_number: line,
        back_order: given(back_order),
        cancel: given(cancel),
        ..LineDisposition::default()
    }
}

impl Call<CompletePurchaseOrderRequest> {
    /// So much of a line moves to the back order and so much is cancelled; empty is unset.
    pub fn line(self, line: i32, back_order: &str, cancel: &str) -> Self {
        self.with(|request| request.lines.push(disposition(line, back_order, cancel)))
    }

    pub fn rest(self, disposition: PendingDisposition) -> Self {
        self.with(|request| request.rest = disposition.into())
    }

    pub fn because(self, reason: &str) -> Self {
        self.with(|request| request.cancel_reason = reason.to_owned())
    }
}

impl Call<PreviewCompletionRequest> {
    /// As on the completion.
    pub fn line(self, line: i32, back_order: &str, cancel: &str) -> Self {
        self.with(|request| request.lines.push(disposition(line, back_order, cancel)))
    }

    pub fn rest(self, disposition: PendingDisposition) -> Self {
        self.with(|request| request.rest = disposition.into())
    }

    pub fn because(self, reason: &str) -> Self {
        self.with(|request| request.cancel_reason = reason.to_owned())
    }
}
