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
use crate::pruner::Pruner;
use crate::repository::pool::PoolState;
use crate::repository::transaction::{TransactionCounters, TransactionName};
use crate::rpc::App;
use crate::traces::{SpanCounts, Tracer};
use crate::transport::counters::{Cause, Counts};
use crate::transport::resource_limits::{CallClass, ResourceLimiter};
use crate::workers::{AvailabilityState, Prober, ReadClass};

type Labels<'a> = &'a [(&'static str, &'static str)];

/// Of a metric that has one value.
const NO_LABELS: Labels<'static> = &[];

/// The parts of a server whose state a scrape shows.
pub(super) struct ServerState {
    pub(super) app: Weak<App>,
    pub(super) prober: Weak<Prober>,
    pub(super) pruner: Weak<Pruner>,
    pub(super) limiter: Arc<ResourceLimiter>,
    pub(super) transactions: Arc<TransactionCounters>,
    pub(super) availability: watch::Receiver<AvailabilityState>,
    /// What health reports.
    pub(super) health: watch::Receiver<bool>,
    pub(super) tracer: Tracer,
}

impl fmt::Debug for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerState").finish_non_exhaustive()
    }
}

impl ServerState {
    /// Has scrapes of this registry show the state of these parts.
    pub(super) fn register(self, registry: &mut Registry) {
        registry.sub_registry_with_prefix(PREFIX).register_collector(Box::new(self));
    }
}

impl Collector for ServerState {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut samples = Samples(encoder);
        self.health(&mut samples)?;
        self.transport(&mut samples)?;
        self.transactions(&mut samples)?;
        self.back_orders(&mut samples)?;
        self.spans(&mut samples)?;
        match self.app.upgrade() {
            Some(app) => {
                workers(&app, &mut samples)?;
                self.sessions(&app, &mut samples)
            }
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
            // The borrow ends with this block: as long as it lasts, the prober cannot publish another state.
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
        let limits = self.limiter.limits();
        let help = "How many connections may be open.";
        samples.gauge("connections_limit", help, None, [(NO_LABELS, limits.connections as u64)])?;
        let help = "How many connections one address may have open.";
        samples.gauge("connections_per_peer_limit", help, None, [(NO_LABELS, limits.connections_per_peer as u64)])?;
        let counters = self.limiter.counters();
        let help = "Connections that were closed before any call on them was served.";
        samples.counts("connections_refused", help, "reason", &counters.refused)?;
        let help = "Connections that were served and have ended, by cause.";
        samples.counts("connections_ended", help, "cause", &counters.ended)?;
        let help = "HTTP/1.1 requests that were refused before they were calls.";
        samples.counts("web_requests_refused", help, "reason", &counters.requests)?;
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

    /// No value until the pruner has counted them.
    fn back_orders(&self, samples: &mut Samples<'_>) -> fmt::Result {
        let open = self.pruner.upgrade().and_then(|pruner| pruner.open_back_orders());
        let help =
            "Back orders in the whole database that are neither completed nor cancelled, as counted once a minute.";
        samples.gauge("open_back_orders", help, None, open.map(|open| (NO_LABELS, open as u64)))
    }

    fn sessions(&self, app: &App, samples: &mut Samples<'_>) -> fmt::Result {
        let pools: [(&'static str, Option<PoolState>); 4] = [
            ("write", Some(app.writers.pool())),
            ("read", Some(app.readers.pool())),
            ("probe", self.prober.upgrade().map(|prober| prober.pool())),
            ("prune", self.pruner.upgrade().map(|pruner| pruner.pool())),
        ];
        let pools = pools.into_iter().filter_map(|(name, pool)| Some((("pool", name), pool?)));
        let (mut sessions, mut limits) = (Vec::new(), Vec::new());
        for (label, pool) in pools {
            sessions.push(([label, ("state", "in_use")], pool.in_use.into()));
            sessions.push(([label, ("state", "idle")], pool.idle.into()));
            limits.push(([label], pool.limit.into()));
        }
        let sessions = sessions.iter().map(|(labels, count)| (&labels[..], *count));
        samples.gauge("database_sessions", "Sessions with the database.", None, sessions)?;
        let limits = limits.iter().map(|(labels, count)| (&labels[..], *count));
        samples.gauge("database_sessions_limit", "How many sessions there may be.", None, limits)
    }

    fn spans(&self, samples: &mut Samples<'_>) -> fmt::Result {
        let SpanCounts { exported, failed, dropped } = self.tracer.counts();
        let outcomes: [(Labels<'_>, u64); 3] = [
            (&[("outcome", "exported")], exported),
            (&[("outcome", "failed")], failed),
            (&[("outcome", "dropped")], dropped),
        ];
        let help = "Spans of traces: sent without an error, sent with one, and dropped because too many waited for it.";
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
    )
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

    /// A counter with one label, the cause.
    fn counts<C: Cause>(&mut self, name: &str, help: &str, label: &'static str, counts: &Counts<C>) -> fmt::Result {
        let counts: Vec<_> = counts.by_name().map(|(cause, count)| ([(label, cause)], count)).collect();
        self.counter(name, help, counts.iter().map(|(labels, count)| (&labels[..], *count)))
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
