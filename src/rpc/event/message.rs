//! Events as messages: the same wherever the contract shows one.

use crate::domain::access::Permission;
use crate::domain::event::history::shown_lines;
use crate::domain::event::{
    AmendedLine, Amendment, CancelledLine, ChargeDetail, ConfirmedLine, Detail, Event, ItemQuantities, LineQuantity,
    OrderChanges, OrderSummary, SettledLine, UnsettledLine, ValueChange,
};
use crate::domain::time::Timestamp;
use crate::proto::v1;
use crate::proto::v1::event::Change;
use crate::repository::read::authorized::Authorized;
use crate::rpc::convert;

/// Bytes of stored details after which a page of events ends. A message of an event is smaller than what is stored of
/// it, but for up to 900 bytes around it: so a page of 1,000 events stays well below the 4 MiB of a message.
pub const MAX_STORED_BYTES: i64 = 2 * 1024 * 1024;

/// An event as a caller may see it. Costs are not hidden here but with all others of an answer.
pub fn event(event: Event, authorized: &Authorized) -> v1::Event {
    let sees_access = authorized.permissions().contains(&Permission::ManageAccess);
    let (r#type, is_shown) = (event_type(&event.detail), sees_access || !is_of_access(&event.detail));
    let mut change = change(event.detail);
    if let (Change::StoreCreated(created), false) = (&mut change, sees_access) {
        // Who holds a role is shown to those alone who manage access, and the owner holds one.
        created.owner.clear();
    }
    v1::Event {
        store_id: event.store.to_string(),
        event_number: event.number,
        event_time: Some(convert::time(event.time)),
        actor: event.actor.to_string(),
        as_operator: event.as_operator,
        r#type: r#type.into(),
        purchase_order: event.order.map(summary),
        change: is_shown.then_some(change),
    }
}

/// The type of an event: the contract has each kind under its name.
fn event_type(detail: &Detail) -> v1::EventType {
    // Never the default: a test shows that every kind has a type.
    v1::EventType::from_str_name(&format!("EVENT_TYPE_{}", detail.kind())).unwrap_or_default()
}

/// The kind under which events of a type are stored; `None` for a type that is not in the contract.
pub fn kind_of(wire: i32) -> Option<&'static str> {
    let known = v1::EventType::try_from(wire).ok().filter(|known| *known != v1::EventType::Unspecified)?;
    known.as_str_name().strip_prefix("EVENT_TYPE_")
}

/// Whether an event tells of roles or of who holds them, which not everybody may see who sees the store.
fn is_of_access(detail: &Detail) -> bool {
    matches!(
        detail,
        Detail::RoleCreated { .. }
            | Detail::RoleUpdated { .. }
            | Detail::RoleDeleted { .. }
            | Detail::RoleGranted { .. }
            | Detail::RoleRevoked { .. }
    )
}

fn summary(order: OrderSummary) -> v1::PurchaseOrderSummary {
    v1::PurchaseOrderSummary {
        purchase_order_id: order.order.to_string(),
        number: order.number,
        state: convert::state(order.state).into(),
        revision: order.revision,
        supplier_id: order.supplier,
        external_id: order.external_id.unwrap_or_default(),
        expected_date: convert::date(order.expected_date),
        original_purchase_order_id: order.root.to_string(),
        parent_purchase_order_id: convert::id(order.parent),
        back_order_purchase_order_id: convert::id(order.child),
        back_order_sequence: order.chain_position,
        totals: Some(convert::totals(&order.totals)),
        line_count: order.lines,
        pending_line_count: order.pending_lines,
        active_receipt_count: order.active_receipts,
        ordered_cost: Some(order.ordered_cost.to_string()),
        received_cost: Some(order.received_cost.to_string()),
        pending_cost: Some(order.pending_cost.to_string()),
        charges_cost: Some(order.charges_cost.to_string()),
    }
}

