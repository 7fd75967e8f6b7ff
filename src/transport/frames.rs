//! Watches the frames that a peer sends (RFC 9113, section 4.1) for one abuse that the HTTP/2 library lets pass:
//! PING frames with ACK for a PING that the service never sent. They cost the peer nothing, and the library
//! writes a warning for each. The bytes pass through unchanged.
//!
//! PING frames without ACK are not counted: gRPC clients that estimate the bandwidth send one with every message
//! that they receive.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, ReadBuf};

use super::bucket::LeakyBucket;
use super::handshake::{FRAME_HEADER, PREFACE};

/// The frame type of PING (RFC 9113, section 6.7).
const PING: u8 = 6;
/// The flag of a PING that acknowledges another.
const ACK: u8 = 1;
/// How many acknowledgements may come in a burst.
const MAX_ACKNOWLEDGEMENTS: f64 = 20.0;
/// How many may come per second after the burst. The service sends a PING after 20 s of silence, and one when
/// it stops: ten times fewer than this allows.
const ACKNOWLEDGEMENTS_PER_SECOND: f64 = 0.5;

/// Finds the frame headers in a stream of bytes that is read in pieces of any size.
#[derive(Debug)]
struct FrameParser {
    /// How many bytes are left before the next frame header: of the preface at first, then of a payload.
    skip: usize,
    /// The frame header that is being read.
    header: [u8; FRAME_HEADER],
    /// How many bytes of the header have been read.
    filled: usize,
}

impl FrameParser {
    fn new() -> Self {
        Self { skip: PREFACE.len(), header: [0; FRAME_HEADER], filled: 0 }
    }

    /// Parses the next bytes; returns how many headers of a PING with ACK were completed by them.
    fn acknowledgements(&mut self, mut bytes: &[u8]) -> usize {
        let mut found = 0;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (FRAME_HEADER - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == FRAME_HEADER {
                let [a, b, c, kind, flags, ..] = self.header;
                if kind == PING && flags & ACK != 0 {
                    found += 1;
                }
                // The length is the first three bytes, and does not include the header.
                self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
                self.filled = 0;
            }
        }
        found
    }
}

/// A reader that passes on what it reads and fails for good once the peer has sent too many acknowledgements,
/// which ends the connection.
pub(super) struct FrameReader<R> {
    reader: R,
    from: SocketAddr,
    parser: FrameParser,
    acknowledgements: LeakyBucket,
    failed: bool,
}

impl<R> FrameReader<R> {
    /// Watches what is read from `reader`, which must begin with the connection preface.
    pub(super) fn new(reader: R, from: SocketAddr) -> Self {
        let acknowledgements = LeakyBucket::new(MAX_ACKNOWLEDGEMENTS, ACKNOWLEDGEMENTS_PER_SECOND, Instant::now());
        Self { reader, from, parser: FrameParser::new(), acknowledgements, failed: false }
    }

    fn watch(&mut self, bytes: &[u8], now: Instant) {
        for _ in 0..self.parser.acknowledgements(bytes) {
            if !self.acknowledgements.add(now) {
                tracing::warn!(from = %self.from, "a connection is closed: too many unsolicited PING acknowledgements");
                self.failed = true;
                return;
            }
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for FrameReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        if !self.failed {
            ready!(Pin::new(&mut self.reader).poll_read(cx, buffer))?;
            self.watch(&buffer.filled()[before..], Instant::now());
        }
        if self.failed {
            // By the contract of AsyncRead, a read that fails leaves the buffer as it was.
            buffer.set_filled(before);
            return Poll::Ready(Err(Error::new(ErrorKind::QuotaExceeded, "too many PING acknowledgements")));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 0], payload].concat()
    }

    fn after_preface(frames: &[Vec<u8>]) -> Vec<u8> {
        [&PREFACE[..], &frames.concat()].concat()
    }

    fn ping(flags: u8) -> Vec<u8> {
        frame(PING, flags, b"12345678")
    }

    #[test]
    fn acknowledgements_are_found_wherever_reads_divide_them() {
        let settings = || frame(4, 0, &[0; 12]);
        let cases = [
            ("none", vec![settings()], 0),
            ("settings that are acknowledged", vec![frame(4, ACK, &[])], 0),
            ("a ping", vec![settings(), ping(0)], 0),
            ("an acknowledgement", vec![settings(), ping(ACK)], 1),
            ("with flags that mean nothing", vec![ping(0xff), ping(0xfe)], 1),
            ("between others", vec![settings(), ping(ACK), ping(0), frame(0, 1, &[7; 300]), ping(ACK)], 2),
            ("after empty frames", vec![frame(0, 0, &[]), frame(8, 0, &[]), ping(ACK)], 1),
            ("in a payload is no frame", vec![frame(0, 0, &ping(ACK).repeat(5))], 0),
            ("of another length", vec![frame(PING, ACK, &[]), frame(PING, ACK, &[0; 70_000]), ping(ACK)], 3),
        ];
        for (what, frames, expected) in cases {
            let bytes = after_preface(&frames);
            for divided in 0..=bytes.len().min(500) {
                let (first, second) = bytes.split_at(divided);
                let mut parser = FrameParser::new();
                let found = parser.acknowledgements(first) + parser.acknowledgements(second);
                assert_eq!(found, expected, "{what}, divided at {divided}");
            }
            let mut parser = FrameParser::new();
            let found: usize = bytes.chunks(1).map(|byte| parser.acknowledgements(byte)).sum();
            assert_eq!(found, expected, "{what}, byte by byte");
        }
    }

    #[tokio::test]
    async fn too_many_acknowledgements_fail_the_reader_and_pings_do_not() {
        let from = "192.0.2.1:7".parse().unwrap();
        let some = after_preface(&[ping(0).repeat(10_000), ping(ACK).repeat(20)]);
        let mut read = Vec::new();
        FrameReader::new(some.as_slice(), from).read_to_end(&mut read).await.unwrap();
        assert_eq!(read, some, "what is read is passed on as it is");

        let many = after_preface(&[ping(ACK).repeat(30)]);
        let mut reader = FrameReader::new(many.as_slice(), from);
        assert_eq!(reader.read_to_end(&mut Vec::new()).await.unwrap_err().kind(), ErrorKind::QuotaExceeded);
        assert!(reader.read_u8().await.is_err(), "and it stays so");
    }
}
