//! Waiting for what must come, and not for ever.

use std::future::Future;
use std::time::Duration;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a future comes to; red if it does not come.
pub async fn within_timeout<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.expect("it comes in time")
}
