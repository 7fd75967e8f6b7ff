//! Conversions between domain types and the contract's messages and enums.
//!
//! Each entity is converted in one place, so every rpc shows it in the same way. The matches over enums
//! are exhaustive: a new variant does not compile until the contract has a value for it.

use prost_types::Timestamp as ProtoTimestamp;

use crate::domain::access::Permission;
use crate::domain::code::PrincipalId;
use crate::domain::command::{OrderReply, OrderView, Reply};
use crate::domain::inventory::adjust::AdjustmentKind;
use crate::domain::inventory::lot::{LotInStock, LotQuantity};
use crate::domain::inventory::{Level, Movement, MovementKind};
use crate::domain::order::actions::Action;
use crate::domain::order::cancellation::CancelReason;
use crate::domain::order::complete::Disposition;
use crate::domain::order::receipt::{Receipt, ReceiptItem, RejectReason};
use crate::domain::order::{Charge, Line, Order, OrderId, Quantities, State};
use crate::domain::pack::whole_packs_in;
use crate::domain::quantity::Quantity;
use crate::domain::store::Store;
use crate::domain::time::{Date, Timestamp};
use crate::domain::unit::Unit;
use crate::proto::v1;

/// An instant as the contract's type. Seconds are rounded down, so that nanos are never negative.
pub fn time(time: Timestamp) -> ProtoTimestamp {
    let micros = time.micros();
    ProtoTimestamp { seconds: micros.div_euclid(1_000_000), nanos: (micros.rem_euclid(1_000_000) * 1_000) as i32 }
}

/// An optional instant; `None` leaves the message field unset.
pub fn maybe_time(instant: Option<Timestamp>) -> Option<ProtoTimestamp> {
    instant.map(time)
}

/// A date as `YYYY-MM-DD`; empty if it is unknown.
pub fn date(date: Option<Date>) -> String {
    date.map(|date| date.to_string()).unwrap_or_default()
}

/// The id of an order; empty if there is none.
pub fn id(order: Option<OrderId>) -> String {
    order.map(|order| order.to_string()).unwrap_or_default()
}

/// A store with its settings and its number of open orders.
pub fn store(store: &Store) -> v1::Store {
    v1::Store {
        store_id: store.id.to_string(),
        display_name: store.display_name.clone(),
        currency: store.currency.code().to_owned(),
        time_zone: store.time_zone.name().to_owned(),
        back_orders_enabled: store.back_orders_enabled,
        open_purchase_order_count: store.open_orders,
        create_time: Some(time(store.create_time)),
        over_receipt_tolerance: store.over_receipt_tolerance.to_string(),
        allow_negative_stock: store.allow_negative_stock,
        allow_unlisted_items: store.allow_unlisted_items,
    }
}

/// A header, with the actions that this caller may take now.
pub fn purchase_order(seen: &OrderView) -> v1::PurchaseOrder {
    let OrderView { order, allowed_actions } = seen;
    // An order keeps one time and one principal of its end; the state says which end it was.
    let (completed, cancelled) = (order.state == State::Completed, order.state == State::Cancelled);
    v1::PurchaseOrder {
        store_id: order.key.store.to_string(),
        purchase_order_id: order.key.order.to_string(),
        number: order.number.clone(),
        state: state(order.state).into(),
        etag: order.etag(),
        supplier_id: order.supplier.clone(),
        supplier_reference: order.supplier_reference.clone().unwrap_or_default(),
        note: order.note.clone().unwrap_or_default(),
        currency: order.currency.code().to_owned(),
        expected_date: date(order.expected_date),
        create_time: Some(time(order.create_time)),
        order_time: maybe_time(order.order_time),
        place_time: maybe_time(order.place_time),
        complete_time: maybe_time(order.close_time.filter(|_| completed)),
        cancel_time: maybe_time(order.close_time.filter(|_| cancelled)),
        cancel_reason: order.cancel_reason.clone().unwrap_or_default(),
        cancel_reason_code: cancel_reason(order.cancel_reason_code),
        original_order_time: maybe_time(order.original_order_time),
        original_purchase_order_id: order.root.to_string(),
        parent_purchase_order_id: id(order.parent),
        back_order_purchase_order_id: id(order.child),
        back_order_sequence: order.chain_position,
        totals: Some(totals(&order.counters.totals)),
        line_count: order.counters.lines,
        pending_line_count: order.counters.pending_lines,
        active_receipt_count: order.counters.active_receipts,
        allowed_actions: allowed_actions.iter().map(|allowed| action(*allowed).into()).collect(),
        external_id: order.external_id.clone().unwrap_or_default(),
        ordered_cost: Some(order.counters.ordered_cost.to_string()),
        received_cost: Some(order.counters.received_cost.to_string()),
        pending_cost: Some(order.counters.pending_cost.to_string()),
        charges_cost: Some(order.charges_cost().to_string()),
        created_by: order.created_by.to_string(),
        placed_by: principal(order.placed_by.as_ref()),
        completed_by: principal(order.closed_by.as_ref().filter(|_| completed)),
        cancelled_by: principal(order.closed_by.as_ref().filter(|_| cancelled)),
        folded_back: order.folded_back,
    }
}

