//! The audit: the program is killed (SIGKILL) again and again while clients carry out their intentions,
//! and so is PostgreSQL. Each client sends an intention under its request id until it is answered, and
//! writes the answer down before it goes on. Afterwards everything that was acknowledged is there once,
//! nothing else is, and every invariant holds.
//!
//! PostgreSQL is killed by SIGKILL of one of its own processes, upon which it ends all others at once
//! and recovers from its log, as after a crash of the whole server.
//!
//! `KILLS=30 cargo test --test crashes kills:: -- --nocapture` makes 30 kills of the program, and on PostgreSQL 10
//! of the server; `KILLS_SEED` draws other intentions. How long it took from each kill to the next
//! acknowledgement is printed.

mod killer;

use std::env;

use fastrand::Rng;
use purchase_order_service::verify::verify;
use rstest::rstest;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use self::killer::{Killer, PAUSE, Victim};
use crate::chaos::audit::audit;
use crate::chaos::client::{Client, Place};
use crate::chaos::sending::Person;
use crate::chaos::{all_of, open_stores};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, Cluster, Database, cluster};

const STORES: usize = 4;
/// The first store has one client, who also turns back orders off and on; the others share the rest.
const CLIENTS: usize = 8;

fn number_from(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |value| value.parse().expect("it is a number"))
}

fn store_of(client: usize) -> usize {
    if client == 0 { 0 } else { 1 + client % (STORES - 1) }
}

/// Everybody whom a client speaks for, each by two connections.
fn place_of(ways: &[Channel; 2], client: usize) -> Place {
    let store = format!("store-{}", store_of(client));
    let person = |name: &str| Person::of(name, ways.clone().map(|way| Caller::of(way, name, &store)));
    Place {
        alice: person("alice"),
        helper: person(&format!("helper-{client}")),
        mallory: person("mallory"),
        operator: person("operator"),
        may_switch: client == 0,
        store,
    }
}

/// Who is killed when: on PostgreSQL the server after every third kill of the program.
fn victims(kills: usize, on: Engine) -> Vec<Victim> {
    // The processes of a server that somebody else runs are not ours to kill.
    let is_ours = on == Postgres && matches!(cluster(), Some(Cluster::Private { .. }));
    let mut victims = Vec::new();
    for number in 1..=kills {
        victims.push(Victim::Program);
        if is_ours && number % 3 == 0 {
            victims.push(Victim::Server);
        }
    }
    victims
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once_whatever_was_killed(#[values(Sqlite, Postgres)] on: Engine) {
    let _alone = crate::ALONE.lock().await;
    let (kills, seed) = (number_from("KILLS", 3), number_from("KILLS_SEED", 1) as u64);
    println!("{on:?}: KILLS={kills} KILLS_SEED={seed}");
    let Some(database) = Database::migrated(on) else { return };
    let victims = victims(kills, on);
    let mut killer = Killer::begin(&database, Rng::with_seed(seed));
    let ways = [killer.channel(), killer.channel()];
    let names: Vec<String> = (0..STORES).map(|number| format!("store-{number}")).collect();
    let opened = open_stores(&names, |store| Caller::of(ways[0].clone(), "operator", store)).await;
    // So many that there is always another one to be acknowledged after the last kill.
    let of_each = ((victims.len() + 1) * PAUSE.end).div_ceil(CLIENTS) + 10;

    let (answered, progress) = watch::channel(0_usize);
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(number as u64));
        let answered = answered.clone();
        let tell = move || answered.send_modify(|count| *count += 1);
        clients.spawn(Client::new(place_of(&ways, number), rng, tell).carry_out(of_each));
    }
    drop(answered);
    let (recovered, (journal, counts)) = tokio::join!(killer.kill(&victims, progress), all_of(clients));

    println!("{on:?}: {} intentions by {} sends", journal.entries.len(), counts.sends);
    println!("answers:\n{}", counts.table());
    println!("intentions:\n{}", journal.table());
    recovered.print(on);
    assert_eq!(recovered.kills(), victims.len(), "every victim was killed");
    let alice = Caller::of(killer.channel(), "alice", "store-0");
    audit(&database, &alice, &journal, &opened).await;
    let findings = verify(&mut database.session(), |_, _| {}).unwrap();
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "the invariants do not hold:\n{}", findings.join("\n"));
}
