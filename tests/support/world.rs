//! One test's world: a fresh database, the service in this process on a free port, a clock that the
//! test moves, and the people who call.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use purchase_order_service::config::ServeConfig;
use purchase_order_service::repository::dialect::Layout;
use purchase_order_service::repository::error::DbError;
use purchase_order_service::repository::session::Observer;
use purchase_order_service::repository::transaction::{TransactionName, TransactionStats};
use purchase_order_service::repository::url::DatabaseUrl;
use purchase_order_service::server::{Parts, Server};
use purchase_order_service::traces::TraceConfig;
use purchase_order_service::transport::resource_limits::Limits;
use purchase_order_service::verify::verify;
use purchase_order_service::workers::Stats;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use super::caller::Caller;
use super::database::{Database, Engine, StoreHeld};
use super::fakes::{TestClock, TestIds};
use super::rpc::{Call, Rpc};
use super::scrape::Scrape;
use super::timeout::within_timeout;

/// The store that every world has: alice owns it, carol manages it, bob receives in it, and its
/// back-order feature is on.
pub const STORE: &str = "north";
/// The origin of the pages that may call a world's service.
pub const ORIGIN: &str = "https://orders.example";

/// See the module. A test ends with [`World::verify`].
pub struct World {
    server: Option<Server>,
    /// The service's clock.
    pub clock: Arc<TestClock>,
    /// Its source of ids.
    pub ids: Arc<TestIds>,
    observer: Option<Observer>,
    layout: Layout,
    database_timeout: Option<Duration>,
    event_retention: Option<Duration>,
    watch_clock: bool,
    lock_timeout: Duration,
    limits: Limits,
    by_way_of: DatabaseUrl,
    traces: Option<TraceConfig>,
    channel: Channel,
    verified: Cell<bool>,
    /// Its database, which is dropped last.
    pub database: Database,
}

/// How a world is to be made.
#[derive(Default)]
pub struct Setup {
    /// Watches the service's statements.
    pub observer: Option<Observer>,
    /// How the service takes the tables to be laid out.
    pub layout: Layout,
    /// How long the service waits for an answer of its database, if not as long as by default.
    pub database_timeout: Option<Duration>,
    /// How long events are kept, if not for ever.
    pub event_retention: Option<Duration>,
    /// How long writers wait for SQLite's write lock, if not as long as any test holds it.
    pub lock_timeout: Option<Duration>,
    /// The bounds on connections and calls, if not those by default.
    pub limits: Option<Limits>,
    /// Where the service finds its database, if not where it is: a place that breaks on purpose.
    pub by_way_of: Option<DatabaseUrl>,
    /// Where the service sends spans.
    pub traces: Option<TraceConfig>,
}

/// Another instance of the service on a world's database.
pub struct Instance {
    _server: Server,
    channel: Channel,
}

impl Instance {
    /// The same person, calling this instance.
    pub fn caller(&self, caller: &Caller) -> Caller {
        Caller { channel: self.channel.clone(), ..caller.clone() }
    }
}

impl World {
    /// A world on this engine; `None` if it is not to be had.
    pub async fn on(engine: Engine) -> Option<Self> {
        Self::set_up(Database::migrated(engine)?, Setup::default()).await.into()
    }

    /// A world around this database.
    pub async fn set_up(database: Database, setup: Setup) -> Self {
        let mut world = Self {
            server: None,
            clock: Arc::new(TestClock::new()),
            ids: Arc::new(TestIds::default()),
            observer: setup.observer,
            layout: setup.layout,
            database_timeout: setup.database_timeout,
            event_retention: setup.event_retention,
            watch_clock: false,
            lock_timeout: setup.lock_timeout.unwrap_or(Duration::from_secs(30)),
            limits: setup.limits.unwrap_or_default(),
            by_way_of: setup.by_way_of.unwrap_or_else(|| database.url.clone()),
            traces: setup.traces,
            channel: Endpoint::from_static("http://127.0.0.1:0").connect_lazy(),
            verified: Cell::new(false),
            database,
        };
        world.start().await;
        world.settle_in().await;
        world
    }

    async fn start(&mut self) {
        let (server, channel) = self.serve().await;
        (self.server, self.channel) = (Some(server), channel);
    }

    async fn serve(&self) -> (Server, Channel) {
        let (clock, ids, observer) = (self.clock.clone(), self.ids.clone(), self.observer.clone());
        let mut config = ServeConfig::new(self.by_way_of.clone());
        (config.writers, config.readers, config.layout) = (2, 2, self.layout);
        config.database_timeout = self.database_timeout.unwrap_or(2 * self.lock_timeout);
        // Tests hold the lock to let calls queue up, however slow the machine is.
        config.lock_timeout = self.lock_timeout;
        config.watch_clock = self.watch_clock;
        config.event_retention = self.event_retention;
        config.limits = self.limits;
        config.traces.clone_from(&self.traces);
        config.metrics_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.web_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.web_origins = vec![ORIGIN.parse().expect("it is an origin")];
        // A test that waits for one need not wait long.
        config.watch_heartbeat = Duration::from_millis(100);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let server = Server::start(listener, &config, Parts { clock, ids, observer }).await;
        let server = server.expect("the service starts");
        let address = format!("http://{}", server.local_addr());
        let channel = Endpoint::from_shared(address).expect("it is an address").connect_lazy();
        (server, channel)
    }

    /// Starts another instance of the service on the same database, which ends with the test.
    pub async fn another_instance(&self) -> Instance {
        let (server, channel) = self.serve().await;
        Instance { _server: server, channel }
    }

    /// Stops the service and starts it again on the same database.
    pub async fn restart(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        self.start().await;
    }

