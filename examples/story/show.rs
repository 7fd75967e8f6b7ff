//! What the service answers, in words and tables.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use purchase_order_service::proto::v1::{
    ChainLine, InventoryLevel, PreviewCompletionResponse, PurchaseOrder, PurchaseOrderLine, StockMovement, Unit,
};
use tonic::Status;
use tonic_types::StatusExt;

use crate::plot::TIME_ZONE;
use crate::table::{Table, gap, say};

/// One sentence about an order: its number, where it stands, what is left.
pub fn header(order: &PurchaseOrder) {
    let pending = match (order.pending_line_count, order.line_count) {
        (0, _) => "nothing pending".to_owned(),
        (pending, of) => format!("{pending} of {of} lines pending"),
    };
    say(format!("{}: {}, {pending}", order.number, words(order.state().as_str_name(), "PURCHASE_ORDER_STATE_")));
}

/// What a person is offered to do with an order.
pub fn buttons(name: &str, order: &PurchaseOrder) {
    let actions = order.allowed_actions();
    let buttons: Vec<_> = actions.map(|action| words(action.as_str_name(), "PURCHASE_ORDER_ACTION_")).collect();
    say(format!("{name} is offered: {}", if buttons.is_empty() { "nothing".to_owned() } else { buttons.join(", ") }));
}

/// An order's lines as they were ordered.
pub fn ordered(lines: &[PurchaseOrderLine]) {
    let mut table = Table::new(["line", "product", "unit", "ordered", "unit cost"]);
    for line in lines {
        table.row([
            line.line_number.to_string(),
            line.description.clone(),
            unit(line.unit()),
            line.ordered.clone(),
            money(line.unit_cost()),
        ]);
    }
    table.print();
}

/// What became of an order's lines so far.
pub fn lines(lines: &[PurchaseOrderLine]) {
    let mut table =
        Table::new(["line", "product", "ordered", "received", "rejected", "back-ordered", "cancelled", "pending"]);
    for line in lines {
        table.row([
            line.line_number.to_string(),
            line.description.clone(),
            line.ordered.clone(),
            line.received.clone(),
            line.rejected.clone(),
            line.back_ordered.clone(),
            line.cancelled.clone(),
            line.pending.clone(),
        ]);
    }
    table.print();
}

/// A completion before it happens: what is pending, what would become of it, and what blocks it.
pub fn preview(preview: &PreviewCompletionResponse) {
    let mut table = Table::new(["line", "product", "pending", "worth", "back order", "cancel", "unsettled"]);
    for line in &preview.pending_lines {
        table.row([
            line.line_number.to_string(),
            line.description.clone(),
            line.pending.clone(),
            money(line.pending_cost()),
            line.back_order.clone(),
            line.cancel.clone(),
            line.unsettled.clone(),
        ]);
    }
    table.print();
    gap();
    for blocker in &preview.blockers {
        say(format!("In the way: {} ({})", blocker.message, blocker.reason));
    }
    if preview.blockers.is_empty() {
        say(format!("Nothing is in the way. The back order would be {}.", preview.back_order_number));
    }
}

/// The stock of several products.
pub fn levels(levels: &[(&str, InventoryLevel)]) {
    let mut table = Table::new(["product", "unit", "on hand", "staged", "on order", "of it back-ordered"]);
    for (description, level) in levels {
        table.row([
            (*description).to_owned(),
            unit(level.unit()),
            level.on_hand.clone(),
            level.staged.clone(),
            level.on_order.clone(),
            level.back_ordered.clone(),
        ]);
    }
    table.print();
}

/// One product's ledger; `number_of` turns an order's id into its number.
pub fn movements(movements: &[StockMovement], number_of: impl Fn(&str) -> String) {
    let mut table = Table::new(["no.", "why", "quantity", "unit cost", "on hand after", "arrived"]);
    for movement in movements {
        let order = number_of(&movement.purchase_order_id);
        table.row([
            movement.movement_number.to_string(),
            format!("{order}, line {}, receipt {}", movement.line_number, movement.receipt_number),
            movement.quantity.clone(),
            money(movement.unit_cost()),
            movement.balance_after.clone(),
            day(movement.receive_time.as_ref()),
        ]);
    }
    table.print();
}

/// A chain's lines, rolled up to the original order.
pub fn chain(lines: &[ChainLine]) {
    let mut table = Table::new([
        "line",
        "product",
        "ordered",
        "received",
        "on hand",
        "cancelled",
        "pending",
        "first came",
        "last came",
    ]);
    for line in lines {
        table.row([
            line.line_number.to_string(),
            line.description.clone(),
            line.ordered.clone(),
            line.received.clone(),
            line.on_hand.clone(),
            line.cancelled.clone(),
            line.pending.clone(),
            day(line.first_receive_time.as_ref()),
            day(line.last_receive_time.as_ref()),
        ]);
    }
    table.print();
}

/// Why a call was refused, for a person and for a program.
pub fn refusal(status: &Status) {
    let reason = status.get_details_error_info().map_or_else(String::new, |info| info.reason);
    say(format!("Refused: {} ({reason})", status.message()));
}

/// The day of an instant in the store; a dash if it never was.
pub fn day(time: Option<&prost_types::Timestamp>) -> String {
    let instant = time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    let here = instant.and_then(|instant| Some(instant.to_zoned(TimeZone::get(TIME_ZONE).ok()?)));
    here.map_or_else(|| "-".to_owned(), |here| here.date().to_string())
}

/// With at least two places.
fn money(amount: &str) -> String {
    match amount.split_once('.') {
        None => format!("{amount}.00"),
        Some((_, places)) => format!("{amount}{}", "0".repeat(2_usize.saturating_sub(places.len()))),
    }
}

fn unit(unit: Unit) -> String {
    words(unit.as_str_name(), "UNIT_")
}

/// `PURCHASE_ORDER_STATE_ON_ORDER` without its prefix: "on order".
fn words(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).replace('_', " ").to_lowercase()
}
