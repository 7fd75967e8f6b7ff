//! Shows to a scrape what the parts of a server count anyway: queues, sessions, connections, calls and transactions.
//!
//! The values are read when they are asked for, so nothing is counted twice. Reading takes locks that are held for moments and
//! never while anybody waits for the database. It holds the server's parts weakly, so that a scrape keeps no session open
//! of a database that is being closed.

use std::fmt;
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::watch;

use crate::metrics::PREFIX;
use crate::repository::transaction::{TransactionCounters, TransactionName};
use crate::rpc::App;
use crate::traces::{SpanCounts, Tracer};
use crate::transport::refused_connections::ConnectionRefusal;
use crate::transport::resource_limits::{CallClass, ResourceLimiter};
use crate::workers::{AvailabilityState, ReadClass};

type Labels<'a> = &'a [(&'static str, &'static str)];

/// Of a metric that has one value.
const NO_LABELS: Labels<'static> = &[];

/// The parts of a server whose state a scrape shows.
pub(super) struct ServerState {
    app: Weak<App>,
    limiter: Arc<ResourceLimiter>,
    transactions: Arc<TransactionCounters>,
    availability: watch::Receiver<AvailabilityState>,
    /// What health reports.
    health: watch::Receiver<bool>,
    tracer: Tracer,
}

impl fmt::Debug for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerState").finish_non_exhaustive()
    }
}

impl ServerState {
    /// Has scrapes of this registry show the state of these parts.
    pub(super) fn register(
        registry: &mut Registry,
        app: &Arc<App>,
        limiter: &Arc<ResourceLimiter>,
        transactions: &Arc<TransactionCounters>,
        availability: watch::Receiver<AvailabilityState>,
        health: watch::Receiver<bool>,
        tracer: &Tracer,
    ) {
        let (app, limiter, transactions) = (Arc::downgrade(app), Arc::clone(limiter), Arc::clone(transactions));
        let state = Self { app, limiter, transactions, availability, health, tracer: tracer.clone() };
        registry.sub_registry_with_prefix(PREFIX).register_collector(Box::new(state));
    }
}

impl Collector for ServerState {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut samples = Samples(encoder);
        self.health(&mut samples)?;
        self.transport(&mut samples)?;
        self.transactions(&mut samples)?;
        self.spans(&mut samples)?;
        match self.app.upgrade() {
            Some(app) => workers(&app, &mut samples),
            // The server is ending its threads.
            None => Ok(()),
        }
    }
}

