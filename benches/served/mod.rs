//! What the benchmarks share: orders that can be completed, callers, and the release binary in a process of its own, so that
//! its peak memory is its own too.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use purchase_order_service::proto::v1;
use purchase_order_service::proto::v1::purchase_order_service_client::PurchaseOrderServiceClient;
use purchase_order_service::proto::v1::store_service_client::StoreServiceClient;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use crate::support::server_process::cpu_time;
use crate::support::{Database, Engine};

pub const STORES: usize = 16;
pub const LINES: i32 = 10;
const PRODUCTS: usize = 200;
/// How many callers prepare orders at a time, and how many complete them where many do.
pub const IN_FLIGHT: usize = 64;
const CHANNELS: usize = 4;

/// What came of each order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Everything: its completion makes no back order.
    Whole,
    /// A part of every line: its completion makes a back order of as many lines.
    Partial,
}

/// An order: its store and its id.
pub type Order = (String, String);

/// The engine that the command line names, or both.
pub fn engines() -> impl Iterator<Item = Engine> {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let is_wanted =
        move |engine: &Engine| wanted.as_ref().is_none_or(|name| format!("{engine:?}").eq_ignore_ascii_case(name));
    [Engine::Sqlite, Engine::Postgres].into_iter().filter(is_wanted)
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Makes stores and, in them, this many orders whose lines are received.
pub async fn prepare(delivery: Delivery, database: &Database, wanted: usize) -> VecDeque<Order> {
    let server = Served::start(database, &[], std::io::sink());
    let callers = Callers::connect(&server.address).await;
    for store in 0..STORES {
        callers.create_store(&format!("store-{store}")).await;
    }
    let made = Arc::new(Mutex::new(VecDeque::new()));
    let stores: Vec<Order> = (0..wanted).map(|n| (format!("store-{}", n % STORES), n.to_string())).collect();
    let into = Arc::clone(&made);
    let make = move |client, order| {
        let into = Arc::clone(&into);
        async move {
            let order = make_order(delivery, client, order).await;
            into.lock().unwrap().push_back(order);
        }
    };
    callers.each(IN_FLIGHT, stores, make).await;
    server.end();
    Arc::try_unwrap(made).unwrap().into_inner().unwrap()
}

/// Completes so many of the orders, so many at a time; returns how many were completed a second.
pub async fn complete_some(address: &str, orders: &mut VecDeque<Order>, count: usize, in_flight: usize) -> f64 {
    let callers = Callers::connect(address).await;
    let taken: Vec<Order> = orders.drain(..count).collect();
    let began = Instant::now();
    callers.each(in_flight, taken, complete).await;
    count as f64 / began.elapsed().as_secs_f64()
}

async fn make_order(
    delivery: Delivery,
    mut client: PurchaseOrderServiceClient<Channel>,
    (store_id, n): Order,
) -> Order {
    let n: usize = n.parse().unwrap();
    let line = |line: i32| v1::NewLine {
        product_id: format!("product-{}", (n * 7 + line as usize) % PRODUCTS),
        unit: v1::Unit::Each.into(),
        quantity: Some("12".to_owned()),
        unit_cost: Some("2.5".to_owned()),
        ..Default::default()
    };
    let lines = (0..LINES).map(line).collect();
    let create = v1::CreatePurchaseOrderRequest {
        store_id: store_id.clone(),
        supplier_id: "acme".into(),
        lines,
        ..Default::default()
    };
    let created = client.create_purchase_order(by_owner(create)).await.unwrap().into_inner();
    let purchase_order_id = created.purchase_order.unwrap().purchase_order_id;
    let place = v1::PlacePurchaseOrderRequest {
        store_id: store_id.clone(),
        purchase_order_id: purchase_order_id.clone(),
        ..Default::default()
    };
    client.place_purchase_order(by_owner(place)).await.unwrap();
    let accepted = if delivery == Delivery::Whole { "12" } else { "7" };
    let item = |line_number| v1::NewReceiptItem { line_number, accepted: Some(accepted.into()), ..Default::default() };
    let receive = v1::ReceivePurchaseOrderRequest {
        store_id: store_id.clone(),
        purchase_order_id: purchase_order_id.clone(),
        items: (1..=LINES).map(item).collect(),
        ..Default::default()
    };
    client.receive_purchase_order(by_owner(receive)).await.unwrap();
    (store_id, purchase_order_id)
}

async fn complete(mut client: PurchaseOrderServiceClient<Channel>, (store_id, purchase_order_id): Order) {
    let complete = v1::CompletePurchaseOrderRequest {
        store_id,
        purchase_order_id,
        request_id: uuid::Uuid::now_v7().to_string(),
        rest: v1::PendingDisposition::BackOrder.into(),
        ..Default::default()
    };
    client.complete_purchase_order(by_owner(complete)).await.unwrap();
}

fn by_owner<T>(message: T) -> Request<T> {
    by("owner", message)
}

fn by<T>(principal: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-principal", principal.parse().unwrap());
    request
}

/// Connections to the server.
struct Callers(Vec<Channel>);

impl Callers {
    async fn connect(address: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut channels = Vec::new();
        for _ in 0..CHANNELS {
            channels.push(endpoint.connect().await.unwrap());
        }
        Self(channels)
    }

    async fn create_store(&self, store_id: &str) {
        let mut stores = StoreServiceClient::new(self.0[0].clone());
        let create = v1::CreateStoreRequest {
            store_id: store_id.to_owned(),
            currency: "EUR".into(),
            time_zone: "Europe/Amsterdam".into(),
            owner_principal: "owner".into(),
            ..Default::default()
        };
        stores.create_store(by("operator", create)).await.unwrap();
        let enable = v1::EnableBackOrdersRequest { store_id: store_id.to_owned(), ..Default::default() };
        stores.enable_back_orders(by("operator", enable)).await.unwrap();
    }

    /// Does `work` for each order, so many at a time.
    async fn each<F, W>(&self, in_flight: usize, orders: Vec<Order>, work: F)
    where
        F: Fn(PurchaseOrderServiceClient<Channel>, Order) -> W + Clone + Send + 'static,
        W: Future<Output = ()> + Send,
    {
        let orders = Arc::new(Mutex::new(VecDeque::from(orders)));
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..in_flight {
            let client = PurchaseOrderServiceClient::new(self.0[caller % CHANNELS].clone());
            let (orders, work) = (Arc::clone(&orders), work.clone());
            tasks.spawn(async move {
                loop {
                    let next = orders.lock().unwrap().pop_front();
                    let Some(order) = next else { return };
                    work(client.clone(), order).await;
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    }
}

/// The server in a process of its own. What it logs is written to `L` all the time, so that it never waits for its reader.
pub struct Served<L> {
    process: Child,
    pub address: String,
    log: JoinHandle<L>,
}

impl<L: Write + Send + 'static> Served<L> {
    /// Starts it with these options beside those that every server has.
    pub fn start(database: &Database, options: &[&str], mut log: L) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"))
            .args(["develop", "--listen", "127.0.0.1:0", "--database-url", &database.url_text()])
            .args(options)
            .env("RUST_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut logged = process.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            std::io::copy(&mut logged, &mut log).unwrap();
            log
        });
        let mut said = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        let address = said.split_whitespace().nth(3).unwrap_or_else(|| panic!("the server said {said:?}")).to_owned();
        Self { process, address, log }
    }

    /// The CPU time that its threads have used so far.
    pub fn cpu_time(&self) -> Duration {
        cpu_time(self.process.id())
    }

    /// Its peak memory in MB and what it logged.
    pub fn end(mut self) -> (f64, L) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let peak = field(&status, "VmHWM:") / 1024.0;
        let kill = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(kill.success());
        self.process.wait().unwrap();
        (peak, self.log.join().unwrap())
    }
}

/// The number behind `name` in `text`; not a number if it is not there.
pub fn field(text: &str, name: &str) -> f64 {
    let behind = text.split(name).nth(1).unwrap_or_default().trim_start();
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(f64::NAN)
}
