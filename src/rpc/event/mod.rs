//! EventService: what happens in stores, for services that follow it.

mod list;
pub mod message;
mod positions;
mod watch;

use tonic::{Request, Response, Status};

use super::Service;
use super::costs::Messages;
use crate::proto::v1;
use crate::proto::v1::event_service_server::EventService;

#[tonic::async_trait]
impl EventService for Service {
    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        list::list(&self.0, request).await
    }

    type WatchEventsStream = Messages<v1::WatchEventsResponse>;

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        watch::watch(&self.0, request).await
    }
}
