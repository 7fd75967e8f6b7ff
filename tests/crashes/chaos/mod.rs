//! Chaos: many clients carry out their intentions through two instances of the service, while somebody
//! terminates the service's database sessions and holds locks on its stores. Whatever happens to the
//! sessions, each intention that is acknowledged has exactly one effect and each that is refused has
//! none. A follower of the stores, which dies again and again, is sent each event once.
//!
//! PostgreSQL alone: a SQLite database belongs to one instance, has no sessions that could be
//! terminated, and is locked as a whole and not by store.
//!
//! `CHAOS_INTENTIONS=30000 cargo test --release --test crashes chaos:: -- --nocapture` takes longer and prints
//! what occurred; `CHAOS_SEED` draws other intentions. A seed fixes what is intended; how often it must be
//! sent, and which transactions are hit, depends on the machine. `RUST_LOG=warn,chaos=info` shows
//! what the service logs meanwhile, and which stores are locked.

pub mod audit;
pub mod client;
mod disturber;
mod follower;
pub mod journal;
pub mod sending;

use std::collections::BTreeMap;
use std::env;
use std::panic::resume_unwind;
use std::time::Instant;

use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

use self::audit::audit;
use self::client::{Client, Place};
use self::disturber::{Disturber, Progress};
use self::follower::Follower;
use self::journal::Journal;
use self::sending::{Counts, Person};
use crate::support::Engine::Postgres;
use crate::support::{Caller, Instance, World, writer_of};

const STORES: usize = 8;
/// These stores have one client each, who also turns back orders off and on: that is possible only
/// while no order is open.
const STORES_OF_ONE: usize = 2;
const CLIENTS: usize = 32;

fn number_from(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |value| value.parse().expect("it is a number"))
}

/// The stores' names: those with even places belong to one writer, the others to the other.
fn store_names() -> Vec<String> {
    let of_writer = |writer| (0..).map(|n| format!("store-{n}")).filter(move |name| writer_of(name) == writer);
    of_writer(0).zip(of_writer(1)).flat_map(|(even, odd)| [even, odd]).take(STORES).collect()
}

/// In which store a client is: the first have one for themselves, the others share the rest.
fn store_of(client: usize) -> usize {
    match client.checked_sub(STORES_OF_ONE) {
        None => client,
        Some(other) => STORES_OF_ONE + other % (STORES - STORES_OF_ONE),
    }
}

/// Creates the stores, with back orders; the number of each one's last event. `operator_of` is the operator who calls
/// about a store.
pub async fn open_stores(names: &[String], operator_of: impl Fn(&str) -> Caller) -> BTreeMap<String, i64> {
    let mut opened = BTreeMap::new();
    for name in names {
        let operator = operator_of(name);
        operator.create_store("alice").ok().await;
        opened.insert(name.clone(), operator.enable_back_orders().ok().await.event_number);
    }
    opened
}

fn place_of(world: &World, other: &Instance, client: usize, store: &str) -> Place {
    let person = |name: &str| {
        let caller = world.caller(name).at(store);
        Person::of(name, [other.caller(&caller), caller])
    };
    Place {
        store: store.to_owned(),
        alice: person("alice"),
        helper: person(&format!("helper-{client}")),
        mallory: person("mallory"),
        operator: person("operator"),
        may_switch: client < STORES_OF_ONE,
    }
}

/// What all clients wrote down; the first that fails ends the test.
pub async fn all_of(mut clients: JoinSet<(Journal, Counts)>) -> (Journal, Counts) {
    let (mut journal, mut counts) = (Journal::default(), Counts::default());
    while let Some(client) = clients.join_next().await {
        let (of_client, counted) = client.unwrap_or_else(|failed| resume_unwind(failed.into_panic()));
        journal.merge(of_client);
        counts.merge(counted);
    }
    (journal, counts)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_intention_has_one_effect_whatever_happens_to_the_sessions() {
    let _alone = crate::ALONE.lock().await;
    let (intentions, seed) = (number_from("CHAOS_INTENTIONS", 1_500), number_from("CHAOS_SEED", 1));
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    println!("CHAOS_SEED={seed} CHAOS_INTENTIONS={intentions}");
    let Some(world) = World::on(Postgres).await else { return };
    let other = world.another_instance().await;
    let names = store_names();
    let opened = open_stores(&names, |name| world.operator().at(name)).await;
    let of_each = (intentions as usize).div_ceil(CLIENTS);
    let mut to_come = vec![0; STORES];
    (0..CLIENTS).for_each(|client| to_come[store_of(client)] += of_each);

    let begun = Instant::now();
    let (answered, progress) = watch::channel(Progress::of(STORES));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let store = store_of(number);
        let place = place_of(&world, &other, number, &names[store]);
        let rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number as u64));
        let answered = answered.clone();
        let tell = move || answered.send_modify(|progress| progress.count(store));
        clients.spawn(Client::new(place, rng, tell).carry_out(of_each));
    }
    drop(answered);
    let alice = world.alice();
    let follower = Follower::new([alice.clone(), other.caller(&alice)], &names, Rng::with_seed(seed));
    let (ends, ended) = watch::channel(None);
    let following = tokio::spawn(follower.follow(ended));
    let disturber = Disturber::new(&world.database, names.clone(), to_come, Rng::with_seed(seed));
    let (disturbed, (journal, counts)) = tokio::join!(disturber.disturb(progress), all_of(clients));
    let seconds = begun.elapsed().as_secs_f64();
    let mut last_events = BTreeMap::new();
    for name in &names {
        last_events.insert(name.clone(), world.alice().at(name).last_event().await);
    }
    ends.send_replace(Some(last_events));
    let follower = following.await.unwrap_or_else(|failed| resume_unwind(failed.into_panic()));

    println!("{} intentions in {seconds:.1} s by {} sends", journal.entries.len(), counts.sends);
    println!("{} sessions terminated, {} stores locked for a while", disturbed.terminated, disturbed.locked);
    println!("answers:\n{}", counts.table());
    println!("intentions:\n{}", journal.table());
    let (deaths, ended) = (follower.deaths, follower.ended);
    println!("a follower died {deaths} times and had {ended} watches end: {} events", follower.audit(&world.database));
    assert!(deaths > 0, "the follower died");
    assert!(intentions < 1_500 || (disturbed.terminated > 0 && disturbed.locked > 0), "nobody was disturbed");
    audit(&world.database, &world.alice(), &journal, &opened).await;
    world.verify().await;
}
