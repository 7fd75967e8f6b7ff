//! Transport: each rpc parses its request into a domain command, submits it, and answers. The only
//! place that knows tonic, prost and the contract.

pub mod access;
pub mod bodies;
pub mod call;
pub mod caps;
pub mod convert;
pub mod errors;
pub mod field_parser;
pub mod guard;
pub mod health;
pub mod inventory;
pub mod page;
pub mod policy;
pub mod purchase_order;
mod request_impls;
mod requests;
pub mod store;
pub mod unary;

use std::sync::Arc;

use tonic::Status;

use self::call::{Call, Submission};
use self::page::{Page, PageKey};
pub use self::unary::MAX_MESSAGE;
use crate::clock::Clock;
use crate::domain::Ids;
use crate::domain::command::Reply;
use crate::repository::read::authorized::{ReadError, ReadSession};
use crate::workers::{ReadClass, Readers, Writers};

/// What every rpc needs.
pub struct App {
    /// Where commands go.
    pub writers: Writers,
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
        let Submission { envelope, bytes } = submission;
        call.within_deadline(self.writers.submit(envelope, bytes, Some(call.deadline))).await
    }

    /// Reads from one snapshot before the call's deadline. What a read can see of a store it sees by a
    /// check that [`Call::check`] makes.
    pub async fn read<T, F>(&self, call: &Call, class: ReadClass, work: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: Fn(&mut ReadSession<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        let caller = Some(call.principal.id.clone());
        call.within_deadline(self.readers.read(caller, class, Some(call.deadline), work)).await
    }
}

/// A page of more rows than this is a large read.
const SMALL_PAGE: usize = 100;

/// How much a page takes of the readers.
fn class_of_page<K>(page: &Page<K>) -> ReadClass {
    if page.size > SMALL_PAGE { ReadClass::Large } else { ReadClass::Small }
}
