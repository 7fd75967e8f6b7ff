//! What is answered, as one kind of answer whatever the rpc.

use purchase_order_service::proto::v1::*;

/// What any mutation may answer.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    pub event_number: i64,
    pub order: Option<PurchaseOrder>,
    pub receipt: Option<Receipt>,
    pub lines: Vec<PurchaseOrderLine>,
    pub same_delivery_note: Option<KnownReceipt>,
    pub back_order: Option<BackOrder>,
    pub folded_back: Option<FoldedBackOrder>,
    /// The id of a delivery for several orders, and what it was for.
    pub delivery_id: String,
    pub delivered: Vec<DeliveredOrder>,
    pub adjusted: Option<Adjusted>,
    pub store: Option<Store>,
    pub role: Option<Role>,
    pub grant: Option<Grant>,
}

/// What became of stock.
#[derive(Debug, Default, PartialEq)]
pub struct Adjusted {
    pub level: Option<InventoryLevel>,
    pub movement_number: i64,
    pub movement_count: i32,
    pub quantity: String,
    pub lots: Vec<Lot>,
}

impl From<CreatePurchaseOrderResponse> for Answer {
    fn from(answer: CreatePurchaseOrderResponse) -> Self {
        Self { event_number: answer.event_number, order: answer.purchase_order, ..Self::default() }
    }
}

impl From<UpdatePurchaseOrderResponse> for Answer {
    fn from(answer: UpdatePurchaseOrderResponse) -> Self {
        Self { event_number: answer.event_number, order: answer.purchase_order, ..Self::default() }
    }
}

impl From<PlacePurchaseOrderResponse> for Answer {
    fn from(answer: PlacePurchaseOrderResponse) -> Self {
        Self { event_number: answer.event_number, order: answer.purchase_order, ..Self::default() }
    }
}

impl From<ReceivePurchaseOrderResponse> for Answer {
    fn from(answer: ReceivePurchaseOrderResponse) -> Self {
        let ReceivePurchaseOrderResponse { purchase_order: order, receipt, lines, event_number, same_delivery_note } =
            answer;
        Self { event_number, order, receipt, lines, same_delivery_note, ..Self::default() }
    }
}

impl From<ReceiveDeliveryResponse> for Answer {
    fn from(answer: ReceiveDeliveryResponse) -> Self {
        let ReceiveDeliveryResponse { delivery_id, orders: delivered, same_delivery_note } = answer;
        Self { delivery_id, delivered, same_delivery_note, ..Self::default() }
    }
}

impl From<VoidReceiptResponse> for Answer {
    fn from(answer: VoidReceiptResponse) -> Self {
        let VoidReceiptResponse { purchase_order: order, receipt, lines, event_number } = answer;
        Self { event_number, order, receipt, lines, ..Self::default() }
    }
}

impl From<CorrectReceiptResponse> for Answer {
    fn from(answer: CorrectReceiptResponse) -> Self {
        let CorrectReceiptResponse { purchase_order: order, receipt, lines, event_number, same_delivery_note } = answer;
        Self { event_number, order, receipt, lines, same_delivery_note, ..Self::default() }
    }
}

impl From<CompletePurchaseOrderResponse> for Answer {
    fn from(answer: CompletePurchaseOrderResponse) -> Self {
        let CompletePurchaseOrderResponse { purchase_order: order, back_order, event_number } = answer;
        Self { event_number, order, back_order, ..Self::default() }
    }
}

impl From<CopyPurchaseOrderResponse> for Answer {
    fn from(answer: CopyPurchaseOrderResponse) -> Self {
        Self { event_number: answer.event_number, order: answer.purchase_order, ..Self::default() }
    }
}

impl From<AmendPurchaseOrderResponse> for Answer {
    fn from(answer: AmendPurchaseOrderResponse) -> Self {
        let AmendPurchaseOrderResponse { purchase_order: order, lines, event_number } = answer;
        Self { event_number, order, lines, ..Self::default() }
    }
}

impl From<ConfirmPurchaseOrderResponse> for Answer {
    fn from(answer: ConfirmPurchaseOrderResponse) -> Self {
        let ConfirmPurchaseOrderResponse { purchase_order: order, lines, event_number } = answer;
        Self { event_number, order, lines, ..Self::default() }
    }
}

impl From<ReopenPurchaseOrderResponse> for Answer {
    fn from(answer: ReopenPurchaseOrderResponse) -> Self {
        let ReopenPurchaseOrderResponse { purchase_order: order, folded_back_order: folded_back, event_number } =
            answer;
        Self { event_number, order, folded_back, ..Self::default() }
    }
}

impl From<CancelPurchaseOrderLinesResponse> for Answer {
    fn from(answer: CancelPurchaseOrderLinesResponse) -> Self {
        let CancelPurchaseOrderLinesResponse { purchase_order: order, lines, event_number } = answer;
        Self { event_number, order, lines, ..Self::default() }
    }
}

impl From<CancelPurchaseOrderResponse> for Answer {
    fn from(answer: CancelPurchaseOrderResponse) -> Self {
        Self { event_number: answer.event_number, order: answer.purchase_order, ..Self::default() }
    }
}

impl From<AdjustInventoryResponse> for Answer {
    fn from(answer: AdjustInventoryResponse) -> Self {
        let adjusted = Adjusted {
            level: answer.inventory_level,
            movement_number: answer.movement_number,
            movement_count: answer.movement_count,
            quantity: answer.quantity,
            lots: answer.lots,
        };
        Self {
            event_number: answer.event_number,
            order: answer.purchase_order,
            lines: answer.line.into_iter().collect(),
            adjusted: Some(adjusted),
            ..Self::default()
        }
    }
}

impl From<EnableBackOrdersResponse> for Answer {
    fn from(answer: EnableBackOrdersResponse) -> Self {
        Self { event_number: answer.event_number, store: answer.store, ..Self::default() }
    }
}

impl From<DisableBackOrdersResponse> for Answer {
    fn from(answer: DisableBackOrdersResponse) -> Self {
        Self { event_number: answer.event_number, store: answer.store, ..Self::default() }
    }
}

impl From<UpdateStoreResponse> for Answer {
    fn from(answer: UpdateStoreResponse) -> Self {
        Self { event_number: answer.event_number, store: answer.store, ..Self::default() }
    }
}

impl From<CreateRoleResponse> for Answer {
    fn from(answer: CreateRoleResponse) -> Self {
        Self { event_number: answer.event_number, role: answer.role, ..Self::default() }
    }
}

impl From<GrantRoleResponse> for Answer {
    fn from(answer: GrantRoleResponse) -> Self {
        Self { event_number: answer.event_number, grant: answer.grant, ..Self::default() }
    }
}

impl From<RevokeRoleResponse> for Answer {
    fn from(answer: RevokeRoleResponse) -> Self {
        Self { event_number: answer.event_number, ..Self::default() }
    }
}