fn principal(id: Option<&PrincipalId>) -> String {
    id.map(PrincipalId::to_string).unwrap_or_default()
}

/// What is paid for an order besides its lines.
pub fn charges(order: &Order) -> Vec<v1::Charge> {
    let mut charges = Vec::with_capacity(order.charges.len());
    for Charge { description, amount } in &order.charges {
        charges.push(v1::Charge { description: description.clone(), amount: Some(amount.to_string()) });
    }
    charges
}

/// Quantities over all lines of an order.
pub fn totals(totals: &Quantities) -> v1::QuantityTotals {
    v1::QuantityTotals {
        ordered: totals.ordered.to_string(),
        received: totals.received.to_string(),
        rejected: totals.rejected.to_string(),
        back_ordered: totals.back_ordered.to_string(),
        cancelled: totals.cancelled.to_string(),
        pending: totals.pending.to_string(),
        excess: totals.excess.to_string(),
    }
}

/// A line. It takes the order too, because a line without an expected date of its own has the order's.
pub fn line(order: &Order, line: &Line) -> v1::PurchaseOrderLine {
    let Quantities { ordered, received, rejected, back_ordered, cancelled, pending, excess } = line.quantities;
    v1::PurchaseOrderLine {
        line_number: line.key.number,
        product_id: line.product.to_string(),
        description: line.description.clone(),
        gtin: line.gtin.clone().unwrap_or_default(),
        unit: unit(line.unit).into(),
        unit_cost: Some(line.unit_cost.to_string()),
        expected_date: date(order.expected_date_of(line)),
        first_expected_date: date(line.first_expected_date),
        ordered: ordered.to_string(),
        first_ordered: line.first_ordered.to_string(),
        received: received.to_string(),
        rejected: rejected.to_string(),
        back_ordered: back_ordered.to_string(),
        cancelled: cancelled.to_string(),
        pending: pending.to_string(),
        excess: excess.to_string(),
        returned: line.returned.to_string(),
        first_receive_time: maybe_time(line.first_receive_time),
        last_receive_time: maybe_time(line.last_receive_time),
        back_order_time: maybe_time(line.back_order_time),
        supplier_product_id: line.supplier_product.clone().unwrap_or_default(),
        note: line.note.clone().unwrap_or_default(),
        pack_size: line.pack_size.map(|size| size.to_string()).unwrap_or_default(),
        pack_cost: line.pack_cost.map(|cost| cost.to_string()),
        ordered_packs: packs(line, ordered),
        received_packs: packs(line, received),
        pending_packs: packs(line, pending),
        over_receipt_tolerance: line.tolerance.map(|tolerance| tolerance.to_string()).unwrap_or_default(),
        ordered_cost: Some(line.value_of(ordered).to_string()),
        pending_cost: Some(line.value_of(pending).to_string()),
        lot_required: line.lot_required,
        confirmed: line.confirmed.map(|confirmed| confirmed.to_string()).unwrap_or_default(),
        shortfall: line.shortfall().to_string(),
    }
}

/// A quantity in packs of its line; empty if it is not a whole number of packs.
fn packs(line: &Line, quantity: Quantity) -> String {
    let packs = line.pack_size.and_then(|size| whole_packs_in(quantity, size));
    packs.map(|packs| packs.to_string()).unwrap_or_default()
}

/// A receipt with its items, and the number of its order.
pub fn receipt(receipt: &Receipt, number: &str) -> v1::Receipt {
    let items: Vec<v1::ReceiptItem> = receipt.items.iter().map(receipt_item).collect();
    let value = Some(receipt.value().to_string());
    v1::Receipt { item_count: items.len() as i32, items, value, ..receipt_header(receipt, number, 0) }
}

