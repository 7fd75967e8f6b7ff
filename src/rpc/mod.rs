//! The service's rpcs: each parses its request into a domain command or a read, has it done by the
//! workers, and answers. Of what serves calls this is the only module that knows tonic's requests and the
//! messages of the contract, and the only one that makes a `Status`: everything below can be tested without
//! a transport.
//!
//! # Where an rpc is implemented
//!
//! Every service has a folder. In it:
//!
//! - `mod.rs` implements the service's trait; each method calls one function and holds no logic.
//! - Every mutating rpc has a file of its own, which reads top to bottom: open the call, parse the request
//!   into a command, submit it, answer.
//! - The reads stand together in `reads.rs`, or in a folder `reads` where they are many.
//!
//! What a handler gets back, it can only turn into a message by [`Unredacted::answer`], which unsets what
//! the caller may not see; see [`costs`].
//!
//! Before a handler runs, a call has passed the [`guard`], which authenticated its caller. Whether the
//! caller may do what they ask is judged with the data, in the same transaction or snapshot: see
//! [`policy`] and [`Call`].

pub mod access;
pub mod access_log;
pub mod bodies;
pub mod caps;
pub mod code_name;
pub mod convert;
mod costs;
pub mod counted;
pub mod errors;
pub mod event;
pub mod field_parser;
pub mod guard;
pub mod health;
mod idempotency;
pub mod inventory;
pub mod page;
pub mod policy;
pub mod purchase_order;
mod report;
mod request_impls;
mod requests;
pub mod store;
pub mod unary;
pub mod web;

use std::sync::Arc;
use std::time::Duration;

use tonic::Status;

use self::costs::{HideCosts, PageEnd, RedactedPage, Unredacted};
use self::guard::call::{Call, Submission};
use self::page::PageKey;
pub use self::unary::MAX_MESSAGE;
use crate::clock::Clock;
use crate::domain::Ids;
use crate::domain::access::CostVisibility;
use crate::domain::command::Reply;
use crate::repository::read::authorized::{ReadError, ReadSession};
use crate::workers::store_changes::StoreChanges;
use crate::workers::{ReadClass, Readers, Writers};

/// What the handlers of every service share. They hold no state of their own.
pub struct App {
    /// Every mutation goes to them: they serialize the commands of one store.
    pub writers: Writers,
    /// Every read goes to them: they keep one caller from taking all of the database's connections.
    pub readers: Arc<Readers>,
    /// Which stores have changed, for those who watch events.
    pub changes: Arc<StoreChanges>,
    /// How long a watch of events is silent at most.
    pub heartbeat: Duration,
    /// Signs page tokens. It comes from the database, so that a token is valid at every instance.
    pub page_key: PageKey,
    /// The wall clock, for reads that depend on the present time: previews, reports, and lists of what is
    /// overdue. The writers have it too.
    pub clock: Arc<dyn Clock>,
    /// New ids for the back order that a preview decides on and that is never stored.
    pub ids: Arc<dyn Ids>,
}

/// Implements the trait of every service of the contract.
#[derive(Clone)]
pub struct Service(pub Arc<App>);

impl App {
    /// Has a command decided, saved and committed, and waits for the reply until the call's deadline. What
    /// the caller may not see of the reply is unset in the answer that [`Unredacted::answer`] makes.
    pub async fn submit(&self, call: &Call, submission: Submission) -> Result<Unredacted<Reply>, Status> {
        let Submission { envelope, bytes } = submission;
        // At the deadline this future is dropped. A command that was not decided by then never is; one that was may
        // still be committed. The caller is told DEADLINE_EXCEEDED in both cases, and learns the outcome by sending the
        // request id again.
        let executed = self.writers.submit(envelope, bytes, Some(call.deadline()), call.traced());
        let reply = call.within_deadline(executed).await?;
        let costs = reply.costs;
        Ok(Unredacted::new(reply, costs))
    }

    /// Reads from one snapshot before the call's deadline. `work` may run again on a fresh connection. It
    /// can read a store only with the proof that [`Call::check`] makes, and the judgement of that proof
    /// decides what the answer shows.
    pub async fn read<T, F>(&self, call: &Call, class: ReadClass, work: F) -> Result<Unredacted<T>, Status>
    where
        T: Send + 'static,
        F: Fn(&mut ReadSession<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        let redactable = move |session: &mut ReadSession<'_>| {
            let read = work(session)?;
            // After `work`: the session knows only then what was judged. A read that judged nobody shows no costs.
            Ok(Unredacted::new(read, session.costs()))
        };
        call.within_deadline(self.readers.read(call.requester(), class, redactable)).await
    }

    /// The same for a read of several stores, of which the caller may see different things: `work` returns what it
    /// has read of each with what was judged there.
    pub async fn read_parts<T, F>(&self, call: &Call, class: ReadClass, work: F) -> Result<Vec<Unredacted<T>>, Status>
    where
        T: Send + 'static,
        F: Fn(&mut ReadSession<'_>) -> Result<Vec<(CostVisibility, T)>, ReadError> + Send + 'static,
    {
        let redactable = move |session: &mut ReadSession<'_>| {
            let parts = work(session)?;
            Ok(parts.into_iter().map(|(costs, part)| Unredacted::new(part, costs)).collect())
        };
        call.within_deadline(self.readers.read(call.requester(), class, redactable)).await
    }

    /// The same for a page of a list that may be over several stores: `work` returns the rows, each with what was judged
    /// in its store, and how the page ends.
    pub async fn read_page<M, F>(&self, call: &Call, class: ReadClass, work: F) -> Result<RedactedPage<M>, Status>
    where
        M: HideCosts + Send + 'static,
        F: Fn(&mut ReadSession<'_>) -> Result<(Vec<(CostVisibility, M)>, PageEnd), ReadError> + Send + 'static,
    {
        let redacted = move |session: &mut ReadSession<'_>| {
            let (rows, end) = work(session)?;
            Ok(RedactedPage::new(rows, end))
        };
        call.within_deadline(self.readers.read(call.requester(), class, redacted)).await
    }
}
