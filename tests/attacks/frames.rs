//! HTTP/2 frames made by hand (RFC 9113, section 6), sent from an address of one's choice.

use std::io;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const ACK: u8 = 1;

/// A connection from 127.0.0.`from`.
pub async fn connect(address: &str, from: u8) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into())?;
    socket.connect(address.parse().unwrap()).await
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Literal header fields without indexing (RFC 7541, section 6.2.2), all shorter than 127 bytes.
pub fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The head of a call of alice's.
pub fn head() -> Vec<u8> {
    fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/purchasing.v1.StoreService/GetStore"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("x-principal", "alice"),
    ])
}

/// A connection that has begun; what comes back is read and thrown away until it is closed.
pub struct Flood {
    writer: OwnedWriteHalf,
    closed: JoinHandle<()>,
}

impl Flood {
    pub async fn begin(address: &str, from: u8) -> Self {
        let (reader, mut writer) = connect(address, from).await.unwrap().into_split();
        writer.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
        Self { writer, closed: tokio::spawn(until_closed(reader)) }
    }

    /// Sends; `false` once the connection is closed.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        !self.closed.is_finished() && self.writer.write_all(bytes).await.is_ok()
    }

    /// Waits until the service has closed it.
    pub async fn closed(self) {
        crate::support::within_timeout(self.closed).await.unwrap();
    }
}

/// Reads to the end.
pub async fn until_closed(mut reader: OwnedReadHalf) {
    let mut thrown_away = vec![0; 64 * 1024];
    while matches!(reader.read(&mut thrown_away).await, Ok(1..)) {}
}