/// A receipt as lists show it: with the number of its items and without the items.
pub fn receipt_header(receipt: &Receipt, number: &str, item_count: i32) -> v1::Receipt {
    let voided = receipt.voided.as_ref();
    v1::Receipt {
        receipt_number: receipt.key.number,
        receive_time: Some(time(receipt.receive_time)),
        book_time: Some(time(receipt.book_time)),
        booked_by: receipt.booked_by.to_string(),
        delivery_note: receipt.delivery_note.clone().unwrap_or_default(),
        note: receipt.note.clone().unwrap_or_default(),
        void_time: voided.map(|voided| time(voided.time)),
        void_reason: voided.map(|voided| voided.reason.clone()).unwrap_or_default(),
        items: Vec::new(),
        item_count,
        voided_by: voided.map(|voided| voided.by.to_string()).unwrap_or_default(),
        store_id: receipt.key.order.store.to_string(),
        purchase_order_id: receipt.key.order.order.to_string(),
        supplier_id: receipt.supplier.clone(),
        purchase_order_number: number.to_owned(),
        value: None,
        delivery_id: receipt.delivery.map(|delivery| delivery.to_string()).unwrap_or_default(),
        corrects_receipt_number: receipt.corrects.unwrap_or_default(),
    }
}

fn receipt_item(item: &ReceiptItem) -> v1::ReceiptItem {
    v1::ReceiptItem {
        line_number: item.line,
        accepted: item.accepted.to_string(),
        rejected: item.rejected.to_string(),
        reject_reason: item.rejection.as_ref().map_or(0, |rejection| reject_reason(rejection.reason).into()),
        reject_note: item.rejection.as_ref().and_then(|rejection| rejection.note.clone()).unwrap_or_default(),
        excess: item.excess.to_string(),
        unit_cost: item.costs.unit_cost.map(|cost| cost.to_string()),
        excess_unit_cost: item.costs.excess_unit_cost.map(|cost| cost.to_string()),
        value: Some(item.value.to_string()),
        lots: item.lots.iter().map(lot).collect(),
    }
}

fn lot(LotQuantity { lot, quantity }: &LotQuantity) -> v1::Lot {
    v1::Lot { lot_code: lot.code.clone(), expiry_date: date(lot.expiry_date), quantity: quantity.to_string() }
}

/// A reason for rejecting in the contract.
pub const fn reject_reason(reason: RejectReason) -> v1::RejectReason {
    match reason {
        RejectReason::Damaged => v1::RejectReason::Damaged,
        RejectReason::Expired => v1::RejectReason::Expired,
        RejectReason::WrongProduct => v1::RejectReason::WrongProduct,
        RejectReason::Quality => v1::RejectReason::Quality,
        RejectReason::NotOrdered => v1::RejectReason::NotOrdered,
        RejectReason::Other => v1::RejectReason::Other,
    }
}

/// The reject reason with this number in the contract: `Some(None)` for unspecified, `None` for unknown
/// numbers.
pub fn reject_reason_of(wire: i32) -> Option<Option<RejectReason>> {
    if wire == 0 {
        return Some(None);
    }
    RejectReason::ALL.into_iter().find(|known| reject_reason(*known) as i32 == wire).map(Some)
}

/// The number of a cancel reason in the contract; `None` is unspecified.
pub fn cancel_reason(reason: Option<CancelReason>) -> i32 {
    let Some(reason) = reason else { return v1::CancelReason::Unspecified.into() };
    let reason = match reason {
        CancelReason::OutOfStock => v1::CancelReason::OutOfStock,
        CancelReason::Discontinued => v1::CancelReason::Discontinued,
        CancelReason::Late => v1::CancelReason::Late,
        CancelReason::Price => v1::CancelReason::Price,
        CancelReason::NoLongerNeeded => v1::CancelReason::NoLongerNeeded,
        CancelReason::Duplicate => v1::CancelReason::Duplicate,
        CancelReason::OrderedByMistake => v1::CancelReason::OrderedByMistake,
        CancelReason::Other => v1::CancelReason::Other,
    };
    reason.into()
}

/// The cancel reason with this number in the contract: `Some(None)` for unspecified, `None` for unknown
/// numbers.
pub fn cancel_reason_of(wire: i32) -> Option<Option<CancelReason>> {
    if wire == 0 {
        return Some(None);
    }
    CancelReason::ALL.into_iter().find(|known| cancel_reason(Some(*known)) == wire).map(Some)
}

