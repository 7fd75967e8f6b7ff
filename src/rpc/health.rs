//! The health service (`grpc.health.v1`): whether the service as a whole, and each of its services by
//! name, can serve now. One value counts for all of them, since they share one database and one process.
//!
//! Nothing is kept for a name that is not registered: a watch of one holds its own stream, which the
//! guard ends like every watch, and no entry that would outlive it.

use std::pin::Pin;

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::errors::{TransportFault, to_status};

/// Answers health checks from the one value that the server sends.
#[derive(Clone, Debug)]
pub struct HealthService {
    serving: watch::Receiver<bool>,
    /// The full names of the services that can be asked about; the whole, "", can always.
    names: &'static [&'static str],
}

impl HealthService {
    /// The service to route to. It reports the last value sent to `serving`, for the whole and for each of `names`.
    pub fn server(serving: watch::Receiver<bool>, names: &'static [&'static str]) -> HealthServer<Self> {
        HealthServer::new(Self { serving, names })
    }

    fn knows(&self, name: &str) -> bool {
        name.is_empty() || self.names.contains(&name)
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.knows(&request.get_ref().service) {
            return Err(to_status(TransportFault::ServiceUnknown));
        }
        let serving = *self.serving.borrow();
        Ok(Response::new(message(status_of(serving))))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let changes: Self::WatchStream = if self.knows(&request.get_ref().service) {
            Box::pin(stream::unfold((self.serving.clone(), None), next_change))
        } else {
            // The protocol leaves the call open, in case the service becomes known later. Here the
            // names are fixed, so nothing follows.
            Box::pin(stream::unfold(false, only_unknown))
        };
        Ok(Response::new(changes))
    }
}

/// The state of a watch: where it gets the value from, and the value that it sent last.
type Watched = (watch::Receiver<bool>, Option<bool>);

/// Waits until the value differs from the one sent last; the first value is sent at once.
/// Several changes between two reads of a slow peer become one.
async fn next_change((mut serving, sent): Watched) -> Option<(Result<HealthCheckResponse, Status>, Watched)> {
    let now = serving.wait_for(|now| Some(*now) != sent).await.map(|now| *now);
    let Ok(now) = now else {
        // The server has stopped, so no value follows. The guard ends the watch with a status that makes
        // its client watch again.
        return std::future::pending().await;
    };
    Some((Ok(message(status_of(now))), (serving, Some(now))))
}

/// Sends SERVICE_UNKNOWN once and then waits until the guard ends the watch.
async fn only_unknown(sent: bool) -> Option<(Result<HealthCheckResponse, Status>, bool)> {
    if sent {
        std::future::pending::<()>().await;
    }
    Some((Ok(message(ServingStatus::ServiceUnknown)), true))
}

fn status_of(serving: bool) -> ServingStatus {
    if serving { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn message(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
