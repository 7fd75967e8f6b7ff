//! CreatePurchaseOrder: a draft.

use super::{Line, LineKey, Order, OrderCounters, Quantities, State};
use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::ProductId;
use crate::domain::command::Command;
use crate::domain::event::{Detail, LineQuantity};
use crate::domain::money::{Currency, UnitCost};
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, Violations};
use crate::domain::time::Date;
use crate::domain::unit::Unit;

/// A draft to create.
#[derive(Clone, Debug)]
pub struct CreateOrder {
    /// Who supplies it.
    pub supplier: String,
    /// The store's or supplier's own reference.
    pub supplier_reference: Option<String>,
    /// Free text.
    pub note: Option<String>,
    /// The currency that the caller expects, if it says one.
    pub currency: Option<Currency>,
    /// When it is expected.
    pub expected_date: Option<Date>,
    /// 1 to 5,000 lines.
    pub lines: Vec<NewLine>,
}

/// A line to create.
#[derive(Clone, Debug)]
pub struct NewLine {
    /// The product.
    pub product: ProductId,
    /// What a person reads.
    pub description: String,
    /// Its trade item number.
    pub gtin: Option<String>,
    /// What its quantity counts.
    pub unit: Unit,
    /// How many.
    pub quantity: Quantity,
    /// Per unit.
    pub unit_cost: UnitCost,
    /// Its own expected date.
    pub expected_date: Option<Date>,
}

impl Command for CreateOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Permission::Edit)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend(self.lines.iter().map(|line| Need::Level(line.product.clone())));
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let mut violations = Violations::default();
        self.check_currency(changeset, &mut violations)?;
        fix_units(changeset, &self.lines, &mut violations)?;
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        let order = self.header(changeset)?;
        let (id, number) = (order.key.order, order.number.clone());
        lines_of(&order, &self.lines).into_iter().for_each(|line| changeset.put_line(line));
        let event = changeset.put_order(order, Detail::OrderCreated { number, lines: quantities(&self.lines) })?;
        Ok(Outcome::order_changed(event, id))
    }
}

impl CreateOrder {
    fn check_currency(&self, changeset: &Changeset<'_>, violations: &mut Violations) -> Result<(), Refusal> {
        let stores = changeset.store()?.currency;
        if let Some(other) = self.currency.filter(|currency| *currency != stores) {
            let rule = format_args!("is {}, but this store buys in {}", other.code(), stores.code());
            violations.add("currency", rule);
        }
        Ok(())
    }

    fn header(&self, changeset: &mut Changeset<'_>) -> Result<Order, Refusal> {
        let id = changeset.new_order_id();
        let store = changeset.store_mut()?;
        store.last_order_number += 1;
        let (n, currency) = (store.last_order_number, store.currency);
        Ok(Order {
            key: changeset.order_key(id),
            number: Order::number_of(n),
            parent: None,
            root: id,
            chain_position: 0,
            supplier: self.supplier.clone(),
            supplier_reference: self.supplier_reference.clone(),
            note: self.note.clone(),
            currency,
            expected_date: self.expected_date,
            create_time: changeset.now(),
            create_event: 0,
            state: State::Draft,
            revision: 0,
            order_time: None,
            place_time: None,
            original_order_time: None,
            close_time: None,
            cancel_reason: None,
            child: None,
            counters: OrderCounters::default(),
        })
    }
}

/// The lines of a draft, numbered as they are given.
pub(super) fn lines_of(draft: &Order, lines: &[NewLine]) -> Vec<Line> {
    let line = |(number, line): (i32, &NewLine)| Line {
        key: LineKey { order: draft.key.clone(), number },
        product: line.product.clone(),
        description: line.description.clone(),
        gtin: line.gtin.clone(),
        unit: line.unit,
        unit_cost: line.unit_cost,
        carried_over: false,
        expected_date: line.expected_date,
        first_expected_date: line.expected_date.or(draft.expected_date),
        first_ordered: line.quantity,
        quantities: Quantities::ordered(line.quantity),
        first_receive_time: None,
        last_receive_time: None,
        back_order_time: None,
    };
    (1..).zip(lines).map(line).collect()
}

/// The same for an event.
pub(super) fn quantities(lines: &[NewLine]) -> Vec<LineQuantity> {
    let numbered = (1..).zip(lines);
    numbered.map(|(line, new)| LineQuantity { line, quantity: new.quantity.to_string() }).collect()
}

/// Fixes the units of products that are new to the store; a line that counts a product in another unit
/// than the store does is a violation.
pub(super) fn fix_units(
    changeset: &mut Changeset<'_>,
    lines: &[NewLine],
    violations: &mut Violations,
) -> Result<(), Refusal> {
    for (index, line) in lines.iter().enumerate() {
        // A product's first line in a store fixes its unit there.
        let Some(level) = changeset.level(&line.product)? else {
            changeset.create_level(&line.product, line.unit);
            continue;
        };
        if level.unit != line.unit {
            let (unit, stores) = (line.unit.name(), level.unit.name());
            let rule = format_args!("is {unit}, but this store counts {} in {stores}", line.product);
            violations.add(format_args!("lines[{index}].unit"), rule);
        }
    }
    Ok(())
}
