//! One test's world: a fresh database, the service in this process on a free port, a clock that the
//! test moves, and the people who call.

use std::cell::Cell;
use std::sync::Arc;

use purchase_order_service::config::ServeConfig;
use purchase_order_service::repository::session::Observer;
use purchase_order_service::repository::url::DatabaseUrl;
use purchase_order_service::server::{Parts, Server};
use purchase_order_service::verify::verify;
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};

use super::caller::Caller;
use super::database::{Database, Engine};
use super::hands::{TestClock, TestIds};

/// The store that every world has: alice owns it, carol manages it, bob receives in it, and its
/// back-order feature is on.
pub const STORE: &str = "north";

/// See the module. A test ends with [`World::verify`].
pub struct World {
    /// The service.
    pub server: Server,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// Its source of ids.
    pub ids: Arc<TestIds>,
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
    /// Where the service finds its database, if not where it is: a place that breaks on purpose.
    pub by_way_of: Option<DatabaseUrl>,
}

impl World {
    /// A world on this engine; `None` if it is not to be had.
    pub async fn on(engine: Engine) -> Option<Self> {
        Self::set_up(Database::migrated(engine)?, Setup::default()).await.into()
    }

    /// A world around this database.
    pub async fn set_up(database: Database, setup: Setup) -> Self {
        let (clock, ids) = (Arc::new(TestClock::new()), Arc::new(TestIds::default()));
        let parts = Parts { clock: clock.clone(), ids: ids.clone(), observer: setup.observer, ..Parts::default() };
        let mut config = ServeConfig::new(setup.by_way_of.unwrap_or_else(|| database.url.clone()));
        (config.lanes, config.readers) = (2, 2);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let server = Server::start(listener, &config, parts).await.expect("the service starts");
        let address = format!("http://{}", server.local_addr());
        let channel = Endpoint::from_shared(address).expect("it is an address").connect_lazy();
        let world = Self { server, clock, ids, channel, verified: Cell::new(false), database };
        world.settle_in().await;
        world
    }

    async fn settle_in(&self) {
        self.operator().create_store("alice").ok().await;
        self.alice().grant("bob", "receiver").ok().await;
        self.alice().grant("carol", "manager").ok().await;
        self.operator().enable_back_orders().ok().await;
    }

    /// Anybody.
    pub fn caller(&self, principal: &str) -> Caller {
        Caller { channel: self.channel.clone(), principal: principal.to_owned(), store: STORE.to_owned() }
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

    /// Checks every invariant over the whole database, on a session of its own.
    pub async fn verify(&self) {
        let findings = verify(&mut self.database.session(), |_, _| {}).expect("the database can be read");
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "the invariants do not hold:\n{}", findings.join("\n"));
        self.verified.set(true);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        assert!(self.verified.get() || std::thread::panicking(), "a test ends with verify()");
    }
}
