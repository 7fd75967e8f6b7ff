//! Stopping a server in stages: announce it, drain the calls in flight, end the threads, close the database.
//!
//! Every stage has a time limit, so that neither a stuck peer nor a stuck database can keep the process
//! from ending. Stopping early is safe at any point: what was acknowledged was committed, and a
//! transaction that is cut off is rolled back.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Server;
use crate::repository::database_file::DatabaseInUse;
use crate::repository::transaction::{TransactionCounters, TransactionName, TransactionStats};
use crate::workers::Stats;

/// How long the task that watches the database's health may take to end.
const HEALTH_END: Duration = Duration::from_secs(1);
/// How long the writers and readers may take to end their last transactions.
const WORKERS_END: Duration = Duration::from_secs(5);
/// How much longer than the workers the pruner may take to end its step.
const PRUNER_END: Duration = Duration::from_secs(1);
/// How long sending the last spans may take.
const TRACES_END: Duration = Duration::from_secs(2);
/// How long closing a SQLite database may take: its log is moved into the file.
const DATABASE_END: Duration = Duration::from_secs(10);

impl Server {
    /// Reports NOT_SERVING and serves on for the configured delay, so that load balancers send their callers
    /// elsewhere; then closes the listener and lets the calls in flight finish; then ends the threads. Each
    /// further request on `asked` ends the stage that it finds.
    pub(super) async fn stop_in_stages(mut self, mut asked: mpsc::Receiver<()>) {
        // This task must have ended before NOT_SERVING is set, or it could set SERVING afterwards. That it
        // was aborted, or did not end in time, changes nothing.
        self.probing.abort();
        let _ = tokio::time::timeout(HEALTH_END, &mut self.probing).await;
        self.health.send_replace(false);
        tracing::info!(delay = ?self.shutdown_delay, "asked to stop; health reports NOT_SERVING from now on");
        serving_ends(&mut self.serving, self.shutdown_delay, &mut asked).await;
        self.closing.send_replace(true);
        if !serving_ends(&mut self.serving, self.drain, &mut asked).await {
            tracing::warn!("some calls did not end in time and are cut off");
            self.serving.abort();
        }
        self.end_threads().await;
    }

    /// Lets the writers, the readers and the pruner end what they are doing, and closes the database. A
    /// thread that waits for a stuck database is left behind; it ends with the process.
    async fn end_threads(self) {
        // It reads without a deadline, and would wait for ever for readers that have stopped.
        self.polling.abort();
        // Only now, so that a scrape sees how the calls drain.
        if let Some(metrics) = self.metrics {
            metrics.stop().await;
        }
        let app = self.app;
        let Stats { batches, commands, largest_batch } = app.writers.stats();
        tracing::info!(batches, commands, largest_batch, "stopped");
        log_transactions(&self.transactions);
        let pruner = self.pruner;
        let database = self.database;
        let ending = tokio::task::spawn_blocking(move || {
            app.writers.stop();
            app.readers.stop();
            database.prober.stop();
        });
        // At the same time as the workers: it may be waiting for a database that does not answer.
        let pruning = tokio::task::spawn_blocking(move || pruner.stop());
        if !matches!(tokio::time::timeout(WORKERS_END, ending).await, Ok(Ok(()))) {
            tracing::error!("the writers and readers did not end in time");
        }
        if !matches!(tokio::time::timeout(PRUNER_END, pruning).await, Ok(Ok(()))) {
            tracing::warn!("the pruner did not end in time");
        }
        let tracer = self.tracer;
        // After the workers, whose last transactions have spans too; while the database is closed, which may take
        // longer.
        let sending = tokio::task::spawn_blocking(move || tracer.stop(TRACES_END));
        if let Some(in_use) = self.in_use {
            close_database(in_use).await;
        }
        // It has a time limit of its own, which is logged.
        let _ = tokio::time::timeout(TRACES_END + Duration::from_millis(500), sending).await;
    }
}

/// Waits until serving has ended, for `time` at most, or until the next request to stop. Returns whether
/// serving has ended.
async fn serving_ends(serving: &mut JoinHandle<()>, time: Duration, asked: &mut mpsc::Receiver<()>) -> bool {
    if serving.is_finished() {
        return true;
    }
    let asked_again = async {
        // A closed channel means that no request can come, which is not a request.
        if asked.recv().await.is_none() {
            std::future::pending().await
        }
    };
    tokio::select! {
        _ = serving => true,
        () = tokio::time::sleep(time) => false,
        () = asked_again => false,
    }
}

/// Closes a SQLite database, so that its one file holds everything and can be copied by itself.
async fn close_database(in_use: DatabaseInUse) {
    let closing = tokio::task::spawn_blocking(move || in_use.close());
    match tokio::time::timeout(DATABASE_END, closing).await {
        Ok(Ok(Ok(true))) => tracing::info!("the database is closed; its file holds everything"),
        Ok(Ok(Ok(false))) => tracing::warn!("another program uses the database: a copy of it needs its -wal file too"),
        Ok(Ok(Err(error))) => {
            tracing::error!(%error, "the database was not closed: a copy of it needs its -wal file too")
        }
        _ => tracing::error!("the database was not closed in time: a copy of it needs its -wal file too"),
    }
}

/// Logs how the transactions ended since the start, one line for each that was attempted. What ends after this is not in
/// it: the last batches of the writers.
fn log_transactions(counters: &TransactionCounters) {
    for name in TransactionName::ALL {
        let stats = counters.stats(name);
        if stats.attempts() > 0 {
            let TransactionStats { retries, committed, rolled_back, commit_unknown, no_connection, refused } = stats;
            tracing::info!(
                transaction = name.name(),
                committed,
                rolled_back,
                commit_unknown,
                no_connection,
                refused,
                retries,
                "transactions since the start"
            );
        }
    }
}
