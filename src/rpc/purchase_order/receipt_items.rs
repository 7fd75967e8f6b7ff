//! The items of a delivery, as ReceivePurchaseOrder and ReceiveDelivery are given them.

use std::collections::BTreeSet;

use crate::domain::gtin::Gtin;
use crate::domain::inventory::lot::{Lot, LotQuantity};
use crate::domain::order::OrderId;
use crate::domain::order::receipt::{ItemCosts, LOT_SIZE, MAX_ITEMS_SIZE, RejectReason, Rejection, size_of_items};
use crate::domain::order::receive::items::{ItemTarget, NewItem, ProductSelector, UnlistedProduct};
use crate::domain::quantity::Quantity;
use crate::domain::text::MAX_DESCRIPTION;
use crate::proto::v1;
use crate::rpc::caps;
use crate::rpc::convert;
use crate::rpc::field_parser::{Element, FieldParser};

/// Which orders the items of a request may name.
#[derive(Clone, Copy)]
pub(super) enum Orders {
    /// None: they are all of this one.
    One(OrderId),
    /// Any order of the supplier.
    OfSupplier,
}

/// The items that have a quantity.
pub(super) fn parse_items(fields: &mut FieldParser, orders: Orders, listed: &[v1::NewReceiptItem]) -> Vec<NewItem> {
    let mut seen = BTreeSet::new();
    let mut items = Vec::new();
    let listed = fields.capped(caps::ITEMS, listed);
    for (index, item) in listed.iter().enumerate() {
        let parsed = parse_item(fields, orders, index, item, &mut seen);
        // Forms send every line of an order, also those of which nothing came.
        items.extend(parsed.filter(|item| !item.accepted.is_zero() || !item.rejected.is_zero()));
    }
    if items.is_empty() && !listed.is_empty() && listed.iter().all(says_zero) {
        fields.violation("items", "must have a quantity above zero, accepted or rejected, on one line at least");
    }
    let size = size_of_items(items.iter().map(|item| (item.rejection.as_ref(), item.lots.len())));
    if size > MAX_ITEMS_SIZE {
        let rule = format_args!(
            "have reject notes, and lots at {LOT_SIZE} bytes each, of {size} bytes; at most {MAX_ITEMS_SIZE} together"
        );
        fields.violation("items", rule);
    }
    items
}

/// What may be named once in a request.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Line(OrderId, i32),
    Product(Option<OrderId>, ProductSelector),
    Unlisted(OrderId, String),
}

/// `None` if it does not say which goods it is of, which is a violation.
fn parse_item(
    fields: &mut FieldParser,
    orders: Orders,
    index: usize,
    item: &v1::NewReceiptItem,
    seen: &mut BTreeSet<Named>,
) -> Option<NewItem> {
    let path = Element::new("items", index);
    let target = parse_target(fields, orders, path, item, seen);
    let accepted = fields.stated_quantity(
        (path.field("accepted"), item.accepted.as_deref()),
        (path.field("accepted_packs"), item.accepted_packs.as_deref()),
    );
    let rejected = fields.stated_quantity(
        (path.field("rejected"), item.rejected.as_deref()),
        (path.field("rejected_packs"), item.rejected_packs.as_deref()),
    );
    let rejection = parse_rejection(fields, path, item, !rejected.is_zero());
    let costs = ItemCosts {
        unit_cost: fields.optional_cost(path.field("unit_cost"), item.unit_cost.as_deref()),
        excess_unit_cost: fields.optional_cost(path.field("excess_unit_cost"), item.excess_unit_cost.as_deref()),
    };
    let lots = parse_lots(fields, path, &item.lots);
    if !lots.is_empty() && says_zero(item) {
        // No empty row of a form: passed over, its goods would be on no receipt.
        fields.violation(path.field("lots"), "are given, but nothing is accepted");
    }
    // Not before the rest of the item was judged, so that one refusal tells all that is wrong with it.
    Some(NewItem { index, target: target?, accepted, rejected, rejection, costs, lots })
}

/// The lots that have a quantity: forms may send rows that nobody has filled in.
fn parse_lots(fields: &mut FieldParser, path: Element, listed: &[v1::NewLot]) -> Vec<LotQuantity> {
    let mut seen = BTreeSet::new();
    let mut lots = Vec::new();
    for (index, lot) in fields.capped(caps::LOTS, listed).iter().enumerate() {
        let field = |name: &'static str| path.nested("lots", index, name);
        let quantity = fields.quantity_or_zero(field("quantity"), lot.quantity.as_deref());
        let expiry_date = fields.date(field("expiry_date"), &lot.expiry_date);
        if quantity == Quantity::ZERO && lot.lot_code.is_empty() {
            continue;
        }
        let code = fields.lot_code(field("lot_code"), &lot.lot_code);
        // A row with a code alone is passed over too, once its code was judged.
        if !quantity.is_positive() {
            continue;
        }
        let lot = Lot { code, expiry_date };
        if !seen.insert(lot.clone()) {
            fields.violation(field("lot_code"), format_args!("names {lot} a second time"));
        }
        lots.push(LotQuantity { lot, quantity });
    }
    lots
}

