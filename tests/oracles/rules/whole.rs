//! The end of a run: the whole database is the pure side's working_set.

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use purchase_order_service::domain::access::Requirement;
use purchase_order_service::domain::changeset::Changeset;
use purchase_order_service::domain::code::{PrincipalId, ProductId, StoreId};
use purchase_order_service::domain::command::{Command, Envelope};
use purchase_order_service::domain::needs::{Need, Needs};
use purchase_order_service::domain::order::{Order, OrderId, OrderKey, ReceiptKey};
use purchase_order_service::domain::outcome::Outcome;
use purchase_order_service::domain::principal::Principal;
use purchase_order_service::domain::refusal::Refusal;
use purchase_order_service::domain::working_set::{RoleGrants, WorkingSet};
use purchase_order_service::repository::read::{gate_of, needs_of};
use purchase_order_service::repository::session::Session;
use std::sync::Arc;

use crate::rules::pure::Pure;

/// How many orders are loaded at a time.
const STEP: usize = 200;

/// Asks for some orders with everything of them, and for all that is not an order's. It is never
/// decided: what it needs is all that is wanted of it.
#[derive(Debug)]
struct Everything {
    /// With the number of their last receipts.
    orders: Vec<(OrderId, i32)>,
    products: Vec<ProductId>,
}

impl Command for Everything {
    fn requires(&self) -> Requirement {
        Requirement::AnyRoleOrOperator
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend(self.products.iter().cloned().map(Need::Level));
        needs.extend([Need::Roles, Need::Grants, Need::OpenOrders]);
        for (order, last_receipt) in &self.orders {
            needs.extend([Need::Order(*order), Need::AllLines(*order), Need::StagedItems(*order)]);
            needs.extend((1..=*last_receipt).map(|receipt| Need::Receipt(*order, receipt)));
        }
    }

    fn decide(&self, _: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        Err(Refusal::OrderNotFound)
    }
}

/// Compares, after the last command was answered.
pub fn compare(session: &mut Session, pure: &Pure) {
    for store in pure.working_set.stores.present() {
        let all = pure.orders.get(&store.id).map_or(&[][..], |orders| &orders.all);
        compare_store(&load(session, pure, &store.id, &[]), pure, &store.id);
        for orders in all.chunks(STEP) {
            compare_orders(&load(session, pure, &store.id, orders), &pure.working_set, orders);
        }
    }
    // What is in the database and should not be would not have been asked for.
    for (table, rows) in rows(pure) {
        assert_eq!(count(session, table), rows as i64, "rows of {table}");
    }
}

fn load(session: &mut Session, pure: &Pure, store: &StoreId, orders: &[OrderKey]) -> WorkingSet {
    let levels = pure.working_set.levels.present().filter(|level| orders.is_empty() && level.key.store == *store);
    let everything = Everything {
        orders: orders.iter().map(|key| (key.order, header(&pure.working_set, key).counters.last_receipt)).collect(),
        products: levels.map(|level| level.key.product.clone()).collect(),
    };
    let principal = Principal { id: PrincipalId::new("anybody"), is_operator: true };
    let envelope = Envelope {
        store: store.clone(),
        principal,
        idempotency_key: None,
        named_cost: None,
        command: Arc::new(everything),
    };
    let mut stored = gate_of(session, &envelope).expect("the database can be read");
    needs_of(session, &mut stored, &envelope).expect("the database can be read");
    stored
}

fn header<'a>(working_set: &'a WorkingSet, key: &OrderKey) -> &'a Order {
    working_set.order(key).expect("it was looked for").expect("it was made")
}

fn compare_store(stored: &WorkingSet, pure: &Pure, store: &StoreId) {
    let expected = &pure.working_set;
    assert_eq!(stored.store(store), expected.store(store));
    assert_eq!(stored.roles(store), expected.roles(store), "roles of {store}");
    assert_eq!(holders(stored, store), holders(expected, store), "grants of {store}");
    assert_eq!(stored.open_orders(store), Ok(&pure.open_orders(store)), "open orders of {store}");
    for level in expected.levels.present().filter(|level| level.key.store == *store) {
        assert_eq!(stored.levels.get(&level.key), Ok(Some(level)));
    }
}

/// Everybody who holds a role.
fn holders<'a>(working_set: &'a WorkingSet, store: &StoreId) -> Vec<(&'a PrincipalId, &'a RoleGrants)> {
    let all_grants = working_set.all_grants(store).expect("all grants are loaded");
    all_grants.into_iter().filter(|(_, held)| !held.is_empty()).collect()
}

fn compare_orders(stored: &WorkingSet, expected: &WorkingSet, orders: &[OrderKey]) {
    for key in orders {
        let order = header(expected, key);
        assert_eq!(stored.order(key), Ok(Some(order)));
        assert_eq!(stored.lines_of(key), expected.lines_of(key), "lines of {}", order.number);
        assert_eq!(stored.staged_items_of(key), expected.staged_items_of(key), "{}", order.number);
        for number in 1..=order.counters.last_receipt {
            let key = ReceiptKey { order: key.clone(), number };
            assert_eq!(stored.receipts.get(&key), expected.receipts.get(&key), "{}", order.number);
        }
    }
}

fn rows(pure: &Pure) -> [(&'static str, usize); 14] {
    let items = || pure.working_set.receipts.present().flat_map(|receipt| &receipt.items);
    let WorkingSet { stores, stored_responses, orders, lines, receipts, levels, .. } = &pure.working_set;
    [
        ("store", stores.present().count()),
        ("stored_response", stored_responses.present().count()),
        ("purchase_order", orders.present().count()),
        ("purchase_order_line", lines.present().count()),
        ("line_cancellation", pure.rows.cancellations),
        ("receipt", receipts.present().count()),
        ("receipt_item", items().count()),
        ("receipt_lot", items().map(|item| item.lots.len()).sum()),
        ("inventory_lot", pure.sums.lots.len()),
        ("inventory_level", levels.present().count()),
        ("stock_movement", pure.rows.movements),
        ("event", pure.rows.events),
        ("role_permission", pure.rows.permissions),
        ("role_grant", pure.rows.grants),
    ]
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn count(session: &mut Session, table: &str) -> i64 {
    let query = diesel::sql_query(format!("SELECT count(*) AS count FROM {table}"));
    let counted: Vec<Count> = session.load(query).expect("the database can be read");
    counted[0].count
}
