//! What a peer must send before its connection is served: the TLS handshake, if TLS is configured, and on a
//! connection for HTTP/2 its beginning. A peer that is silent or speaks another protocol is disconnected, so that idle sockets
//! do not use up the connections of others.

use std::io::{Cursor, Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::Protocol;
use super::frames::FrameReader;
use crate::auth::certificate::Certificate;
use crate::reload::Reloading;

/// How long a peer may take from the accepted connection to the first frame header of HTTP/2.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The client's connection preface (RFC 9113, section 3.4): this, and then a SETTINGS frame.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The number of bytes of a frame header (RFC 9113, section 4.1).
pub(super) const FRAME_HEADER: usize = 9;
/// The frame type of SETTINGS (RFC 9113, section 6.5).
const SETTINGS: u8 = 4;

/// A byte stream, encrypted or not: what is served does not depend on which of them it is.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection whose peer has done what must come before the first call.
pub(super) struct Established {
    /// The decrypted stream from its first byte on; of HTTP/2 that is the connection preface.
    pub(super) stream: Box<dyn Stream>,
    /// The client certificate that TLS verified, if there is one that names a principal.
    pub(super) certificate: Option<Certificate>,
}

/// Performs the handshake; an error if it fails or takes longer than [`HANDSHAKE_TIMEOUT`].
pub(super) async fn handshake(
    stream: impl Stream + 'static,
    from: SocketAddr,
    protocol: Protocol,
    tls: Option<&Reloading<ServerConfig>>,
) -> std::io::Result<Established> {
    let established = async {
        match tls {
            Some(tls) => {
                let (stream, certificate) = begin_tls(stream, from, tls).await?;
                begin_http(stream, from, protocol, certificate).await
            }
            None => begin_http(stream, from, protocol, None).await,
        }
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, established).await {
        Ok(established) => established,
        Err(_) => Err(Error::new(ErrorKind::TimedOut, "the handshake was not completed in time")),
    }
}

async fn begin_tls(
    stream: impl Stream + 'static,
    from: SocketAddr,
    tls: &Reloading<ServerConfig>,
) -> std::io::Result<(impl Stream + 'static, Option<Certificate>)> {
    let stream = TlsAcceptor::from(tls.current()).accept(stream).await?;
    let mut certificate = None;
    if let Some([first, ..]) = stream.get_ref().1.peer_certificates() {
        match Certificate::of(first) {
            Ok(read) => certificate = Some(read),
            // The connection is served all the same: its calls may carry tokens.
            Err(error) => tracing::warn!(%from, error, "a client certificate names no principal"),
        }
    }
    Ok((stream, certificate))
}

async fn begin_http(
    stream: impl Stream + 'static,
    from: SocketAddr,
    protocol: Protocol,
    certificate: Option<Certificate>,
) -> std::io::Result<Established> {
    match protocol {
        Protocol::Http2 => begin_http2(stream, from, certificate).await,
        // The HTTP/1.1 library itself bounds how long a request may take to arrive.
        Protocol::Http1 => Ok(Established { stream: Box::new(stream), certificate }),
    }
}

/// Waits for the connection preface and the header of the SETTINGS frame behind it. What was read is put in
/// front of the stream again, because the HTTP/2 library expects the preface too.
async fn begin_http2(
    mut stream: impl Stream + 'static,
    from: SocketAddr,
    certificate: Option<Certificate>,
) -> std::io::Result<Established> {
    let mut first_bytes = [0; PREFACE.len() + FRAME_HEADER];
    // First the preface alone: a peer that speaks another protocol may not send more than that.
    stream.read_exact(&mut first_bytes[..PREFACE.len()]).await?;
    if first_bytes[..PREFACE.len()] != *PREFACE {
        return Err(Error::new(ErrorKind::InvalidData, "this is not HTTP/2"));
    }
    stream.read_exact(&mut first_bytes[PREFACE.len()..]).await?;
    let frame_type = first_bytes[PREFACE.len() + 3];
    if frame_type != SETTINGS {
        return Err(Error::new(ErrorKind::InvalidData, "the first frame of HTTP/2 must be SETTINGS"));
    }
    let (reader, writer) = tokio::io::split(stream);
    let reader = FrameReader::new(Cursor::new(first_bytes).chain(reader), from);
    Ok(Established { stream: Box::new(tokio::io::join(reader, writer)), certificate })
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::time::Instant;

    use super::*;

    const SETTINGS_FRAME: [u8; FRAME_HEADER] = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];

    /// Performs the handshake with a peer that sends this and is then silent.
    async fn handshake_after(sent: &[u8]) -> std::io::Result<Established> {
        let (mut client, server) = tokio::io::duplex(1024);
        client.write_all(sent).await.unwrap();
        let established = handshake(server, "192.0.2.1:7".parse().unwrap(), Protocol::Http2, None).await;
        drop(client);
        established
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_falls_silent_before_its_first_frame_is_disconnected_after_ten_seconds() {
        for sent in [&b""[..], &PREFACE[..10], PREFACE, &[PREFACE, &SETTINGS_FRAME[..5]].concat()] {
            let start = Instant::now();
            let error = handshake_after(sent).await.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{sent:?}");
            assert_eq!(start.elapsed().as_secs(), 10, "{sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_protocol_is_refused_at_once() {
        let start = Instant::now();
        let ping_first = [PREFACE.as_slice(), &[0, 0, 8, 6, 0, 0, 0, 0, 0]].concat();
        for sent in [&b"GET / HTTP/1.1\r\nHost: localhost\r\n"[..], &ping_first] {
            assert_eq!(handshake_after(sent).await.err().unwrap().kind(), ErrorKind::InvalidData);
        }
        assert!(start.elapsed() < HANDSHAKE_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_handshake_has_read_is_read_again_by_the_http2_library() {
        let sent = [PREFACE.as_slice(), &SETTINGS_FRAME, b"more"].concat();
        let mut established = handshake_after(&sent).await.unwrap();
        let mut read = Vec::new();
        established.stream.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, sent);
    }
}