fn parse_target(
    fields: &mut FieldParser,
    orders: Orders,
    path: Element,
    item: &v1::NewReceiptItem,
    seen: &mut BTreeSet<Named>,
) -> Option<ItemTarget> {
    let order = parse_order(fields, orders, path, item);
    let targets = [item.line_number != 0, !item.product_id.is_empty(), !item.gtin.is_empty(), item.unlisted.is_some()];
    if targets.iter().filter(|is_named| **is_named).count() > 1 {
        fields.violation(path, "must name one of line_number, product_id, gtin and unlisted, not several");
        return None;
    }
    if let Some(unlisted) = &item.unlisted {
        let unlisted = parse_unlisted(fields, path, unlisted);
        let (order, unlisted) = (required_order(fields, path, order)?, unlisted?);
        if !seen.insert(Named::Unlisted(order, unlisted.product.to_string())) {
            let rule = format_args!("names {} a second time", unlisted.product);
            fields.violation(path.field("unlisted.product_id"), rule);
        }
        return Some(ItemTarget::Unlisted(order, unlisted));
    }
    if item.product_id.is_empty() && item.gtin.is_empty() {
        // Also where no goods are named: the violation is then that there is no line 0.
        let line = fields.line_number(path.field("line_number"), item.line_number);
        let order = required_order(fields, path, order)?;
        if !seen.insert(Named::Line(order, line)) {
            fields.violation(path.field("line_number"), format_args!("names line {line} a second time"));
        }
        return Some(ItemTarget::Line(order, line));
    }
    // An id that cannot be read must not become `None` here, which means every order of the supplier.
    let order = order.ok()?;
    let (field, selector) = if item.gtin.is_empty() {
        let product = fields.product_id(path.field("product_id"), &item.product_id);
        (path.field("product_id"), ProductSelector::Product(product))
    } else {
        let gtin = fields.gtin(path.field("gtin"), &item.gtin)?;
        (path.field("gtin"), ProductSelector::Gtin(Gtin::of(&gtin)))
    };
    if !seen.insert(Named::Product(order, selector.clone())) {
        fields.violation(field, format_args!("names {selector} a second time"));
    }
    Some(ItemTarget::Product(order, selector))
}

/// The order that an item is about; an error if what it says is a violation.
fn parse_order(
    fields: &mut FieldParser,
    orders: Orders,
    path: Element,
    item: &v1::NewReceiptItem,
) -> Result<Option<OrderId>, ()> {
    let field = path.field("purchase_order_id");
    match orders {
        Orders::One(order) if item.purchase_order_id.is_empty() => Ok(Some(order)),
        Orders::One(_) => {
            fields.violation(field, "must be empty: all items are of the order of the request");
            Err(())
        }
        Orders::OfSupplier if item.purchase_order_id.is_empty() => Ok(None),
        Orders::OfSupplier => fields.order_id_at(field, &item.purchase_order_id).map(Some).ok_or(()),
    }
}

fn required_order(fields: &mut FieldParser, path: Element, order: Result<Option<OrderId>, ()>) -> Option<OrderId> {
    let order = order.ok()?;
    if order.is_none() {
        fields.violation(path.field("purchase_order_id"), "is required, unless the item names a product or a GTIN");
    }
    order
}

fn parse_unlisted(fields: &mut FieldParser, path: Element, unlisted: &v1::UnlistedProduct) -> Option<UnlistedProduct> {
    let known = "a Unit such as UNIT_EACH";
    Some(UnlistedProduct {
        product: fields.product_id(path.field("unlisted.product_id"), &unlisted.product_id),
        description: fields.required_text(path.field("unlisted.description"), &unlisted.description, MAX_DESCRIPTION),
        gtin: fields.gtin(path.field("unlisted.gtin"), &unlisted.gtin),
        pack_size: fields.pack_size(path.field("unlisted.pack_size"), unlisted.pack_size.as_deref()),
        // Last, because the fields behind a `?` would not be judged.
        unit: fields.known(path.field("unlisted.unit"), convert::unit_of(unlisted.unit), known)?,
    })
}

/// Why a quantity is rejected. A reason without a quantity is judged here too, and dropped when the item is booked.
fn parse_rejection(
    fields: &mut FieldParser,
    path: Element,
    item: &v1::NewReceiptItem,
    is_rejecting: bool,
) -> Option<Rejection> {
    let note = fields.reason(path.field("reject_note"), &item.reject_note);
    let known = "a RejectReason such as REJECT_REASON_DAMAGED";
    let reason = fields.known(path.field("reject_reason"), convert::reject_reason_of(item.reject_reason), known)?;
    if is_rejecting && reason.is_none() {
        fields.violation(path.field("reject_reason"), "is required where a quantity is rejected");
    }
    let reason = reason?;
    if is_rejecting && reason == RejectReason::Other && item.reject_note.is_empty() {
        fields.violation(path.field("reject_note"), "is required with REJECT_REASON_OTHER");
    }
    Some(Rejection { reason, note })
}

/// Whether every quantity of an item is unset or zero. One that cannot be parsed is not: it is a violation
/// already, and the request should not be refused for a second reason because of it.
fn says_zero(item: &v1::NewReceiptItem) -> bool {
    let stated = [&item.accepted, &item.accepted_packs, &item.rejected, &item.rejected_packs];
    stated.into_iter().flatten().all(|text| Quantity::parse(text) == Some(Quantity::ZERO))
}
