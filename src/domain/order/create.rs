//! CreatePurchaseOrder: a draft is created, with the next order number of its store. It commits the store
//! to nothing and adds nothing to levels, but it fixes the units of products that are new to the store.

use super::tolerance::Tolerance;
use super::{Charge, Line, LineKey, Order, OrderCounters, OrderId, Quantities, State};
use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::ProductId;
use crate::domain::command::Command;
use crate::domain::event::{Detail, LineQuantity};
use crate::domain::money::{Amount, Currency, UnitCost};
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::pack::unit_cost_of;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, Violations};
use crate::domain::time::Date;
use crate::domain::unit::Unit;

/// Creates a draft, which is planning alone: nothing is on order until it is placed.
#[derive(Clone, Debug)]
pub struct CreateOrder {
    /// The caller's id for the supplier; this service keeps no suppliers.
    pub supplier: String,
    /// The store's or the supplier's own reference for the order.
    pub supplier_reference: Option<String>,
    /// Text for people; no rule reads it.
    pub note: Option<String>,
    /// The caller's own id for the order, which no other order of the store may have.
    pub external_id: Option<String>,
    /// What is paid besides the lines, at most [`MAX_CHARGES`](super::MAX_CHARGES).
    pub charges: Vec<Charge>,
    /// The currency that the caller expects, compared with the store's, so that costs are not taken for
    /// another currency.
    pub currency: Option<Currency>,
    /// When the goods are expected; it counts for every line without a date of its own.
    pub expected_date: Option<Date>,
    /// The lines to order, at least one and at most [`MAX_LINES`](super::MAX_LINES), numbered from 1 as
    /// they are given.
    pub lines: Vec<NewLine>,
}

/// A line to create on a draft. Several lines may name the same product.
#[derive(Clone, Debug)]
pub struct NewLine {
    /// The product; its first line in a store fixes the unit it is counted in there.
    pub product: ProductId,
    /// The description that people read.
    pub description: String,
    /// The global trade item number, with a valid check digit.
    pub gtin: Option<String>,
    /// The supplier's own code of the product.
    pub supplier_product: Option<String>,
    /// Text for people; no rule reads it.
    pub note: Option<String>,
    /// The unit that the quantity counts; it must be the one in which the store counts the product.
    pub unit: Unit,
    /// How many are ordered; 0 is allowed while the order is a draft.
    pub quantity: Quantity,
    /// How many units are in a pack; above zero.
    pub pack_size: Option<Quantity>,
    /// What it costs, in the store's currency.
    pub price: Price,
    /// How much more may be received than is ordered, if not what the store's tolerance allows.
    pub tolerance: Option<Tolerance>,
    /// Whether what is accepted of it must be divided into lots.
    pub lot_required: bool,
    /// When the goods of this line are expected, if not at the order's date.
    pub expected_date: Option<Date>,
}

/// How a line is priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// The cost of one unit.
    Unit(UnitCost),
    /// The cost of one pack, and what one unit costs then.
    Pack {
        /// What one pack costs.
        pack_cost: UnitCost,
        /// The rounded part of it that one unit costs.
        unit_cost: UnitCost,
    },
}

impl Price {
    /// How a line is priced that exists.
    pub(super) const fn of(line: &Line) -> Self {
        match line.pack_cost {
            Some(pack_cost) => Self::Pack { pack_cost, unit_cost: line.unit_cost },
            None => Self::Unit(line.unit_cost),
        }
    }

    /// The price by the pack; `None` if a unit would cost more than [`UnitCost::MAX`].
    pub fn by_pack(pack_cost: UnitCost, pack_size: Quantity) -> Option<Self> {
        unit_cost_of(pack_cost, pack_size).map(|unit_cost| Self::Pack { pack_cost, unit_cost })
    }

    /// What one unit costs.
    pub(super) const fn unit_cost(self) -> UnitCost {
        match self {
            Self::Unit(unit_cost) | Self::Pack { unit_cost, .. } => unit_cost,
        }
    }

    /// What one pack costs, if the line is priced by the pack.
    pub(super) const fn pack_cost(self) -> Option<UnitCost> {
        match self {
            Self::Unit(_) => None,
            Self::Pack { pack_cost, .. } => Some(pack_cost),
        }
    }
}

