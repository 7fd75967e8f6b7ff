//! Sockets that say nothing, or next to nothing.

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::frames::{PREFACE, connect, until_closed};
use crate::support::server_process::{Honest, ServerProcess};
use crate::support::within_timeout;

const SILENT: usize = 600;

#[tokio::test(flavor = "multi_thread")]
async fn silent_sockets_are_shut_out_and_honest_callers_are_served() {
    let attacked = ServerProcess::alone(&[]);
    let before = attacked.memory();
    let honest = Honest::begin(&attacked);
    let mut silent = JoinSet::new();
    for number in 0..SILENT {
        let from = u8::try_from(2 + number % 10).unwrap();
        let mut socket = connect(&attacked.address, from).await.unwrap();
        if number % 2 == 0 {
            socket.write_all(PREFACE).await.unwrap();
        }
        let (reader, writer) = socket.into_split();
        silent.spawn(async move {
            until_closed(reader).await;
            drop(writer);
        });
    }

    let mut closed = 0;
    while within_timeout(silent.join_next()).await.is_some() {
        closed += 1;
    }

    assert_eq!(closed, SILENT);
    assert!(attacked.memory() < before + 32 * 1024, "{before} -> {} KiB", attacked.memory());
    honest.end("silent sockets", before, &attacked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_gets_no_more_connections_than_its_share() {
    let arguments = ["--max-connections", "30", "--max-connections-per-peer", "10"];
    let attacked = ServerProcess::alone(&arguments);
    attacked.alice().get_store().ok().await;
    let mut greedy = JoinSet::new();
    for _ in 0..25 {
        let (reader, writer) = connect(&attacked.address, 2).await.unwrap().into_split();
        greedy.spawn(async move {
            until_closed(reader).await;
            drop(writer);
        });
    }

    // Those beyond its share are closed while the others are still waited for.
    for _ in 0..15 {
        within_timeout(greedy.join_next()).await.unwrap().unwrap();
    }
    let honest = Honest::begin(&attacked);
    honest.end("a greedy peer", attacked.memory(), &attacked).await;
    while within_timeout(greedy.join_next()).await.is_some() {}
}
