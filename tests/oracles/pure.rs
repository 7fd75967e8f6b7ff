//! The pure side: the rules over a workspace that holds everything there is. Nothing is ever loaded,
//! because nothing is ever forgotten, and nothing is saved.

use std::collections::{BTreeMap, BTreeSet};

use purchase_order_service::domain::code::StoreId;
use purchase_order_service::domain::decision::Decision;
use purchase_order_service::domain::inventory::LevelKey;
use purchase_order_service::domain::mutation::{Reply, Request, Verdict, decide, reply};
use purchase_order_service::domain::order::{OrderId, OrderKey, ReceiptKey};
use purchase_order_service::domain::refusal::{Listed, MAX_NAMED, Refusal};
use purchase_order_service::domain::time::Timestamp;
use purchase_order_service::domain::workspace::{Appended, Workspace};

use crate::support::TestIds;

/// See the module.
#[derive(Default)]
pub struct Pure {
    /// Everything there is.
    pub workspace: Workspace,
    /// Which orders there are.
    pub orders: BTreeMap<StoreId, Orders>,
    /// The orders that were made since it was last cleared: their callers do not know them yet.
    pub fresh: BTreeSet<OrderId>,
    /// How many rows there are that a workspace forgets once they are saved.
    pub rows: Rows,
    /// How many answers were given a second time.
    pub replays: usize,
    ids: TestIds,
}

/// The orders of one store.
#[derive(Default)]
pub struct Orders {
    /// Every one that was ever made.
    pub all: Vec<OrderKey>,
    /// Those that are not closed, by number.
    pub open: BTreeMap<String, OrderKey>,
}

#[derive(Default)]
pub struct Rows {
    pub movements: usize,
    pub events: usize,
    pub permissions: usize,
    pub grants: usize,
}

impl Pure {
    /// Judges a request, and takes in what was decided.
    pub fn answer(&mut self, request: &Request, now: Timestamp) -> Result<Reply, Refusal> {
        self.seek(request);
        let made = match decide(&self.workspace, request, now, &self.ids)? {
            Verdict::Replayed(made) => {
                self.replays += 1;
                made
            }
            Verdict::Decided(decision) => {
                let made = decision.made.clone();
                self.count(&decision);
                self.workspace.absorb(*decision);
                self.workspace.appended = Appended::default();
                made
            }
        };
        reply(&self.workspace, request, made)
    }

    /// The first open orders of a store by their numbers, and how many there are.
    pub fn open_orders(&self, store: &StoreId) -> Listed<String> {
        let open = self.orders.get(store).map(|orders| &orders.open);
        let first = open.into_iter().flat_map(BTreeMap::keys).take(MAX_NAMED).cloned().collect();
        Listed { first, total: open.map_or(0, BTreeMap::len) }
    }

    /// Notes that whatever a request may ask for and is not there was looked for. Lines and standing
    /// receipts need no note: an order that is there was made here, with all that it has.
    fn seek(&mut self, request: &Request) {
        let (store, needs) = (&request.store, request.needs());
        if needs.open_orders {
            self.workspace.open_orders_found(store.clone(), self.open_orders(store));
        }
        let workspace = &mut self.workspace;
        workspace.stores.sought(store.clone());
        workspace.roles_sought(store.clone());
        workspace.all_grants_sought(store.clone());
        request.key().into_iter().for_each(|key| workspace.requests.sought(key));
        for need in needs.orders {
            let order = OrderKey { store: store.clone(), order: need.order };
            for number in need.receipts {
                workspace.receipts.sought(ReceiptKey { order: order.clone(), number });
            }
            workspace.orders.sought(order);
        }
        for product in needs.products {
            workspace.levels.sought(LevelKey { store: store.clone(), product });
        }
    }

    fn count(&mut self, decision: &Decision) {
        self.rows.movements += decision.movements.len();
        self.rows.events += decision.events.len();
        self.rows.permissions += decision.permissions.len();
        self.rows.grants += decision.grants.len();
        for order in &decision.orders {
            let Orders { all, open } = self.orders.entry(order.key.store.clone()).or_default();
            if order.revision == 1 {
                all.push(order.key.clone());
                self.fresh.insert(order.key.order);
            }
            match order.state.is_open() {
                true => drop(open.insert(order.number.clone(), order.key.clone())),
                false => drop(open.remove(&order.number)),
            }
        }
    }
}