impl Command for CreateOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Permission::Edit)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend(self.lines.iter().map(|line| Need::Level(line.product.clone())));
        needs.extend(self.external_id.iter().cloned().map(Need::ExternalId));
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let mut violations = Violations::default();
        self.check_currency(changeset, &mut violations)?;
        fix_units(changeset, "lines", &self.lines, &mut violations)?;
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        check_external_id(changeset, None, self.external_id.as_deref())?;
        // This may still be refused, for the value of the order. A refused request takes no order number, because its
        // changeset is dropped with the store's counter in it.
        self.put_draft(changeset, None)
    }
}

impl CreateOrder {
    /// Puts the draft. `source` is the order that it was copied from, if it was.
    pub(super) fn put_draft(&self, changeset: &mut Changeset<'_>, source: Option<OrderId>) -> Result<Outcome, Refusal> {
        let order = self.header(changeset)?;
        let id = order.key.order;
        let lines = lines_of(&order, &self.lines);
        check_value(&order, ordered_cost_of(&lines))?;
        for line in lines {
            changeset.put_line(line);
        }
        let detail =
            Detail::OrderCreated { number: order.number.clone(), copied_from: source, lines: quantities(&self.lines) };
        let event = changeset.put_order(order, detail)?;
        Ok(Outcome::order_changed(event, id))
    }

    fn check_currency(&self, changeset: &Changeset<'_>, violations: &mut Violations) -> Result<(), Refusal> {
        let currency = changeset.store()?.currency;
        // Costs have no currency of their own, so those of another currency would be taken for the store's.
        if let Some(expected) = self.currency
            && expected != currency
        {
            let rule = format_args!("is {}, but this store buys in {}", expected.code(), currency.code());
            violations.add("currency", rule);
        }
        Ok(())
    }

    fn header(&self, changeset: &mut Changeset<'_>) -> Result<Order, Refusal> {
        let id = changeset.new_order_id();
        let store = changeset.store_mut()?;
        // In the changeset alone: a number that a refused request took is given to the next order.
        store.last_order_number += 1;
        let n = store.last_order_number;
        let currency = store.currency;
        Ok(Order {
            key: changeset.order_key(id),
            number: Order::number_of(n),
            parent: None,
            root: id,
            chain_position: 0,
            supplier: self.supplier.clone(),
            supplier_reference: self.supplier_reference.clone(),
            note: self.note.clone(),
            external_id: self.external_id.clone(),
            charges: self.charges.clone(),
            currency,
            expected_date: self.expected_date,
            create_time: changeset.now(),
            created_by: changeset.caller().clone(),
            create_event: 0,
            state: State::Draft,
            revision: 0,
            order_time: None,
            place_time: None,
            placed_by: None,
            original_order_time: None,
            close_time: None,
            closed_by: None,
            cancel_reason: None,
            cancel_reason_code: None,
            child: None,
            child_is_untouched: true,
            last_back_order: 0,
            folded_back: false,
            terms_changed: false,
            counters: OrderCounters::default(),
        })
    }
}

/// The lines of a draft, numbered from 1 as they are given.
pub(super) fn lines_of(draft: &Order, lines: &[NewLine]) -> Vec<Line> {
    let mut numbered = Vec::with_capacity(lines.len());
    for (number, line) in (1..).zip(lines) {
        numbered.push(new_line(draft, number, line));
    }
    numbered
}

/// A line as it is added to an order.
pub(super) fn new_line(order: &Order, number: i32, line: &NewLine) -> Line {
    Line {
        key: LineKey { order: order.key.clone(), number },
        product: line.product.clone(),
        description: line.description.clone(),
        gtin: line.gtin.clone(),
        supplier_product: line.supplier_product.clone(),
        note: line.note.clone(),
        unit: line.unit,
        pack_size: line.pack_size,
        unit_cost: line.price.unit_cost(),
        pack_cost: line.price.pack_cost(),
        tolerance: line.tolerance,
        lot_required: line.lot_required,
        carried_over: false,
        expected_date: line.expected_date,
        // The date of the order is a promise for each line without its own.
        first_expected_date: line.expected_date.or(order.expected_date),
        first_ordered: line.quantity,
        confirmed: None,
        quantities: Quantities::ordered(line.quantity),
        returned: Quantity::ZERO,
        first_receive_time: None,
        last_receive_time: None,
        back_order_time: None,
        due_date: None,
    }
}

/// Refuses an external id that another order of the store has: a caller would find the wrong order by it.
/// `own` is the order that may have it already.
pub(super) fn check_external_id(
    changeset: &Changeset<'_>,
    own: Option<OrderId>,
    external_id: Option<&str>,
) -> Result<(), Refusal> {
    let Some(external_id) = external_id else { return Ok(()) };
    match changeset.order_with_external_id(external_id)? {
        Some(other) if Some(other.order) != own => {
            let external_id = external_id.to_owned();
            Err(Refusal::ExternalIdExists { external_id, number: other.number, order: other.order })
        }
        _ => Ok(()),
    }
}

