//! Reading what a store holds, in a form that fits into the tables of the tests.

use super::TestStore;
use crate::domain::access::Permission;
use crate::domain::code::{PrincipalId, ProductId, RoleId, StoreId};
use crate::domain::inventory::{Level, LevelKey};
use crate::domain::order::receipt::Receipt;
use crate::domain::order::{Line, LineKey, Order, OrderId, OrderKey, Quantities, ReceiptKey};
use crate::domain::quantity::Quantity;

/// Reading, in a form that fits into a table.
impl TestStore {
    /// An order's header.
    pub fn header(&self, order: OrderId) -> &Order {
        &self.orders[&self.order_key(order)]
    }

    /// A line.
    pub fn line_of(&self, order: OrderId, number: i32) -> &Line {
        &self.lines[&LineKey { order: self.order_key(order), number }]
    }

    /// Every line of an order: its product and those of its quantities that are not zero.
    pub fn lines_of(&self, order: OrderId) -> Vec<String> {
        let lines = self.lines.range(LineKey::range_of(&self.order_key(order)));
        lines.map(|(_, line)| format!("{}: {}", line.product, quantities(&line.quantities))).collect()
    }

    /// A receipt.
    pub fn receipt_of(&self, order: OrderId, number: i32) -> &Receipt {
        &self.receipts[&ReceiptKey { order: self.order_key(order), number }]
    }

    /// Those quantities of a product's level that are not zero.
    pub fn level(&self, product: &str) -> String {
        let level = &self.levels[&self.level_key(product)];
        nonzero(&[
            (level.on_hand, "on hand"),
            (level.inbound.staged, "staged"),
            (level.inbound.on_order, "on order"),
            (level.inbound.back_ordered, "back-ordered"),
        ])
    }

    /// A product's level as a whole.
    pub fn level_of(&self, product: &str) -> &Level {
        &self.levels[&self.level_key(product)]
    }

    /// What a role allows; nothing if there is no such role.
    pub fn allowed_by(&self, role: &str) -> Vec<Permission> {
        self.roles.get(&RoleId::new(role)).into_iter().flat_map(|allowed| allowed.keys().copied()).collect()
    }

    /// The roles that a principal holds.
    pub fn roles_of(&self, principal: &str) -> Vec<String> {
        let held = self.grants.get(&PrincipalId::new(principal));
        held.into_iter().flat_map(|held| held.keys().map(ToString::to_string)).collect()
    }

    /// The kinds of the events that the last command recorded.
    pub fn events(&self) -> Vec<&'static str> {
        self.decided.events.iter().map(|event| event.detail.kind()).collect()
    }

    /// The details of the events that the last command recorded, as they are stored.
    pub fn event_details(&self) -> Vec<String> {
        let mut details = Vec::new();
        for event in &self.decided.events {
            let stored = event.detail.to_stored();
            let values = stored.strip_prefix(r#"{"v":1"#).unwrap().trim_start_matches(',');
            details.push(format!("{{{values}"));
        }
        details
    }

    /// The key of an order of this store.
    pub fn order_key(&self, order: OrderId) -> OrderKey {
        OrderKey { store: StoreId::new("s1"), order }
    }

    pub(super) fn level_key(&self, product: &str) -> LevelKey {
        LevelKey { store: StoreId::new("s1"), product: ProductId::new(product) }
    }
}

/// Those of a line's quantities that are not zero.
fn quantities(quantities: &Quantities) -> String {
    nonzero(&[
        (quantities.ordered, "ordered"),
        (quantities.received, "received"),
        (quantities.rejected, "rejected"),
        (quantities.back_ordered, "back-ordered"),
        (quantities.cancelled, "cancelled"),
        (quantities.pending, "pending"),
        (quantities.excess, "excess"),
    ])
}

fn nonzero(named: &[(Quantity, &str)]) -> String {
    let named = named.iter().filter(|(quantity, _)| *quantity != Quantity::ZERO);
    named.map(|(quantity, name)| format!("{quantity} {name}")).collect::<Vec<_>>().join(", ")
}
