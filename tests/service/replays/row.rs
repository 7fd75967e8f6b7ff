//! A row of the table: one mutation, and what there is to know about it in order to send it again.
//! Requests are handled as their bytes, so that the checks need not know their types.

use std::pin::Pin;
use std::rc::Rc;

use purchase_order_service::proto::v1::{InventoryLevel, PurchaseOrder, PurchaseOrderLine, PurchaseOrderState, Store};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::replays::stage::Stage;
use crate::support::{Call, Caller, Mutation, World};

/// Something that will be done.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
/// A call under way.
pub type Sent = JoinHandle<Result<Answer, Status>>;

/// What a mutation answers.
#[derive(Debug)]
pub struct Answer {
    /// All of it.
    pub whole: String,
    /// What the call made: the same on each replay.
    pub made: String,
    /// The number of its event, and what is told as it stands now.
    pub parts: Parts,
}

/// See [`Answer::parts`].
#[derive(Debug, Default)]
pub struct Parts {
    pub event: i64,
    order: Option<PurchaseOrder>,
    lines: Vec<PurchaseOrderLine>,
    store: Option<Store>,
    level: Option<InventoryLevel>,
}

impl Parts {
    /// The event's number.
    pub fn event(event: i64) -> Self {
        Self { event, ..Self::default() }
    }

    /// Takes an order's header out of its answer.
    pub fn order(self, order: &mut Option<PurchaseOrder>) -> Self {
        Self { order: order.take(), ..self }
    }

    /// Takes the lines that the call touched out of its answer.
    pub fn lines(self, lines: &mut Vec<PurchaseOrderLine>) -> Self {
        Self { lines: std::mem::take(lines), ..self }
    }

    /// Takes a store out of its answer.
    pub fn store(self, store: &mut Option<Store>) -> Self {
        Self { store: store.take(), ..self }
    }

    /// Takes a product's level out of its answer.
    pub fn level(self, level: &mut Option<InventoryLevel>) -> Self {
        Self { level: level.take(), ..self }
    }

    /// Whether anything that is told as it stands now can stand otherwise later: the header of a closed order cannot, but
    /// for what becomes of its back order, by which it may be reopened or not.
    pub fn can_change(&self) -> bool {
        let closed = [PurchaseOrderState::Completed, PurchaseOrderState::Cancelled];
        self.store.is_some()
            || self.level.is_some()
            || self
                .order
                .as_ref()
                .is_some_and(|order| !closed.contains(&order.state()) || !order.back_order_purchase_order_id.is_empty())
    }

    /// Checks that what is told as it stands now is what reads tell.
    pub async fn assert_as_seen_by(&self, caller: &Caller, path: &str) {
        if let Some(order) = &self.order {
            assert_eq!(*order, caller.seen(&order.purchase_order_id).await, "{path}");
            let lines = caller.lines(order).await;
            assert!(self.lines.iter().all(|line| lines.contains(line)), "{path}: {:?} of {lines:?}", self.lines);
        }
        if let Some(store) = &self.store {
            let seen = caller.at(&store.store_id).get_store().ok().await.store;
            assert_eq!(Some(store), seen.as_ref(), "{path}");
        }
        if let Some(level) = &self.level {
            let seen = caller.level(&level.product_id).ok().await.inventory_level;
            assert_eq!(Some(level), seen.as_ref(), "{path}");
        }
    }
}