/// Refuses an order that is worth more than any may be: sums over orders stay far from where they would
/// overflow.
pub(super) fn check_value(order: &Order, ordered_cost: Amount) -> Result<(), Refusal> {
    let value = ordered_cost + order.charges_cost();
    if value <= Amount::MAX {
        return Ok(());
    }
    // Not how much: a caller who sees no costs would learn them by asking for one quantity after another.
    let rule = format_args!("make the order worth more than {} with its charges", Amount::MAX);
    Err(Refusal::invalid_for_stored_data("lines", rule))
}

/// What the ordered quantities of lines are worth.
pub(super) fn ordered_cost_of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Amount {
    lines.into_iter().map(|line| line.value_of(line.quantities.ordered)).sum()
}

/// The ordered quantities of new lines as an event tells them, numbered like [`lines_of`].
pub(super) fn quantities(lines: &[NewLine]) -> Vec<LineQuantity> {
    let numbered = (1..).zip(lines);
    numbered.map(|(line, new)| LineQuantity { line, quantity: new.quantity.to_string() }).collect()
}

/// Creates the levels of products that are new to the store, which fixes their units. A line in another
/// unit than the store counts its product in is a violation: quantities of two units cannot be added
/// up. `list` is the list of the request that they are in.
pub(super) fn fix_units(
    changeset: &mut Changeset<'_>,
    list: &str,
    lines: &[NewLine],
    violations: &mut Violations,
) -> Result<(), Refusal> {
    for (index, line) in lines.iter().enumerate() {
        // The level is created at once, so that a second line of the request in another unit is found.
        let Some(level) = changeset.level(&line.product)? else {
            changeset.create_level(&line.product, line.unit);
            continue;
        };
        if level.unit != line.unit {
            let rule = format_args!(
                "is {}, but this store counts {} in {}",
                line.unit.name(),
                line.product,
                level.unit.name()
            );
            violations.add(format_args!("{list}[{index}].unit"), rule);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::OrderId;
    use crate::domain::testing::{FIRST_NEW_ORDER, TestStore, date, quantity};

    /// A draft with lines of `product quantity`, or `product quantity kg`.
    fn create(lines: &[&str]) -> CreateOrder {
        let lines = lines.iter().map(|line| new_line(line)).collect();
        CreateOrder {
            supplier: "acme".to_owned(),
            supplier_reference: None,
            note: None,
            external_id: None,
            charges: Vec::new(),
            currency: None,
            expected_date: None,
            lines,
        }
    }

    fn new_line(text: &str) -> NewLine {
        let words: Vec<&str> = text.split(' ').collect();
        NewLine {
            product: ProductId::new(words[0]),
            description: words[0].to_owned(),
            gtin: None,
            supplier_product: None,
            note: None,
            unit: if words.get(2) == Some(&"kg") { Unit::Kilogram } else { Unit::Each },
            quantity: quantity(words[1]),
            pack_size: None,
            price: Price::Unit(UnitCost::from_scaled(1_000_000)),
            tolerance: None,
            lot_required: false,
            expected_date: None,
        }
    }

    #[test]
    fn a_draft_has_the_stores_next_number_and_adds_nothing_to_levels() {
        let mut store = TestStore::new();
        store.row().last_order_number = 41;
        store.accept(create(&["oak 10", "flour 2.5 kg", "ash 0"]));

        let order = store.header(FIRST_NEW_ORDER).clone();
        assert_eq!((order.number.as_str(), order.state, order.revision), ("PO-000042", State::Draft, 1));
        assert_eq!((order.root, order.parent, order.chain_position), (order.key.order, None, 0));
        assert_eq!((order.create_time, order.create_event, order.order_time), (store.now, 11, None));
        assert_eq!(
            store.lines_of(FIRST_NEW_ORDER),
            ["oak: 10 ordered, 10 pending", "flour: 2.5 ordered, 2.5 pending", "ash: "]
        );
        assert_eq!((store.level("oak"), store.level("flour")), (String::new(), String::new()));
        assert_eq!(store.events(), ["ORDER_CREATED"]);
        assert_eq!(
            store.event_details(),
            [
                r#"{"number":"PO-000042","lines":[{"line":1,"quantity":"10"},{"line":2,"quantity":"2.5"},{"line":3,"quantity":"0"}]}"#
            ]
        );
        assert_eq!(store.row().open_orders, 1);
        store.accept(create(&["oak 1"]));
        assert_eq!(store.header(OrderId(uuid::Uuid::from_u128(101))).number, "PO-000043");
    }

    #[test]
    fn a_line_is_first_promised_for_its_own_date_or_the_orders() {
        for (own, orders, promised) in [
            (None, None, None),
            (None, Some("2026-03-10"), Some("2026-03-10")),
            (Some("2026-03-20"), Some("2026-03-10"), Some("2026-03-20")),
        ] {
            let mut store = TestStore::new();
            let mut command = create(&["oak 10"]);
            command.expected_date = orders.map(date);
            command.lines[0].expected_date = own.map(date);
            store.accept(command);
            let line = store.line_of(FIRST_NEW_ORDER, 1);
            assert_eq!(line.first_expected_date, promised.map(date), "{own:?} {orders:?}");
            assert_eq!(line.expected_date, own.map(date), "{own:?} {orders:?}");
        }
    }

    #[test]
    fn the_first_line_of_a_product_fixes_its_unit_in_the_store() {
        let mut store = TestStore::new();
        store.draft(&["oak 10"]);
        let text = store.refusal_text(create(&["flour 1 kg", "oak 1 kg", "flour 2"]));
        assert_eq!(
            text,
            "lines[1].unit is KILOGRAM, but this store counts oak in EACH; \
             lines[2].unit is EACH, but this store counts flour in KILOGRAM"
        );
        // The refused request has fixed nothing.
        store.accept(create(&["flour 2"]));
        assert_eq!(store.line_of(FIRST_NEW_ORDER, 1).unit, Unit::Each);
    }

    #[test]
    fn an_order_priced_by_the_pack_is_worth_its_packs() {
        for (ordered, unit_cost, ordered_cost) in
            [("12", "0.833333", "10"), ("36", "0.833333", "30"), ("13", "0.833333", "10.8333"), ("0", "0.833333", "0")]
        {
            let mut store = TestStore::new();
            let mut command = create(&[&format!("oak {ordered}")]);
            let size = quantity("12");
            command.lines[0].pack_size = Some(size);
            command.lines[0].price = Price::by_pack(UnitCost::parse("10").unwrap(), size).unwrap();
            store.accept(command);
            assert_eq!(store.line_of(FIRST_NEW_ORDER, 1).unit_cost.to_string(), unit_cost);
            let counters = store.header(FIRST_NEW_ORDER).counters;
            assert_eq!(counters.ordered_cost.to_string(), ordered_cost, "{ordered}");
            assert_eq!(counters.pending_cost.to_string(), ordered_cost, "{ordered}");
        }
    }

    #[test]
    fn lines_and_charges_together_have_a_limit() {
        let mut store = TestStore::new();
        let mut command = create(&["oak 100", "ash 1"]);
        command.lines[0].price = Price::Unit(UnitCost::MAX);
        command.lines[1].price = Price::Unit(UnitCost::from_scaled(0));
        command.charges = vec![Charge { description: "freight".to_owned(), amount: Amount::ZERO }];
        store.accept(command.clone());
        command.charges[0].amount = Amount::from_scaled(1);
        assert_eq!(store.refusal_text(command), "lines make the order worth more than 100000000000 with its charges");
    }

    #[test]
    fn an_external_id_names_one_order_of_the_store() {
        let mut store = TestStore::new();
        let mut command = create(&["oak 10"]);
        command.external_id = Some("erp-7".to_owned());
        store.accept(command.clone());
        assert_eq!(store.header(FIRST_NEW_ORDER).external_id.as_deref(), Some("erp-7"));
        assert_eq!(store.refusal_text(command.clone()), "purchase order PO-000001 has the external_id 'erp-7' already");
        command.external_id = Some("erp-8".to_owned());
        store.accept(command);
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::new();
        let mut command = create(&["oak 10", "oak 1 kg"]);
        command.currency = Currency::parse("USD");
        store.call_as("stranger");
        assert_eq!(store.refuse(command.clone()), "NO_STORE_ACCESS");
        store.call_with(&[Permission::View]);
        assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
        store.call_with(&[Permission::Edit]);
        assert_eq!(
            store.refusal_text(command.clone()),
            "currency is USD, but this store buys in EUR; lines[1].unit is KILOGRAM, but this store counts oak in EACH"
        );
        command.currency = Currency::parse("EUR");
        command.lines.pop();
        store.accept(command);
    }
}