/// The inventory level of one product in one store.
pub fn level(level: &Level) -> v1::InventoryLevel {
    v1::InventoryLevel {
        store_id: level.key.store.to_string(),
        product_id: level.key.product.to_string(),
        unit: unit(level.unit).into(),
        on_hand: level.on_hand.to_string(),
        staged: level.inbound.staged.to_string(),
        on_order: level.inbound.on_order.to_string(),
        back_ordered: level.inbound.back_ordered.to_string(),
        average_cost: Some(level.average_cost.to_string()),
        value: Some(level.value().to_string()),
    }
}

/// A row of the stock ledger.
pub fn movement(movement: &Movement) -> v1::StockMovement {
    v1::StockMovement {
        movement_number: movement.number,
        kind: movement_kind(movement.kind).into(),
        quantity: movement.quantity.to_string(),
        unit_cost: Some(movement.unit_cost.to_string()),
        balance_after: movement.balance_after.to_string(),
        create_time: Some(time(movement.create_time)),
        purchase_order_id: id(movement.order),
        line_number: movement.line.unwrap_or_default(),
        receipt_number: movement.receipt.unwrap_or_default(),
        receive_time: maybe_time(movement.receive_time),
        average_cost_after: Some(movement.average_after.to_string()),
        reason: movement.reason.clone().unwrap_or_default(),
        lot_code: movement.lot.as_ref().map(|lot| lot.code.clone()).unwrap_or_default(),
        expiry_date: date(movement.lot.as_ref().and_then(|lot| lot.expiry_date)),
    }
}

/// A lot that is in stock.
pub fn inventory_lot(in_stock: &LotInStock) -> v1::InventoryLot {
    let LotInStock { key, unit: counted_in, on_hand } = in_stock;
    v1::InventoryLot {
        store_id: key.level.store.to_string(),
        product_id: key.level.product.to_string(),
        lot_code: key.lot.code.clone(),
        expiry_date: date(key.lot.expiry_date),
        unit: unit(*counted_in).into(),
        on_hand: on_hand.to_string(),
    }
}

/// Why stock changed.
pub const fn movement_kind(kind: MovementKind) -> v1::StockMovementKind {
    match kind {
        MovementKind::Receipt => v1::StockMovementKind::Receipt,
        MovementKind::ReceiptReversal => v1::StockMovementKind::ReceiptReversal,
        MovementKind::Sale => v1::StockMovementKind::Sale,
        MovementKind::CustomerReturn => v1::StockMovementKind::CustomerReturn,
        MovementKind::ReturnToSupplier => v1::StockMovementKind::ReturnToSupplier,
        MovementKind::Count => v1::StockMovementKind::Count,
        MovementKind::Loss => v1::StockMovementKind::Loss,
    }
}

/// The kind of adjustment with this number in the contract; `None` for unspecified and unknown numbers.
pub fn adjustment_kind_of(wire: i32) -> Option<AdjustmentKind> {
    match v1::AdjustmentKind::try_from(wire).ok()? {
        v1::AdjustmentKind::Unspecified => None,
        v1::AdjustmentKind::Sale => Some(AdjustmentKind::Sale),
        v1::AdjustmentKind::CustomerReturn => Some(AdjustmentKind::CustomerReturn),
        v1::AdjustmentKind::ReturnToSupplier => Some(AdjustmentKind::ReturnToSupplier),
        v1::AdjustmentKind::Count => Some(AdjustmentKind::Count),
        v1::AdjustmentKind::Loss => Some(AdjustmentKind::Loss),
    }
}

/// A state of an order.
pub const fn state(state: State) -> v1::PurchaseOrderState {
    match state {
        State::Draft => v1::PurchaseOrderState::Draft,
        State::OnOrder => v1::PurchaseOrderState::OnOrder,
        State::Receiving => v1::PurchaseOrderState::Receiving,
        State::Completed => v1::PurchaseOrderState::Completed,
        State::Cancelled => v1::PurchaseOrderState::Cancelled,
    }
}

const fn action(action: Action) -> v1::PurchaseOrderAction {
    match action {
        Action::Update | Action::UpdateExternalId => v1::PurchaseOrderAction::Update,
        Action::Place => v1::PurchaseOrderAction::Place,
        Action::Receive => v1::PurchaseOrderAction::Receive,
        Action::VoidReceipt => v1::PurchaseOrderAction::VoidReceipt,
        Action::CorrectReceipt => v1::PurchaseOrderAction::CorrectReceipt,
        Action::Complete => v1::PurchaseOrderAction::Complete,
        Action::CancelLines => v1::PurchaseOrderAction::CancelLines,
        Action::Cancel => v1::PurchaseOrderAction::Cancel,
        Action::Copy => v1::PurchaseOrderAction::Copy,
        Action::Amend => v1::PurchaseOrderAction::Amend,
        Action::Confirm => v1::PurchaseOrderAction::Confirm,
        Action::Reopen => v1::PurchaseOrderAction::Reopen,
    }
}

