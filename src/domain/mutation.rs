//! The way in: what a command is, and the order in which every command is judged.

use std::fmt::Debug;
use std::sync::Arc;

use super::Ids;
use super::access::Requirement;
use super::code::StoreId;
use super::decision::Decision;
use super::draft::Draft;
use super::needs::Needs;
use super::order::actions::{Action, allowed};
use super::order::receipt::Receipt;
use super::order::{Line, LineKey, Order, OrderKey, ReceiptKey};
use super::principal::Principal;
use super::refusal::Refusal;
use super::request::{Made, RequestKey, RequestMark};
use super::store::Store;
use super::time::Timestamp;
use super::workspace::Workspace;

/// A command: one per mutating rpc.
pub trait Mutation: Debug + Send + Sync {
    /// What it requires of its caller.
    fn requires(&self) -> Requirement;

    /// Adds what it must know before it can decide.
    fn needs(&self, needs: &mut Needs);

    /// Decides. Existence is judged first, then the etag, the state, and the rules; the first stage
    /// that fails answers with all its violations.
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Made, Refusal>;
}

/// A command with the store it is about and who sent it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The store.
    pub store: StoreId,
    /// The caller.
    pub principal: Principal,
    /// The client's request id, if it made one.
    pub mark: Option<RequestMark>,
    /// The command.
    pub mutation: Arc<dyn Mutation>,
}

impl Request {
    /// Where the first answer to `mark` is kept.
    pub fn key_of(&self, mark: &RequestMark) -> RequestKey {
        RequestKey { store: self.store.clone(), principal: self.principal.id.clone(), id: mark.id }
    }

    /// Where the first answer to this request is kept, if it carries an id.
    pub fn key(&self) -> Option<RequestKey> {
        self.mark.as_ref().map(|mark| self.key_of(mark))
    }

    /// The needs of its command.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        self.mutation.needs(&mut needs);
        needs
    }
}

/// What judging a request came to.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It changes something, or is the first to ask.
    Decided(Box<Decision>),
    /// It was answered before.
    Replayed(Made),
}

/// Judges a request: access, stored answer, then the command itself.
pub fn decide(
    workspace: &Workspace,
    request: &Request,
    wall_clock: Timestamp,
    ids: &dyn Ids,
) -> Result<Verdict, Refusal> {
    let authorization = workspace.authorize(&request.store, &request.principal, request.mutation.requires())?;
    if let Some(made) = stored_answer(workspace, request)? {
        return Ok(Verdict::Replayed(made));
    }
    let mut draft = Draft::new(workspace, request, authorization, wall_clock, ids)?;
    let made = request.mutation.decide(&mut draft)?;
    Ok(Verdict::Decided(Box::new(draft.finish(made)?)))
}

fn stored_answer(workspace: &Workspace, request: &Request) -> Result<Option<Made>, Refusal> {
    let Some(mark) = &request.mark else { return Ok(None) };
    match workspace.requests.get(&request.key_of(mark))? {
        None => Ok(None),
        Some(record) if record.fingerprint == mark.fingerprint => Ok(Some(record.made.clone())),
        Some(_) => Err(Refusal::RequestIdReused),
    }
}

/// An order's header as one caller may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSeen {
    /// The header.
    pub order: Order,
    /// What the caller may do with it now.
    pub allowed_actions: Vec<Action>,
}

/// What a caller is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What the command made: the same on each replay.
    pub made: Made,
    /// The store as it stands.
    pub store: Store,
    /// The order as it stands.
    pub order: Option<OrderSeen>,
    /// The receipt that the command made or voided.
    pub receipt: Option<Receipt>,
    /// The lines that it touched, as they stand.
    pub lines: Vec<Line>,
}

/// Answers a request from the workspace that its decision was absorbed into.
pub fn reply(workspace: &Workspace, request: &Request, made: Made) -> Result<Reply, Refusal> {
    let store = workspace.store(&request.store)?.cloned();
    let store = store.ok_or_else(|| Refusal::StoreNotFound(request.store.clone()))?;
    let Some(id) = made.order else {
        return Ok(Reply { made, store, order: None, receipt: None, lines: Vec::new() });
    };
    let key = OrderKey { store: request.store.clone(), order: id };
    let order = workspace.order(&key)?.cloned().ok_or(Refusal::OrderNotFound)?;
    let roles = workspace.roles_of(&request.store, &request.principal.id)?;
    let permissions = workspace.permissions_of(&request.store, &roles)?;
    let allowed_actions = allowed(&order, &permissions);
    let mut lines = Vec::with_capacity(made.lines.len());
    for number in &made.lines {
        lines.extend(workspace.line(&LineKey { order: key.clone(), number: *number })?.cloned());
    }
    let receipt = match made.receipt {
        Some(number) => workspace.receipts.get(&ReceiptKey { order: key, number })?.cloned(),
        None => None,
    };
    Ok(Reply { made, store, order: Some(OrderSeen { order, allowed_actions }), receipt, lines })
}
