//! Goods that an order does not name: where the store allows it, a receipt gives them a line of their own.
//! Nothing is ordered on it, so all that is received of it is excess.

use std::collections::BTreeMap;

use super::allocate::Allocation;
use super::items::{ItemTarget, NewItem, UnlistedProduct};
use crate::domain::changeset::Changeset;
use crate::domain::money::UnitCost;
use crate::domain::order::{Line, LineKey, Order, OrderId, Quantities};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, TruncatedList, Violations};
use crate::domain::store::Store;

/// Refuses unlisted items where the store does not allow them.
pub(super) fn check_allowed(store: &Store, items: &[NewItem]) -> Result<(), Refusal> {
    if store.allow_unlisted_items {
        return Ok(());
    }
    let mut products = Vec::new();
    for item in items {
        if let ItemTarget::Unlisted(_, unlisted) = &item.target {
            products.push(unlisted.product.clone());
        }
    }
    match TruncatedList::of_nonempty(products) {
        Some(products) => Err(Refusal::UnlistedItemsNotAllowed(products)),
        None => Ok(()),
    }
}

/// Adds a line to the allocation for each unlisted product that has none yet. A product that the order does
/// name is a violation: it would be received beside what is pending of it.
pub(super) fn add_lines(
    changeset: &mut Changeset<'_>,
    orders: &BTreeMap<OrderId, Order>,
    items: &[NewItem],
    allocation: &mut Allocation<'_>,
    violations: &mut Violations,
) -> Result<(), Refusal> {
    let mut last_lines: BTreeMap<OrderId, i32> = BTreeMap::new();
    for item in items {
        let ItemTarget::Unlisted(id, unlisted) = &item.target else { continue };
        let order = orders.get(id).ok_or(Refusal::OrderNotFound)?;
        check_unit(changeset, item.index, unlisted, violations)?;
        if let Some(line) = allocation.line_of_product(*id, &unlisted.product) {
            check_line(item.index, line, violations);
            continue;
        }
        // Several products may be new to one order; each line gets the next number.
        let last = last_lines.entry(*id).or_insert(order.counters.last_line);
        *last += 1;
        let unit_cost = cost(changeset, item, unlisted)?;
        allocation.add_new(new_line(order, *last, unlisted, unit_cost));
    }
    Ok(())
}

/// Creates the level of a product that is new to the store, which fixes its unit.
fn check_unit(
    changeset: &mut Changeset<'_>,
    index: usize,
    unlisted: &UnlistedProduct,
    violations: &mut Violations,
) -> Result<(), Refusal> {
    let UnlistedProduct { product, unit, .. } = unlisted;
    match changeset.level(product)? {
        None => changeset.create_level(product, *unit),
        Some(level) if level.unit != *unit => {
            let rule = format_args!("is {}, but this store counts {product} in {}", unit.name(), level.unit.name());
            violations.add(format_args!("items[{index}].unlisted.unit"), rule);
        }
        Some(_) => {}
    }
    Ok(())
}

fn check_line(index: usize, line: &Line, violations: &mut Violations) {
    if line.quantities.ordered.is_positive() {
        let rule =
            format_args!("is {}, which line {} orders: name the line or the product", line.product, line.key.number);
        violations.add(format_args!("items[{index}].unlisted.product_id"), rule);
    }
}

/// What a unit of an unlisted product costs: as the item says, or what the product costs on average.
fn cost(changeset: &Changeset<'_>, item: &NewItem, unlisted: &UnlistedProduct) -> Result<UnitCost, Refusal> {
    // All of it is in excess, so a cost of the excess is the cost of the goods too.
    if let Some(cost) = item.costs.unit_cost.or(item.costs.excess_unit_cost) {
        return Ok(cost);
    }
    Ok(changeset.level(&unlisted.product)?.map_or(UnitCost::default(), |level| level.average_cost))
}

fn new_line(order: &Order, number: i32, unlisted: &UnlistedProduct, unit_cost: UnitCost) -> Line {
    Line {
        key: LineKey { order: order.key.clone(), number },
        product: unlisted.product.clone(),
        description: unlisted.description.clone(),
        gtin: unlisted.gtin.clone(),
        supplier_product: None,
        note: None,
        unit: unlisted.unit,
        pack_size: unlisted.pack_size,
        unit_cost,
        pack_cost: None,
        // A percentage of nothing that is ordered would allow nothing: see `Line::most_receivable`.
        tolerance: None,
        lot_required: false,
        carried_over: false,
        expected_date: None,
        first_expected_date: order.expected_date,
        first_ordered: Quantity::ZERO,
        confirmed: None,
        quantities: Quantities::default(),
        returned: Quantity::ZERO,
        first_receive_time: None,
        last_receive_time: None,
        back_order_time: None,
        due_date: None,
    }
}