/// The message of what happened.
fn change(detail: Detail) -> Change {
    match detail {
        Detail::StoreCreated { owner, currency, time_zone } => {
            Change::StoreCreated(v1::StoreCreated { owner, currency, time_zone })
        }
        Detail::StoreUpdated {
            display_name,
            time_zone,
            over_receipt_tolerance,
            allow_negative_stock,
            allow_unlisted_items,
        } => Change::StoreUpdated(v1::StoreUpdated {
            display_name,
            time_zone,
            over_receipt_tolerance,
            allow_negative_stock,
            allow_unlisted_items,
        }),
        Detail::BackOrdersEnabled {} => Change::BackOrdersEnabled(v1::BackOrdersEnabled {}),
        Detail::BackOrdersDisabled {} => Change::BackOrdersDisabled(v1::BackOrdersDisabled {}),
        Detail::RoleCreated { role, permissions } => {
            Change::RoleCreated(v1::RoleCreated { role_id: role, permissions: wire_permissions(&permissions) })
        }
        Detail::RoleUpdated { role, added, removed } => Change::RoleUpdated(v1::RoleUpdated {
            role_id: role,
            added: wire_permissions(&added),
            removed: wire_permissions(&removed),
        }),
        Detail::RoleDeleted { role } => Change::RoleDeleted(v1::RoleDeleted { role_id: role }),
        Detail::RoleGranted { principal, role } => Change::RoleGranted(v1::RoleGranted { principal, role_id: role }),
        Detail::RoleRevoked { principal, role } => Change::RoleRevoked(v1::RoleRevoked { principal, role_id: role }),
        Detail::OrderCreated { number, copied_from, lines } => Change::Created(v1::OrderCreated {
            number,
            copied_from_purchase_order_id: convert::id(copied_from),
            line_count: count(&lines),
            lines: quantities(lines),
        }),
        Detail::OrderUpdated(changes) => Change::Updated(updated(changes)),
        Detail::OrderAmended(amendment) => Change::Amended(amended(amendment)),
        Detail::OrderConfirmed { lines } => Change::Confirmed(v1::OrderConfirmed {
            line_count: count(&lines),
            lines: shown_lines(lines).into_iter().map(confirmed_line).collect(),
        }),
        Detail::OrderPlaced { order_time } => Change::Placed(v1::OrderPlaced { order_time: instant(order_time) }),
        Detail::ReceiptBooked { receipt, receive_time, delivery, lines_added, items } => {
            Change::ReceiptBooked(v1::ReceiptBooked {
                receipt_number: receipt,
                receive_time: instant(receive_time),
                delivery_id: delivery.map(|delivery| delivery.to_string()).unwrap_or_default(),
                line_count: count(&items),
                lines: received(items),
                added_line_count: count(&lines_added),
                added_line_numbers: shown_lines(lines_added),
            })
        }
        Detail::ReceiptVoided { receipt, reason, items } => Change::ReceiptVoided(v1::ReceiptVoided {
            receipt_number: receipt,
            reason,
            line_count: count(&items),
            lines: received(items),
        }),
        Detail::ReceiptCorrected { receipt, reason, items_before, replacement, receive_time, lines_added, items } => {
            Change::ReceiptCorrected(v1::ReceiptCorrected {
                receipt_number: receipt,
                reason,
                line_count_before: count(&items_before),
                lines_before: received(items_before),
                replacement_receipt_number: replacement,
                receive_time: instant(receive_time),
                line_count: count(&items),
                lines: received(items),
                added_line_count: count(&lines_added),
                added_line_numbers: shown_lines(lines_added),
            })
        }
        Detail::OrderCompleted { settled, back_order, cancel_reason, cancel_reason_code } => {
            Change::Completed(v1::OrderCompleted {
                line_count: count(&settled),
                lines: shown_lines(settled).into_iter().map(settled_line).collect(),
                back_order_purchase_order_id: convert::id(back_order),
                cancel_reason: cancel_reason.unwrap_or_default(),
                cancel_reason_code: convert::cancel_reason(cancel_reason_code),
            })
        }
        Detail::BackOrderCreated { number, parent, lines } => Change::BackOrderCreated(v1::BackOrderCreated {
            number,
            parent_purchase_order_id: parent.to_string(),
            line_count: count(&lines),
            lines: quantities(lines),
        }),
        Detail::LinesCancelled { lines } => Change::LinesCancelled(v1::LinesCancelled {
            line_count: count(&lines),
            lines: shown_lines(lines).into_iter().map(cancelled_line).collect(),
        }),
        Detail::OrderCancelled { reason, reason_code } => Change::Cancelled(v1::OrderCancelled {
            reason: reason.unwrap_or_default(),
            reason_code: convert::cancel_reason(reason_code),
        }),
        Detail::OrderReopened { reason, folded_back, lines } => Change::Reopened(v1::OrderReopened {
            reason,
            line_count: count(&lines),
            lines: shown_lines(lines).into_iter().map(unsettled_line).collect(),
            back_order_purchase_order_id: convert::id(folded_back),
        }),
        Detail::BackOrderFolded { parent, reason, lines } => Change::BackOrderFolded(v1::BackOrderFolded {
            parent_purchase_order_id: parent.to_string(),
            reason,
            line_count: count(&lines),
            lines: quantities(lines),
        }),
        Detail::StockAdjusted { product, kind, quantity, unit_cost, on_hand, line, reason } => {
            Change::StockAdjusted(v1::StockAdjusted {
                product_id: product,
                kind: convert::movement_kind(kind).into(),
                quantity,
                unit_cost: Some(unit_cost),
                on_hand,
                line_number: line.unwrap_or_default(),
                reason,
            })
        }
    }
}

