//! What peers without credentials make the service log: little, whatever they send, and no call waits
//! for somebody to read it.

use std::io::{Read, Write};
use std::process::Stdio;

use tonic_health::pb::health_check_response::ServingStatus;

use crate::frames::{ACK, Flood, PING, connect, frame};
use crate::support::server_process::{Honest, ServerProcess};
use crate::support::within_timeout;
use tokio::io::AsyncWriteExt;

/// What any of these attacks may add to the log, in bytes.
const LOG: usize = 64 * 1024;
/// Acknowledgements sent at once.
const BUNCH: usize = 1_000;
/// Far more than fits between a sender and a service that does not read.
const MANY: usize = 2_000_000;

/// Acknowledgements of pings that the service never sent.
fn acknowledgements(count: usize) -> Vec<u8> {
    frame(PING, ACK, 0, b"whatever").repeat(count)
}

/// A pipe that is full: the next byte waits for somebody to read. Nobody does as long as it is held.
pub fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let size = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
    writer.write_all(&vec![b'.'; size]).unwrap();
    (reader, writer)
}

#[tokio::test(flavor = "multi_thread")]
async fn ping_acknowledgements_that_nobody_asked_for_close_the_connection_and_are_not_logged() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let attacked = ServerProcess::logging("trace,h2::proto=trace", writer);
    let logged = std::thread::spawn(move || {
        let mut logged = Vec::new();
        reader.read_to_end(&mut logged).unwrap();
        logged
    });
    let before = attacked.memory();
    let honest = Honest::begin(&attacked);
    let mut flood = Flood::begin(&attacked.address, 2).await;

    let mut sent = 0;
    while sent < MANY && flood.send(&acknowledgements(BUNCH)).await {
        sent += BUNCH;
    }

    assert!(sent < MANY, "the service ends the connection first");
    flood.closed().await;
    honest.end("PING acknowledgements", before, &attacked).await;
    drop(attacked);
    let logged = String::from_utf8_lossy(&logged.join().unwrap()).into_owned();
    eprintln!("PING acknowledgements: closed after {sent} were sent; {} bytes of log", logged.len());
    assert!(logged.len() < LOG, "{} bytes of log", logged.len());
    assert!(logged.contains("PING acknowledgements"), "it is said once: {logged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_end_badly_are_logged_now_and_then() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let attacked = ServerProcess::logging("debug", writer);
    let logged = std::thread::spawn(move || {
        let mut logged = String::new();
        reader.read_to_string(&mut logged).unwrap();
        logged
    });

    for _ in 0..2_000 {
        let mut socket = connect(&attacked.address, 2).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let (reader, _writer) = socket.into_split();
        within_timeout(crate::frames::until_closed(reader)).await;
    }

    within_timeout(attacked.alice().get_store().ok()).await;
    drop(attacked);
    let logged = logged.join().unwrap();
    eprintln!("2,000 connections that end badly: {} lines, {} bytes of log", logged.lines().count(), logged.len());
    assert!(logged.len() < LOG, "{} bytes of log", logged.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_stops_nothing() {
    let (_unread, full) = full_pipe();
    let mut attacked = ServerProcess::logging("debug", Stdio::from(full));
    let mut floods = Vec::new();
    for from in 2..10 {
        let mut flood = Flood::begin(&attacked.address, from).await;
        flood.send(&acknowledgements(BUNCH)).await;
        floods.push(flood);
        // It says nothing that is HTTP/2, which is worth a log line for debugging.
        connect(&attacked.address, from).await.unwrap().write_all(&[b'x'; 64]).await.unwrap();
    }

    let alice = attacked.alice();
    for _ in 0..100 {
        within_timeout(alice.get_store().ok()).await;
    }
    assert_eq!(within_timeout(attacked.health()).await.unwrap(), ServingStatus::Serving);
    attacked.terminate();
    assert!(attacked.ends_well().await);
    eprintln!("a log that nobody reads: 100 calls and health answered, and it ended by SIGTERM");
}
