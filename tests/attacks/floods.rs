//! Frames without end.

use crate::bodies::peer;
use crate::frames::*;
use crate::support::server_process::{Honest, ServerProcess};

/// What any of these attacks may cost, in KiB.
const MEMORY: u64 = 64 * 1024;

async fn flood(attack: &str, most: u32, bytes: impl Fn(u32) -> Vec<u8>) {
    let attacked = ServerProcess::alone(&[]);
    let before = attacked.memory();
    let honest = Honest::begin(&attacked);
    let mut flood = Flood::begin(&attacked.address, 2).await;

    let mut sent = 0;
    while sent < most && flood.send(&bytes(sent)).await {
        sent += 1;
    }

    flood.closed().await;
    eprintln!("{attack}: closed after {sent} were sent");
    assert!(sent < most, "the service ends the connection first");
    assert!(attacked.memory() < before + MEMORY, "{before} -> {} KiB", attacked.memory());
    honest.end(attack, before, &attacked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rapid_reset() {
    flood("rapid reset", 200_000, |count| {
        let stream = 2 * count + 1;
        let open = frame(HEADERS, END_HEADERS, stream, &head());
        [open, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_begun_and_given_up_again_and_again() {
    let attacked = ServerProcess::alone(&[]);
    let before = attacked.memory();
    let honest = Honest::begin(&attacked);
    let mut peer = peer(&attacked.address, 2, 65_535).await;

    // Each round lets the calls begin before it gives them up, which no bound of HTTP/2 minds.
    let mut given_up = 0;
    while given_up < 6_000 && peer.round(100).await.inspect_err(|error| eprintln!("{error:?}")).is_ok() {
        given_up += 100;
    }

    eprintln!("begun and given up: closed after {given_up}");
    assert!(given_up < 6_000, "the service ends the connection first");
    honest.end("begun and given up", before, &attacked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn continuations_without_end() {
    flood("CONTINUATION flood", 20_000, |count| match count {
        0 => frame(HEADERS, END_STREAM, 1, &head()),
        _ => frame(CONTINUATION, 0, 1, &fields(&[("x-filler", "f".repeat(100).as_str()); 100])),
    })
    .await;
}