fn wire_permissions(permissions: &[Permission]) -> Vec<i32> {
    permissions.iter().map(|permission| convert::permission(*permission).into()).collect()
}

/// The fields that changed: named, because a value that is empty may have been emptied or not be changed.
fn updated(changes: OrderChanges) -> v1::OrderUpdated {
    let OrderChanges { supplier, supplier_reference, note, external_id, charges, expected_date, lines } = changes;
    let mut changed_fields = Vec::new();
    for (field, is_changed) in [
        ("supplier_id", supplier.is_some()),
        ("supplier_reference", supplier_reference.is_some()),
        ("note", note.is_some()),
        ("expected_date", expected_date.is_some()),
        ("external_id", external_id.is_some()),
        ("charges", charges.is_some()),
        ("lines", lines.is_some()),
    ] {
        if is_changed {
            changed_fields.push(field.to_owned());
        }
    }
    let lines = lines.unwrap_or_default();
    v1::OrderUpdated {
        changed_fields,
        supplier_id: supplier.unwrap_or_default(),
        supplier_reference: supplier_reference.flatten().unwrap_or_default(),
        note: note.flatten().unwrap_or_default(),
        expected_date: expected_date.flatten().unwrap_or_default(),
        external_id: external_id.flatten().unwrap_or_default(),
        charges: charges.unwrap_or_default().into_iter().map(charge).collect(),
        line_count: count(&lines),
        lines: quantities(lines),
    }
}

fn amended(amendment: Amendment) -> v1::OrderAmended {
    let Amendment { expected_date, charges, lines } = amendment;
    let mut changed_fields = Vec::new();
    for (field, is_changed) in [("expected_date", expected_date.is_some()), ("charges", charges.is_some())] {
        if is_changed {
            changed_fields.push(field.to_owned());
        }
    }
    let (expected_date_before, expected_date) = sides(expected_date);
    v1::OrderAmended {
        changed_fields,
        expected_date_before: expected_date_before.unwrap_or_default(),
        expected_date: expected_date.unwrap_or_default(),
        charges: charges.unwrap_or_default().into_iter().map(charge).collect(),
        line_count: count(&lines),
        lines: shown_lines(lines).into_iter().map(amended_line).collect(),
    }
}