/// A unit.
pub const fn unit(unit: Unit) -> v1::Unit {
    match unit {
        Unit::Each => v1::Unit::Each,
        Unit::Pair => v1::Unit::Pair,
        Unit::Set => v1::Unit::Set,
        Unit::Box => v1::Unit::Box,
        Unit::Roll => v1::Unit::Roll,
        Unit::Bottle => v1::Unit::Bottle,
        Unit::Kilogram => v1::Unit::Kilogram,
        Unit::Gram => v1::Unit::Gram,
        Unit::Litre => v1::Unit::Litre,
        Unit::Millilitre => v1::Unit::Millilitre,
        Unit::Metre => v1::Unit::Metre,
        Unit::SquareMetre => v1::Unit::SquareMetre,
    }
}

/// A permission.
pub const fn permission(permission: Permission) -> v1::Permission {
    match permission {
        Permission::View => v1::Permission::View,
        Permission::ViewCosts => v1::Permission::ViewCosts,
        Permission::Edit => v1::Permission::Edit,
        Permission::Place => v1::Permission::Place,
        Permission::Receive => v1::Permission::Receive,
        Permission::CompletePurchaseOrders => v1::Permission::CompletePurchaseOrders,
        Permission::Reopen => v1::Permission::Reopen,
        Permission::Cancel => v1::Permission::Cancel,
        Permission::AdjustInventory => v1::Permission::AdjustInventory,
        Permission::ManageStore => v1::Permission::ManageStore,
        Permission::ManageAccess => v1::Permission::ManageAccess,
        Permission::ViewReports => v1::Permission::ViewReports,
    }
}

/// The unit with this number in the contract; `None` for unspecified and unknown numbers.
pub fn unit_of(wire: i32) -> Option<Unit> {
    Unit::ALL.into_iter().find(|known| unit(*known) as i32 == wire)
}

/// The state with this number in the contract; `None` for unspecified and unknown numbers.
pub fn state_of(wire: i32) -> Option<State> {
    State::ALL.into_iter().find(|known| state(*known) as i32 == wire)
}

/// The permission with this number in the contract; `None` for unspecified and unknown numbers.
pub fn permission_of(wire: i32) -> Option<Permission> {
    Permission::ALL.into_iter().find(|known| permission(*known) as i32 == wire)
}

/// The disposition with this number in the contract: `Some(None)` for unspecified, `None` for unknown numbers.
pub fn disposition_of(wire: i32) -> Option<Option<Disposition>> {
    Some(match v1::PendingDisposition::try_from(wire).ok()? {
        v1::PendingDisposition::Unspecified => None,
        v1::PendingDisposition::BackOrder => Some(Disposition::BackOrder),
        v1::PendingDisposition::Cancel => Some(Disposition::Cancel),
    })
}

/// The header of the order that a command was about; of the first, if there are several.
pub fn order_of(reply: &Reply) -> Option<v1::PurchaseOrder> {
    reply.orders.first().map(|of_order| purchase_order(&of_order.view))
}

/// The receipt that a command booked or voided.
pub fn receipt_of(reply: &Reply) -> Option<v1::Receipt> {
    let of_order = reply.orders.first()?;
    of_order.receipt.as_ref().map(|changed| receipt(changed, &of_order.view.order.number))
}

/// The receipt that a command booked, as it was booked: a replay repeats it even if it was voided since.
pub fn booked_receipt(of_order: &OrderReply) -> Option<v1::Receipt> {
    let booked = of_order.receipt.clone()?;
    Some(receipt(&Receipt { voided: None, ..booked }, &of_order.view.order.number))
}

/// The lines that a command changed, as they are after it; empty if the reply has no order.
pub fn touched_lines(reply: &Reply) -> Vec<v1::PurchaseOrderLine> {
    reply.orders.first().map(lines_of).unwrap_or_default()
}

/// The lines of one order that a command changed, as they are after it.
pub fn lines_of(of_order: &OrderReply) -> Vec<v1::PurchaseOrderLine> {
    of_order.lines.iter().map(|touched| line(&of_order.view.order, touched)).collect()
}