    /// Starts the service again so that it watches its clock, which most tests move as they like.
    pub async fn watch_clock(&mut self) {
        self.watch_clock = true;
        self.restart().await;
    }

    /// How the service's commands were batched so far.
    pub fn stats(&self) -> Stats {
        self.server.as_ref().expect("it was started").stats()
    }

    /// How the service's transactions with this name have ended so far.
    pub fn transactions(&self, name: TransactionName) -> TransactionStats {
        self.server.as_ref().expect("it was started").transactions(name)
    }

    /// Has the service delete what is older than its retention now; how many records that were.
    pub async fn prune(&self) -> Result<usize, DbError> {
        self.server.as_ref().expect("it was started").prune().await
    }

    /// Where the service listens.
    pub fn address(&self) -> SocketAddr {
        self.server.as_ref().expect("it was started").local_addr()
    }

    /// Where the service answers browsers.
    pub fn web_address(&self) -> SocketAddr {
        let address = self.server.as_ref().expect("it was started").web_addr();
        address.expect("every world's service serves browsers")
    }

    /// Where the service answers scrapes.
    pub fn metrics_address(&self) -> SocketAddr {
        let address = self.server.as_ref().expect("it was started").metrics_addr();
        address.expect("every world's service serves metrics")
    }

    /// What a scrape shows now.
    pub async fn scrape(&self) -> Scrape {
        Scrape::of(self.metrics_address()).await
    }

    /// Waits until a scrape shows a series with this value.
    pub async fn shows(&self, series: &str, value: f64) {
        let shown = within_timeout(async {
            loop {
                let shown = self.scrape().await;
                if shown.value(series) == Some(value) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        });
        shown.await;
    }

    /// Takes the service out of the world, for a test that stops it; another can be started by [`World::restart`].
    pub fn take_server(&mut self) -> Server {
        self.server.take().expect("it was started")
    }

    async fn settle_in(&self) {
        self.operator().create_store("alice").ok().await;
        self.alice().grant("bob", "receiver").ok().await;
        self.alice().grant("carol", "manager").ok().await;
        self.operator().enable_back_orders().ok().await;
    }

    /// Anybody.
    pub fn caller(&self, principal: &str) -> Caller {
        Caller::of(self.channel.clone(), principal, STORE)
    }

    /// The store's owner: may do everything there.
    pub fn alice(&self) -> Caller {
        self.caller("alice")
    }

    /// Receives deliveries and may see.
    pub fn bob(&self) -> Caller {
        self.caller("bob")
    }

    /// The store's manager: may do everything but change settings and roles.
    pub fn carol(&self) -> Caller {
        self.caller("carol")
    }

    /// The platform operator.
    pub fn operator(&self) -> Caller {
        self.caller("operator")
    }

    /// A channel to the service with a connection of its own.
    pub fn connect(&self) -> Channel {
        let address = self.server.as_ref().expect("it was started").local_addr();
        Endpoint::from_shared(format!("http://{address}")).expect("it is an address").connect_lazy()
    }

    /// The channel to the service, for services that are not the contract's.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Waits until the service has taken in whatever was sent to it before: a call is answered by the
    /// readers, which are behind it on the same connection, and nothing waits for a writer.
    pub async fn catch_up(&self) {
        for _ in 0..3 {
            self.operator().get_store().ok().await;
        }
    }

    /// Sends calls that the service does as one batch; their answers in the order in which they were
    /// queued.
    pub async fn as_one_batch<R: Rpc>(&self, calls: Vec<Call<R>>) -> Vec<Result<R::Answer, Status>> {
        let count = calls.len() as u64;
        let answers = self.queued_up(calls).await;
        // Another command: when it is answered, the batch before it has been counted.
        self.alice().grant("bob", "receiver").ok().await;
        assert!(self.stats().largest_batch >= count, "{:?} after {count} calls", self.stats());
        answers
    }

    /// Lets calls queue up behind another command, which changes nothing and waits for the store's
    /// lock; their answers in the order in which they were queued.
    pub async fn queued_up<R: Rpc>(&self, calls: Vec<Call<R>>) -> Vec<Result<R::Answer, Status>> {
        self.queued_up_in(STORE, calls).await
    }

    /// The same with calls about another store of the same writer.
    pub async fn queued_up_in<R: Rpc>(&self, store: &str, calls: Vec<Call<R>>) -> Vec<Result<R::Answer, Status>> {
        let held = self.database.hold(STORE);
        let is_held_too = self.database.engine == Engine::Postgres && store != STORE;
        let other = is_held_too.then(|| self.database.hold(store));
        let decoy = self.alice().grant("bob", "receiver").start();
        self.catch_up().await;
        let mut queued = Vec::new();
        for call in calls {
            queued.push(call.start());
            self.catch_up().await;
        }
        held.release();
        // The command in front has its transaction before the others have theirs.
        decoy.await.expect("a call does not panic").expect("it changes nothing");
        other.into_iter().for_each(StoreHeld::release);
        let mut answers = Vec::new();
        for call in queued {
            answers.push(call.await.expect("a call does not panic"));
        }
        answers
    }

    /// Checks every invariant over the whole database, on a session of its own.
    pub async fn verify(&self) {
        let findings = verify(&mut self.database.session_that_inspects(), |_, _| {}).expect("the database can be read");
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "the invariants do not hold:\n{}", findings.join("\n"));
        self.verified.set(true);
    }
}

/// The writer of a store among a world's two, as the service has it.
pub fn writer_of(store: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    store.hash(&mut hasher);
    hasher.finish() % 2
}

impl Drop for World {
    fn drop(&mut self) {
        assert!(self.verified.get() || std::thread::panicking(), "a test ends with verify()");
    }
}