impl ServerState {
    fn health(&self, samples: &mut Samples<'_>) -> fmt::Result {
        let is_serving = *self.health.borrow();
        samples.gauge("serving", "Whether health reports SERVING.", None, [(NO_LABELS, u64::from(is_serving))])?;
        let (reads, writes) = {
            let state = self.availability.borrow();
            (state.reads.is_none(), state.writes.is_none())
        };
        let available: [(Labels<'_>, u64); 2] =
            [(&[("operation", "read")], u64::from(reads)), (&[("operation", "write")], u64::from(writes))];
        samples.gauge(
            "database_available",
            "Whether the database can be used, as the last probe found.",
            None,
            available,
        )
    }

    fn transport(&self, samples: &mut Samples<'_>) -> fmt::Result {
        let open = self.limiter.open_connections() as u64;
        samples.gauge("connections", "Open connections of callers.", None, [(NO_LABELS, open)])?;
        let refused = ConnectionRefusal::ALL;
        let refused: Vec<_> =
            refused.map(|why| ([("reason", why.name())], self.limiter.refused_connections().of(why))).into();
        let help = "Connections that were closed before any call on them was served.";
        samples.counter("connections_refused", help, refused.iter().map(|(labels, count)| (&labels[..], *count)))?;
        let usage = CallClass::ALL.map(|class| ([("class", class.name())], self.limiter.calls_of(class)));
        let calls = usage.iter().map(|(labels, usage)| (&labels[..], usage.calls as u64));
        samples.gauge("calls_in_flight", "Calls that run, watches included.", None, calls)?;
        let bytes = usage.iter().map(|(labels, usage)| (&labels[..], usage.bytes as u64));
        samples.gauge("call_memory", "Memory that calls in flight are charged with.", Some(&Unit::Bytes), bytes)
    }

    fn transactions(&self, samples: &mut Samples<'_>) -> fmt::Result {
        let mut outcomes = Vec::new();
        let mut retries = Vec::new();
        for name in TransactionName::ALL {
            let stats = self.transactions.stats(name);
            let label = ("transaction", name.name());
            outcomes.extend(stats.outcomes().map(|(outcome, count)| ([label, ("outcome", outcome.name())], count)));
            retries.push(([label], stats.retries));
        }
        let help = "Attempts of transactions that ended, by how they ended.";
        samples.counter("database_transactions", help, outcomes.iter().map(|(labels, count)| (&labels[..], *count)))?;
        let help = "Attempts of transactions that followed a failed attempt.";
        samples.counter(
            "database_transaction_retries",
            help,
            retries.iter().map(|(labels, count)| (&labels[..], *count)),
        )
    }
}

impl ServerState {
    fn spans(&self, samples: &mut Samples<'_>) -> fmt::Result {
        let SpanCounts { exported, failed, dropped } = self.tracer.counts();
        let outcomes: [(Labels<'_>, u64); 3] = [
            (&[("outcome", "exported")], exported),
            (&[("outcome", "failed")], failed),
            (&[("outcome", "dropped")], dropped),
        ];
        let help =
            "Spans of traces: taken by the collector, not taken by it, and dropped because too many waited for it.";
        samples.counter("spans", help, outcomes)
    }
}

fn workers(app: &App, samples: &mut Samples<'_>) -> fmt::Result {
    let waiting = app.writers.waiting();
    let help = "Commands that wait for a writer.";
    samples.gauge("writer_queue_length", help, None, [(NO_LABELS, waiting.commands as u64)])?;
    let help = "Memory of the commands that wait for a writer.";
    samples.gauge("writer_queue", help, Some(&Unit::Bytes), [(NO_LABELS, waiting.bytes as u64)])?;
    let reads: [(Labels<'_>, u64); 2] = [
        (&[("class", "small")], app.readers.waiting(ReadClass::Small) as u64),
        (&[("class", "large")], app.readers.waiting(ReadClass::Large) as u64),
    ];
    samples.gauge("reader_queue_length", "Reads that wait for a reader.", None, reads)?;
    samples.gauge(
        "watched_stores",
        "Stores that watches of events name.",
        None,
        [(NO_LABELS, app.changes.count() as u64)],
    )?;
    let (write, read) = (app.writers.pool(), app.readers.pool());
    let sessions: [(Labels<'_>, u64); 4] = [
        (&[("pool", "write"), ("state", "in_use")], write.in_use.into()),
        (&[("pool", "write"), ("state", "idle")], write.idle.into()),
        (&[("pool", "read"), ("state", "in_use")], read.in_use.into()),
        (&[("pool", "read"), ("state", "idle")], read.idle.into()),
    ];
    samples.gauge("database_sessions", "Sessions of workers with the database.", None, sessions)?;
    let limits: [(Labels<'_>, u64); 2] =
        [(&[("pool", "write")], write.limit.into()), (&[("pool", "read")], read.limit.into())];
    samples.gauge("database_sessions_limit", "How many sessions workers may have.", None, limits)
}

/// Writes one metric with its values at a time.
struct Samples<'e>(DescriptorEncoder<'e>);

impl Samples<'_> {
    fn gauge<'a>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in values {
            match labels {
                [] => metric.encode_gauge(&value)?,
                labels => metric.encode_family(&labels)?.encode_gauge(&value)?,
            }
        }
        Ok(())
    }

    fn counter<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }
}
