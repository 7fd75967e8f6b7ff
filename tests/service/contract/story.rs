//! One rpc's story: a world in which its calls are counted, and their reasons held against those that
//! the contract documents. What only sets the scene is called past the story.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::thread;

use purchase_order_service::proto::v1::PurchaseOrder;
use tonic::Code;

use crate::contract::documented::{CONTRACT, Reasons, reason_text};
use crate::support::{Call, Engine, Refused, Rpc, World};

/// A request id, for stories in which an answer gets lost.
pub const AN_ID: &str = "0191e0c8-0b5e-7c11-9f3a-2f6c1d8e4b7a";
/// Another one.
pub const ANOTHER_ID: &str = "0191e0c8-0b5e-7c11-9f3a-2f6c1d8e4b7b";

/// See the module. It ends with [`Story::end`].
pub struct Story<R> {
    pub world: World,
    seen: RefCell<Seen>,
    rpc: PhantomData<R>,
}

/// What happened so far.
#[derive(Default)]
struct Seen {
    successes: usize,
    refusals: usize,
    reasons: Reasons,
}

impl<R: Rpc> Story<R> {
    /// A story on this engine; `None` if it is not to be had.
    pub async fn on(engine: Engine) -> Option<Self> {
        assert_named_after(R::PATH);
        let world = World::on(engine).await?;
        Some(Self { world, seen: RefCell::default(), rpc: PhantomData })
    }

    /// The answer of a call that must succeed.
    pub async fn ok(&self, call: Call<R>) -> R::Answer {
        let answer = call.ok().await;
        self.seen.borrow_mut().successes += 1;
        answer
    }

    /// The refusal of a call that must be refused for this reason.
    pub async fn refused(&self, call: Call<R>, code: Code, reason: &str) -> Refused {
        let refused = call.refused(code, reason).await;
        let mut seen = self.seen.borrow_mut();
        seen.refusals += 1;
        seen.reasons.insert(reason_text(code, reason));
        refused
    }

    /// Holds what happened against the contract, and checks every invariant of the database.
    pub async fn end(self) {
        let Seen { successes, refusals, reasons } = self.seen.take();
        assert!(successes > 0, "{}: nothing succeeded", R::PATH);
        assert!(refusals >= successes, "{}: {refusals} refusals to {successes} successes", R::PATH);
        let documented = CONTRACT.of(R::PATH);
        let own = documented.reasons.clone().unwrap_or_default();
        let allowed: Reasons = own.union(&CONTRACT.common_to(documented)).cloned().collect();
        let none = BTreeSet::<&String>::new();
        assert_eq!(own.difference(&reasons).collect::<BTreeSet<_>>(), none, "{}: never provoked", R::PATH);
        assert_eq!(reasons.difference(&allowed).collect::<BTreeSet<_>>(), none, "{}: not documented", R::PATH);
        self.world.verify().await;
    }
}

/// A story's test is called what its rpc is called. Each test has a thread with its name, unless they
/// all run on the main thread.
fn assert_named_after(path: &str) {
    let current = thread::current();
    let name = current.name().unwrap_or("main");
    let is_named = name.split("::").any(|part| part == CONTRACT.of(path).story);
    assert!(is_named || name == "main", "{name} tells the story of {path}");
}

/// More stores than a list is over, in each of which alice has a role.
pub const MORE_STORES: &str = "
    INSERT INTO store
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    SELECT 'x-' || i, '', 'EUR', 'UTC', 1, 1 = 0, 0, 1 = 0, 1 = 0, 0, 0, 1, 1, 1 FROM n;
    INSERT INTO role_grant
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    SELECT 'x-' || i, 'alice', 'owner', 1, NULL FROM n;";
/// Without them again.
pub const FEWER_STORES: &str =
    "DELETE FROM role_grant WHERE store_id LIKE 'x-%'; DELETE FROM store WHERE store_id LIKE 'x-%'";

/// An order that does not exist.
pub fn absent() -> PurchaseOrder {
    let purchase_order_id = "01234567-89ab-7cde-8f01-23456789abcd".to_owned();
    PurchaseOrder { purchase_order_id, ..PurchaseOrder::default() }
}

/// Lines of one product that add up to the most that a store may have of it.
pub fn as_much_as_there_may_be(product: &str) -> Vec<(&str, &str)> {
    let mut lines = vec![(product, "999999999"); 900];
    lines.push((product, "900"));
    lines
}