/// What a second intention comes to: the same request without an id, after it was done.
#[derive(Clone, Copy)]
pub enum Again {
    /// It happens again.
    Happens,
    /// Everything is as it is wanted: OK, and nothing changes.
    ChangesNothing,
    /// It cannot happen twice.
    Refused(&'static str),
}

/// A call that is refused until something is cleared away.
pub struct Obstacle<R> {
    call: Call<R>,
    refusal: (Code, &'static str),
    clear: Doing<'static, ()>,
}

impl<R> Obstacle<R> {
    pub fn new(call: Call<R>, code: Code, reason: &'static str, clear: impl Future<Output = ()> + 'static) -> Self {
        Self { call, refusal: (code, reason), clear: Box::pin(clear) }
    }
}

/// The same of a request whose type is forgotten.
pub struct Blocked {
    pub request: Vec<u8>,
    pub refusal: (Code, &'static str),
    pub clear: Doing<'static, ()>,
}

/// One mutation.
pub trait Row {
    /// Its rpc.
    fn path(&self) -> &'static str;
    /// Who calls it in these tests.
    fn by(&self) -> &'static str;
    /// A legal request, in a situation that is made for it.
    fn prepare(&self, stage: Stage) -> Doing<'_, Vec<u8>>;
    /// Another request of the same rpc; `None` if the store is all that it holds.
    fn other(&self, request: &[u8]) -> Option<Vec<u8>>;
    /// Sends it under an id, the empty one is none; `None` if these bytes are no request of this rpc.
    fn send(&self, caller: &Caller, request: &[u8], id: &str) -> Option<Sent>;
    /// Sends requests under one id, which the service does as one batch.
    fn send_as_one_batch<'a>(
        &'a self,
        caller: &Caller,
        requests: &[Vec<u8>],
        id: &str,
        world: &'a World,
    ) -> Doing<'a, Vec<Result<Answer, Status>>>;
    /// Changes what the call made or changed.
    fn meanwhile(&self, stage: Stage, request: &[u8]) -> Doing<'_, ()>;
    /// A call that is refused first; or why there is none.
    fn blocked(&self, stage: Stage) -> Result<Doing<'_, Blocked>, &'static str>;
    /// See [`Again`].
    fn again(&self) -> Again;
}

type Work<A, T> = Box<dyn Fn(A) -> Doing<'static, T>>;

fn boxed<A: 'static, T>(work: impl AsyncFn(A) -> T + 'static) -> Work<A, T> {
    let work = Rc::new(work);
    Box::new(move |argument| {
        let work = Rc::clone(&work);
        Box::pin(async move { work(argument).await })
    })
}

/// A row in the making, with its type.
pub struct Typed<R: Mutation> {
    by: &'static str,
    prepare: Work<Stage, Call<R>>,
    other: Option<fn(&mut R)>,
    parts: fn(&mut R::Answer) -> Parts,
    meanwhile: Work<(Stage, R), ()>,
    blocked: Result<Work<Stage, Obstacle<R>>, &'static str>,
    again: Again,
}

/// A row whose calls `by` makes after `prepare`; `parts` takes apart what they answer.
pub fn row<R: Mutation>(
    by: &'static str,
    prepare: impl AsyncFn(Stage) -> Call<R> + 'static,
    parts: fn(&mut R::Answer) -> Parts,
    again: Again,
) -> Typed<R> {
    Typed {
        by,
        prepare: boxed(prepare),
        other: None,
        parts,
        meanwhile: boxed(async |_| panic!("nothing happens in between to {}", R::PATH)),
        blocked: Err("the caller's role is all that is in its way"),
        again,
    }
}

impl<R: Mutation> Typed<R> {
    /// What makes it another request.
    pub fn other(self, other: fn(&mut R)) -> Self {
        Self { other: Some(other), ..self }
    }

    /// What happens to the same thing afterwards.
    pub fn meanwhile(self, work: impl AsyncFn(Stage, R) + 'static) -> Self {
        Self { meanwhile: boxed(async move |(stage, request)| work(stage, request).await), ..self }
    }

    /// What a call can be refused for first.
    pub fn blocked(self, obstacle: impl AsyncFn(Stage) -> Obstacle<R> + 'static) -> Self {
        Self { blocked: Ok(boxed(obstacle)), ..self }
    }

    /// Why a refused call never succeeds later.
    pub fn never_blocked(self, reason: &'static str) -> Self {
        Self { blocked: Err(reason), ..self }
    }

    fn answer(parts: fn(&mut R::Answer) -> Parts, mut answer: R::Answer) -> Answer {
        let whole = format!("{answer:?}");
        let parts = parts(&mut answer);
        Answer { whole, made: format!("{answer:?}"), parts }
    }
}

fn read<R: Mutation>(request: &[u8]) -> R {
    R::decode(request).expect("it is a request of this rpc")
}

impl<R: Mutation> Row for Typed<R> {
    fn path(&self) -> &'static str {
        R::PATH
    }

    fn by(&self) -> &'static str {
        self.by
    }

    fn prepare(&self, stage: Stage) -> Doing<'_, Vec<u8>> {
        Box::pin(async { (self.prepare)(stage).await.request.encode_to_vec() })
    }

    fn other(&self, request: &[u8]) -> Option<Vec<u8>> {
        let mut other: R = read(request);
        self.other?(&mut other);
        Some(other.encode_to_vec())
    }

    fn send(&self, caller: &Caller, request: &[u8], id: &str) -> Option<Sent> {
        let (call, parts) = (caller.call(R::decode(request).ok()?).id(id), self.parts);
        Some(tokio::spawn(async move { call.await.map(|answer| Self::answer(parts, answer)) }))
    }

    fn send_as_one_batch<'a>(
        &'a self,
        caller: &Caller,
        requests: &[Vec<u8>],
        id: &str,
        world: &'a World,
    ) -> Doing<'a, Vec<Result<Answer, Status>>> {
        let calls = requests.iter().map(|request| caller.call(read::<R>(request)).id(id)).collect();
        let store = caller.store_id();
        Box::pin(async move {
            let answers = world.queued_up_in(&store, calls).await;
            answers.into_iter().map(|answer| answer.map(|answer| Self::answer(self.parts, answer))).collect()
        })
    }

    fn meanwhile(&self, stage: Stage, request: &[u8]) -> Doing<'_, ()> {
        (self.meanwhile)((stage, read(request)))
    }

    fn blocked(&self, stage: Stage) -> Result<Doing<'_, Blocked>, &'static str> {
        let obstacle = self.blocked.as_ref().map_err(|reason| *reason)?(stage);
        Ok(Box::pin(async {
            let Obstacle { call, refusal, clear } = obstacle.await;
            Blocked { request: call.request.encode_to_vec(), refusal, clear }
        }))
    }

    fn again(&self) -> Again {
        self.again
    }
}
