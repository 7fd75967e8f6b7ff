//! The oracle: random commands are given to the writers over a real database, and to the rules alone
//! over a working_set that holds everything. Both must answer alike, and leave the same behind: so
//! whatever loads, saves or batches wrongly is found out.
//!
//! `ORACLE_COMMANDS` and `ORACLE_SEED` make another run of it.

mod commands;
mod pure;
mod sums;
mod whole;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;
use purchase_order_service::clock::Clock;
use purchase_order_service::domain::command::{Envelope, Reply};
use purchase_order_service::domain::refusal::Refusal;
use purchase_order_service::domain::time::Timestamp;
use purchase_order_service::metrics::workers::WriterMetrics;
use purchase_order_service::repository::dialect::{Layout, Purpose};
use purchase_order_service::repository::pool::Pool;
use purchase_order_service::verify::verify;
use purchase_order_service::workers::error::WorkerError;
use purchase_order_service::workers::{Availability, WriterParts, Writers};
use rstest::rstest;

use self::commands::{Asked, Commands};
use self::pure::Pure;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Database, TestClock, TestIds};

/// How many commands are asked at one time at most.
const WINDOW: usize = 64;
/// From how many commands on every refusal must have been seen.
const LONG: u64 = 50_000;

/// Every reason for which these commands may be refused. Not among them: what a form or the
/// credentials are refused for, what only reads are refused for, what writers refuse when they are full
/// or the database is away; and TOO_MANY_RECEIPT_ITEMS, which takes 20,000 items of one order.
#[rustfmt::skip]
const REASONS: [&str; 41] = [
    "ACCEPTED_STAGED", "BACK_ORDERS_DISABLED", "DELIVERY_NOTE_KNOWN", "ETAG_MISMATCH", "EXPECTED_DATE_PASSED",
    "EXTERNAL_ID_EXISTS", "INSUFFICIENT_STOCK", "INVALID_FOR_STORED_DATA",
    "INSUFFICIENT_LOT", "NOTHING_TO_COPY", "PRODUCT_NOT_RECEIVABLE", "UNLISTED_ITEMS_NOT_ALLOWED",
    "FIELDS_FIXED", "LAST_ACCESS_MANAGER", "LEVEL_OUT_OF_RANGE", "LINES_WITHOUT_QUANTITY", "LINE_NOT_FOUND", "NOTHING_LEFT", "NOTHING_PENDING",
    "NOTHING_RECEIVED", "NOT_PLATFORM_OPERATOR", "NO_STORE_ACCESS", "OPEN_PURCHASE_ORDERS", "OVER_RECEIPT",
    "PENDING_UNSETTLED", "PERMISSION_MISSING", "PERMISSION_NOT_HELD", "PURCHASE_ORDER_NOT_FOUND", "RECEIPT_NOT_FOUND",
    "RECEIPT_VOIDED", "REQUEST_ID_REUSED", "ROLE_EXISTS", "ROLE_IN_USE", "ROLE_NOT_FOUND", "STORE_EXISTS", "STORE_NOT_FOUND",
    "TOO_MANY_ROLES", "WRONG_STATE", "BACK_ORDER_TOUCHED", "GOODS_RETURNED", "STOCK_GONE",
];

#[rstest]
#[case::sqlite(Sqlite, Layout::Single)]
#[case::postgres(Postgres, Layout::Single)]
#[case::sharded(Postgres, Layout::Sharded)]
#[tokio::test(flavor = "multi_thread")]
async fn the_service_answers_as_the_rules_alone_do(#[case] on: Engine, #[case] layout: Layout) {
    let Some(database) = Database::migrated(on) else { return };
    let (count, seed) = (setting("ORACLE_COMMANDS", 2_000), setting("ORACLE_SEED", 20_260_302));
    println!("{on:?}, {layout:?}: {count} commands, ORACLE_SEED={seed}");
    let mut trial = Trial::begin(&database, layout, seed);

    while trial.asked < count {
        trial.window((count - trial.asked).min(WINDOW as u64) as usize).await;
    }

    trial.writers.stop();
    let mut session = database.session();
    trial.pure.sums.check_all(&trial.pure.working_set);
    whole::compare(&mut session, &trial.pure);
    let findings = verify(&mut session, |_, _| {}).expect("the database can be read");
    assert_eq!(findings.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    trial.tell();
    trial.seen.check(count >= LONG);
}

fn setting(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |value| value.parse().expect("it is a number"))
}

/// Both sides of a run.
struct Trial {
    seed: u64,
    asked: u64,
    rng: Rng,
    commands: Commands,
    clock: Arc<TestClock>,
    writers: Writers,
    pure: Pure,
    seen: Seen,
}

