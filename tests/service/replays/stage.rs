//! A fresh store per call, so that no row of a table minds another.

use purchase_order_service::domain::Ids;
use purchase_order_service::domain::code::StoreId;
use purchase_order_service::proto::v1::PurchaseOrder;

use crate::support::{Caller, STORE, World, writer_of};

/// A store of its own: alice owns it, dora holds everything there by the role owner, its back-order
/// feature is on.
#[derive(Clone)]
pub struct Stage {
    /// Who makes the call that is looked at: dora, or the operator.
    pub me: Caller,
    /// The store's owner, who does what happens besides.
    pub alice: Caller,
    /// The platform operator.
    pub operator: Caller,
    /// The operator, calling about a store that is not there yet.
    pub elsewhere: Caller,
}

impl Stage {
    /// A new one, for calls by `by`.
    pub async fn new(world: &World, by: &str) -> Self {
        let (store, other) = names(world);
        let at = |principal: &str| world.caller(principal).at(&store);
        let stage =
            Self { me: at(by), alice: at("alice"), operator: at("operator"), elsewhere: world.operator().at(&other) };
        stage.operator.create_store("alice").ok().await;
        stage.alice.grant("dora", "owner").ok().await;
        stage.operator.enable_back_orders().ok().await;
        stage
    }

    /// The only order that the store has.
    pub async fn only_order(&self) -> PurchaseOrder {
        let orders = self.alice.list().ok().await.purchase_orders;
        <[PurchaseOrder; 1]>::try_from(orders).expect("there is one order")[0].clone()
    }
}

/// Two names that no store has, in the writer of the world's own: what waits behind a command there is
/// done as one batch.
fn names(world: &World) -> (String, String) {
    loop {
        let store = world.ids.next(&StoreId::new(STORE)).to_string();
        let other = format!("{store}-new");
        if writer_of(&store) == writer_of(STORE) && writer_of(&other) == writer_of(STORE) {
            return (store, other);
        }
    }
}
