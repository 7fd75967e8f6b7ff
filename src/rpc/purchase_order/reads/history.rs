//! ListPurchaseOrderHistory: an order's events, each as the message of its kind.

use tonic::{Request, Response, Status};

use super::OrderPage;
use crate::domain::event::history::shown_lines;
use crate::domain::event::{
    AmendedLine, Amendment, CancelledLine, ChargeDetail, ConfirmedLine, Detail, Event, ItemQuantities, LineQuantity,
    OrderChanges, SettledLine, UnsettledLine, ValueChange,
};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::proto::v1;
use crate::proto::v1::history_entry::Change;
use crate::repository::read::history::{self, HistoryLimits, HistoryPage};
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::Page;
use crate::rpc::{App, convert};
use crate::workers::ReadClass;

/// Bytes of stored details after which a page ends. A message of an event is smaller than what is stored of
/// it, but for up to 300 bytes around it: so a page of 1,000 events stays well below the 4 MiB of a message.
const MAX_STORED_BYTES: i64 = 2 * 1024 * 1024;

pub(in crate::rpc::purchase_order) async fn list(
    app: &App,
    request: Request<v1::ListPurchaseOrderHistoryRequest>,
) -> Result<Response<v1::ListPurchaseOrderHistoryResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let OrderPage { key, page } = parse(app, request).map_err(to_status)?;
    let check = call.check(key.store).map_err(to_status)?;
    let after = page.after.unwrap_or(0);
    let limits = HistoryLimits { events: page.size as i64, bytes: MAX_STORED_BYTES };
    // An event may be about all lines of its order, so even a page of a few is a large read.
    let read = app
        .read(&call, ReadClass::Large, move |session| {
            let found = history::page(session, &check, key.order, after, limits)?;
            Ok(found.ok_or(Refusal::OrderNotFound)?)
        })
        .await?;
    Ok(read.answer(|found| response(found, &page)))
}

/// A page's key is the revision of its last event: each event of an order has its own, and none changes.
fn parse(app: &App, mut request: v1::ListPurchaseOrderHistoryRequest) -> Result<OrderPage<i64>, Refusal> {
    let mut fields = FieldParser::default();
    let key = fields.order_key(&request.store_id, &request.purchase_order_id);
    let page = Page::of(&app.page_key, &mut request, &mut fields);
    fields.finish()?;
    Ok(OrderPage { key, page })
}

fn response(found: HistoryPage, page: &Page<i64>) -> v1::ListPurchaseOrderHistoryResponse {
    let last = found.events.last().filter(|_| !found.is_last).map(history::revision);
    v1::ListPurchaseOrderHistoryResponse {
        entries: found.events.into_iter().map(entry).collect(),
        next_page_token: last.map(|last| page.token_after(&last)).unwrap_or_default(),
    }
}

fn entry(event: Event) -> v1::HistoryEntry {
    v1::HistoryEntry {
        event_number: event.number,
        revision: history::revision(&event),
        event_time: Some(convert::time(event.time)),
        actor: event.actor.to_string(),
        as_operator: event.as_operator,
        state: event.order.map_or(0, |order| convert::state(order.state).into()),
        change: change(event.detail),
    }
}

/// The message of what happened; `None` for what happens to stores, roles and grants, of which no order's
/// history has an event. Every kind is named, so that a new one is not forgotten here.
fn change(detail: Detail) -> Option<Change> {
    Some(match detail {
        Detail::StoreCreated { .. }
        | Detail::StoreUpdated { .. }
        | Detail::BackOrdersEnabled {}
        | Detail::BackOrdersDisabled {}
        | Detail::RoleCreated { .. }
        | Detail::RoleUpdated { .. }
        | Detail::RoleDeleted { .. }
        | Detail::RoleGranted { .. }
        | Detail::RoleRevoked { .. } => return None,
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
        Detail::OrderCompleted { settled, back_order, cancel_reason } => Change::Completed(v1::OrderCompleted {
            line_count: count(&settled),
            lines: shown_lines(settled).into_iter().map(settled_line).collect(),
            back_order_purchase_order_id: convert::id(back_order),
            cancel_reason: cancel_reason.unwrap_or_default(),
        }),
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
        Detail::OrderCancelled { reason } => {
            Change::Cancelled(v1::OrderCancelled { reason: reason.unwrap_or_default() })
        }
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
    })
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
    let SettledLine { line, back_ordered, cancelled, reason, expected_date } = settled;
    v1::SettledLine {
        line_number: line,
        back_ordered,
        cancelled,
        cancel_reason: reason.unwrap_or_default(),
        expected_date: expected_date.unwrap_or_default(),
    }
}

fn cancelled_line(CancelledLine { line, quantity, reason }: CancelledLine) -> v1::CancelledLine {
    v1::CancelledLine { line_number: line, quantity, reason }
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
