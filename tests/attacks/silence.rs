//! Peers that connect and send nothing, or next to nothing; and peers that connect too often.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::bodies::try_peer;
use crate::frames::{PREFACE, connect, until_closed};
use crate::support::server_process::{Honest, ServerProcess};
use crate::support::within_timeout;

/// How many sockets are opened, by ten peers.
const SILENT: usize = 600;
/// Within what time all of them must be closed: the handshake may take 10 s, and the machine may be slow.
const CLOSED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn silent_sockets_are_closed_and_honest_callers_are_served() {
    let attacked = ServerProcess::alone(&[]);
    let before = attacked.memory();
    let honest = Honest::begin(&attacked);
    let mut silent = JoinSet::new();
    let opened = Instant::now();
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

    while within_timeout(silent.join_next()).await.is_some() {}

    assert!(opened.elapsed() < CLOSED_WITHIN, "{:?}", opened.elapsed());
    assert!(attacked.memory() < before + 32 * 1024, "{before} -> {} KiB", attacked.memory());
    honest.end("silent sockets", before, &attacked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_gets_no_more_connections_than_its_share() {
    let arguments = ["--max-connections", "30", "--max-connections-per-peer", "10"];
    let attacked = ServerProcess::alone(&arguments);
    attacked.alice().get_store().ok().await;
    let mut greedy = Vec::new();

    for number in 1..=25 {
        let mut is_served = false;
        if let Ok(mut peer) = try_peer(&attacked.address, 2, 65_535).await {
            is_served = peer.is_served().await;
            greedy.push(peer);
        }
        assert_eq!(is_served, number <= 10, "connection {number} of one peer");
    }

    let honest = Honest::begin(&attacked);
    honest.end("a greedy peer", attacked.memory(), &attacked).await;
    for peer in &mut greedy[..10] {
        assert!(peer.is_served().await, "those within its share stay open");
    }
}
