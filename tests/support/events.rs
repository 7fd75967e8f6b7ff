//! Following what happens in stores: events listed, and watched as they happen.

use purchase_order_service::proto::v1::*;
use tonic::{Status, Streaming};

use super::caller::Caller;
use super::rpc::Call;
use super::timeout::within_timeout;

/// A position in a store's events.
pub fn position(store: &str, after: i64) -> EventPosition {
    EventPosition { store_id: store.to_owned(), after }
}

/// The order that an event is of, as it left it.
pub fn order_of(event: &Event) -> &PurchaseOrderSummary {
    event.purchase_order.as_ref().expect("it is of an order")
}

impl Caller {
    /// What happened in the caller's store after an event.
    pub fn events(&self, after: i64) -> Call<ListEventsRequest> {
        let positions = vec![position(&self.store_id(), after)];
        self.call(ListEventsRequest { positions, ..ListEventsRequest::default() })
    }

    /// The same, as it happens.
    pub fn watch(&self, after: i64) -> Call<WatchEventsRequest> {
        let positions = vec![position(&self.store_id(), after)];
        self.call(WatchEventsRequest { positions, ..WatchEventsRequest::default() })
    }

    /// The number of the last event of the caller's store.
    pub async fn last_event(&self) -> i64 {
        let (mut after, mut is_last) = (0, false);
        while !is_last {
            let page = self.events(after).with(|request| request.page_size = 1_000).ok().await;
            (after, is_last) = (page.positions[0].after, page.up_to_date);
        }
        after
    }
}

/// A watch that has begun.
pub struct Watching {
    messages: Streaming<WatchEventsResponse>,
    /// The message that it began with.
    pub first: WatchEventsResponse,
}

impl Call<WatchEventsRequest> {
    /// Begins to watch.
    pub async fn begin(self) -> Watching {
        let mut messages = self.open().await.expect("the watch is granted");
        let first = within_timeout(messages.message()).await.expect("it goes on").expect("it begins with a message");
        Watching { messages, first }
    }
}

impl Watching {
    /// The next message.
    pub async fn next(&mut self) -> Result<WatchEventsResponse, Status> {
        let next = within_timeout(self.messages.message()).await?;
        Ok(next.expect("a watch ends with a status that says why"))
    }

    /// The next events, at least so many.
    pub async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.extend(self.next().await.expect("the watch goes on").events);
        }
        events
    }

    /// The status that ends it; what comes before is dropped.
    pub async fn end(mut self) -> Status {
        loop {
            if let Err(status) = self.next().await {
                return status;
            }
        }
    }
}