fn amended_line(amended: AmendedLine) -> v1::AmendedLine {
    let AmendedLine { line, is_added, is_removed, ordered, expected_date, unit_cost, pack_cost, is_note_changed } =
        amended;
    let (ordered_before, ordered) = sides(ordered);
    let (expected_date_before, expected_date) = sides(expected_date);
    let (unit_cost_before, unit_cost) = sides(unit_cost);
    let (pack_cost_before, pack_cost) = sides(pack_cost);
    v1::AmendedLine {
        line_number: line,
        added: is_added,
        removed: is_removed,
        ordered_before,
        ordered,
        expected_date_before,
        expected_date,
        unit_cost_before,
        unit_cost,
        pack_cost_before,
        pack_cost,
        note_changed: is_note_changed,
    }
}

/// Both sides of a change, empty where there was no value; neither if nothing changed.
fn sides(change: Option<ValueChange>) -> (Option<String>, Option<String>) {
    match change {
        Some(ValueChange { from, to }) => (Some(from.unwrap_or_default()), Some(to.unwrap_or_default())),
        None => (None, None),
    }
}

fn confirmed_line(ConfirmedLine { line, confirmed, expected_date }: ConfirmedLine) -> v1::ConfirmedLine {
    v1::ConfirmedLine { line_number: line, confirmed, expected_date: expected_date.unwrap_or_default() }
}

fn charge(ChargeDetail { description, amount }: ChargeDetail) -> v1::Charge {
    v1::Charge { description, amount: Some(amount) }
}

fn quantities(lines: Vec<LineQuantity>) -> Vec<v1::LineQuantity> {
    let message = |LineQuantity { line, quantity }| v1::LineQuantity { line_number: line, quantity };
    shown_lines(lines).into_iter().map(message).collect()
}

fn received(items: Vec<ItemQuantities>) -> Vec<v1::ReceivedLine> {
    let message =
        |ItemQuantities { line, accepted, rejected }| v1::ReceivedLine { line_number: line, accepted, rejected };
    shown_lines(items).into_iter().map(message).collect()
}

fn settled_line(settled: SettledLine) -> v1::SettledLine {
    let SettledLine { line, back_ordered, cancelled, reason, reason_code, expected_date } = settled;
    v1::SettledLine {
        line_number: line,
        back_ordered,
        cancelled,
        cancel_reason: reason.unwrap_or_default(),
        cancel_reason_code: convert::cancel_reason(reason_code),
        expected_date: expected_date.unwrap_or_default(),
    }
}

fn cancelled_line(CancelledLine { line, quantity, reason, reason_code }: CancelledLine) -> v1::CancelledLine {
    v1::CancelledLine { line_number: line, quantity, reason, reason_code: convert::cancel_reason(reason_code) }
}

fn unsettled_line(UnsettledLine { line, back_ordered, cancelled }: UnsettledLine) -> v1::UnsettledLine {
    v1::UnsettledLine { line_number: line, back_ordered, cancelled }
}

/// How many lines there are, also where they are too many to be shown.
fn count<T>(lines: &[T]) -> i32 {
    i32::try_from(lines.len()).unwrap_or(i32::MAX)
}

/// A time as details keep it, in microseconds.
fn instant(micros: i64) -> Option<prost_types::Timestamp> {
    Some(convert::time(Timestamp::from_micros(micros)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_of_event_has_a_type_and_every_type_a_kind() {
        // Who reads a kind that is not known is told all that are.
        let unknown = Detail::from_stored("UNKNOWN", r#"{"v":1}"#).unwrap_err().cause;
        let kinds: BTreeSet<&str> = unknown.split('`').skip(3).step_by(2).collect();
        let types: BTreeSet<&str> = (1..).map_while(kind_of).collect();
        assert_eq!(types, kinds, "{unknown}");
        assert!(types.len() > 20, "{unknown}");
    }
}