impl Trial {
    fn begin(database: &Database, layout: Layout, seed: u64) -> Self {
        let clock = Arc::new(TestClock::new());
        let parts = WriterParts {
            pool: Pool::new(&database.url, Purpose::Write(layout), 1, None),
            clock: clock.clone(),
            ids: Arc::new(TestIds::default()),
            layout,
            availability: Availability::default(),
            timeout: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(1),
            changes: Arc::default(),
            metrics: WriterMetrics::default(),
        };
        // One writer does what is of one store in the order in which it was submitted, and so ids are alike.
        let writers = Writers::start(1, &parts).expect("there is room for a thread");
        let mut rng = Rng::with_seed(seed);
        let commands = Commands::new(rng.fork());
        let (pure, seen) = (Pure::default(), Seen::default());
        Self { seed, asked: 0, rng, commands, clock, writers, pure, seen }
    }

    /// Some commands at one time. The rules decide each before the next is made, so that what follows
    /// may be about what has not been saved.
    async fn window(&mut self, most: usize) {
        let now = self.move_clock();
        self.pure.fresh.clear();
        let mut expected = Vec::new();
        for _ in 0..self.rng.usize(1..=most) {
            let asked = self.commands.next(&self.pure, now);
            let command = self.asked + expected.len() as u64;
            let asking = Asking { seed: self.seed, command, envelope: &asked.envelope };
            let answer = self.pure.answer(&asked.envelope, now);
            drop(asking);
            expected.push((asked, answer));
        }
        let envelopes = expected.iter().map(|(asked, _)| asked.envelope.clone());
        let answers = in_order(&self.writers, envelopes).await;
        for ((asked, expected), answer) in expected.into_iter().zip(answers) {
            self.compare(&asked, &expected, &answer);
        }
    }

    /// Up to three hours on, or up to one back: wall clocks do that.
    fn move_clock(&mut self) -> Timestamp {
        let step = self.rng.i64(-3_600_000_000..10_800_000_000);
        self.clock.set(&Timestamp::from_micros(self.clock.now().micros() + step).to_string());
        self.clock.now()
    }

    fn compare(&mut self, asked: &Asked, expected: &Result<Reply, Refusal>, answer: &Result<Reply, Refusal>) {
        let Self { seed, asked: index, .. } = self;
        assert!(
            answer == expected,
            "ORACLE_SEED={seed}, command {index}: {:?}\nthe service answers {answer:?}\nthe rules say       {expected:?}",
            asked.envelope
        );
        self.asked += 1;
        self.seen.count(asked.name, answer);
    }

    /// By this the generator is judged.
    fn tell(&self) {
        let longest = self.pure.working_set.orders.present().map(|order| order.chain_position).max();
        println!("{:?}", self.writers.stats());
        println!("{} replays, {} back orders in the longest chain", self.pure.replays, longest.unwrap_or(0));
        for (name, [refused, done]) in &self.seen.by_command {
            println!("{name:>28} {done:>7} done {refused:>7} refused");
        }
        self.seen.reasons.iter().for_each(|(reason, times)| println!("{reason:>28} {times:>7}"));
    }
}

/// A command that the rules are asked. If what it leaves behind does not add up, it is told which it was.
struct Asking<'a> {
    seed: u64,
    command: u64,
    envelope: &'a Envelope,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, command, envelope } = self;
            eprintln!("ORACLE_SEED={seed}, command {command}: {envelope:?}");
        }
    }
}

/// Submits requests in their order, and waits for all answers.
async fn in_order(writers: &Writers, envelopes: impl Iterator<Item = Envelope>) -> Vec<Result<Reply, Refusal>> {
    let mut queued = Vec::new();
    for envelope in envelopes {
        let mut answer = Box::pin(writers.submit(envelope, 1_000, None, None));
        // Asking for the first time is what queues it.
        let first = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        queued.push((first, answer));
    }
    let mut answers = Vec::new();
    for (first, answer) in queued {
        let answer = match first {
            Poll::Ready(answer) => answer,
            Poll::Pending => answer.await,
        };
        answers.push(answer.map_err(|error| match error {
            WorkerError::Refused(refusal) => refusal,
            WorkerError::Fault(fault) => panic!("the service failed: {fault}"),
        }));
    }
    answers
}

/// What was answered how often.
#[derive(Default)]
struct Seen {
    by_command: BTreeMap<&'static str, [u64; 2]>,
    reasons: BTreeMap<&'static str, u64>,
}

impl Seen {
    fn count(&mut self, name: &'static str, answer: &Result<Reply, Refusal>) {
        self.by_command.entry(name).or_default()[usize::from(answer.is_ok())] += 1;
        let reason = answer.as_ref().err().map(Refusal::reason);
        reason.into_iter().for_each(|reason| *self.reasons.entry(reason).or_default() += 1);
    }

    fn check(&self, is_long: bool) {
        let unknown: Vec<_> = self.reasons.keys().filter(|reason| !REASONS.contains(reason)).collect();
        assert!(unknown.is_empty(), "nothing here is refused for {unknown:?}");
        let missing: Vec<_> = REASONS.iter().filter(|reason| !self.reasons.contains_key(*reason)).collect();
        assert!(missing.is_empty() || !is_long, "nothing was refused for {missing:?}");
    }
}
