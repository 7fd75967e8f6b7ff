//! Transport: each rpc parses its request into a domain command, submits it, and answers. The only
//! place that knows tonic, prost and the contract.

pub mod access;
pub mod bodies;
pub mod call;
pub mod caps;
pub mod convert;
pub mod errors;
pub mod form;
pub mod guard;
pub mod inventory;
pub mod page;
pub mod policy;
pub mod purchase_order;
mod requests;
pub mod store;
pub mod unary;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tonic::Status;

use self::call::{Call, Caller, Submission};
use self::page::PageKey;
use crate::clock::Clock;
use crate::domain::Ids;
use crate::domain::access::Permission;
use crate::domain::code::{RoleId, StoreId};
use crate::domain::mutation::Reply;
use crate::domain::refusal::Refusal;
use crate::domain::store::Store;
use crate::domain::workspace::Allowed;
use crate::lanes::{Lanes, ReadError, Readers};
use crate::repository::read;
use crate::repository::session::Session;

/// What every rpc needs.
pub struct App {
    /// Where commands go.
    pub lanes: Lanes,
    /// Where reads go.
    pub readers: Readers,
    /// What page tokens are signed with.
    pub page_key: PageKey,
    /// The wall clock, for previews.
    pub clock: Arc<dyn Clock>,
    /// New ids, for previews.
    pub ids: Arc<dyn Ids>,
}

/// One of the contract's services.
#[derive(Clone)]
pub struct Service(pub Arc<App>);

impl App {
    /// Does a command before the call's deadline.
    pub async fn submit(&self, call: &Call, submission: Submission) -> Result<Reply, Status> {
        let Submission { request, bytes } = submission;
        call.within_deadline(self.lanes.submit(request, bytes, call.deadline)).await
    }

    /// Reads from one snapshot before the call's deadline.
    pub async fn read<T, F>(&self, call: &Call, work: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: Fn(&mut Session) -> Result<T, ReadError> + Send + 'static,
    {
        call.within_deadline(self.readers.read(call.deadline, work)).await
    }
}

/// A store as one caller may see it.
struct Seen {
    store: Store,
    permissions: BTreeSet<Permission>,
    roles: BTreeMap<RoleId, Allowed>,
}

/// Judges in a read's own snapshot whether its caller may.
fn admitted(session: &mut Session, store: &StoreId, caller: &Caller) -> Result<Seen, ReadError> {
    let unruled = || Refusal::Internal("the policy of this rpc requires nothing".to_owned());
    let requirement = caller.requirement.ok_or_else(unruled)?;
    let workspace = read::caller(session, store, &caller.principal.id)?;
    let permissions = workspace.authorize(store, &caller.principal, requirement)?.permissions;
    let roles = workspace.roles(store)?.clone();
    let found = workspace.store(store)?.cloned();
    let store = found.ok_or_else(|| Refusal::StoreNotFound(store.clone()))?;
    Ok(Seen { store, permissions, roles })
}
