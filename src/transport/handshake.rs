//! What a connection must say before it counts: TLS, if that is spoken here, and the beginning of
//! HTTP/2. Whoever is silent, or speaks another protocol, is shut out.

use std::io::{Cursor, Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::frames::FrameReader;
use crate::auth::certificate::Certificate;
use crate::reload::Reloading;

/// From the connection being accepted to HTTP/2 being begun.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The client's connection preface (RFC 9113, section 3.4): this, and then a SETTINGS frame.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's header (section 4.1).
pub(super) const FRAME_HEADER: usize = 9;
const SETTINGS: u8 = 4;

/// A byte stream, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that has begun to speak HTTP/2.
pub(super) struct Established {
    pub(super) stream: Box<dyn Stream>,
    pub(super) certificate: Option<Certificate>,
}

/// Waits for the handshake, not for long.
pub(super) async fn handshake(
    stream: TcpStream,
    from: SocketAddr,
    tls: Option<&Reloading<ServerConfig>>,
) -> std::io::Result<Established> {
    let late = |_| Error::new(ErrorKind::TimedOut, "no handshake in time");
    tokio::time::timeout(HANDSHAKE_TIMEOUT, async {
        let Some(tls) = tls else { return begun(stream, from, None).await };
        let stream = TlsAcceptor::from(tls.current()).accept(stream).await?;
        let chain = stream.get_ref().1.peer_certificates();
        let certificate = chain.and_then(|chain| chain.first()).and_then(|first| {
            let read = Certificate::of(first);
            read.inspect_err(|error| tracing::warn!(error, "a client certificate names nobody")).ok()
        });
        begun(stream, from, certificate).await
    })
    .await
    .map_err(late)?
}

async fn begun(
    mut stream: impl Stream + 'static,
    from: SocketAddr,
    certificate: Option<Certificate>,
) -> std::io::Result<Established> {
    let mut said = [0; PREFACE.len() + FRAME_HEADER];
    stream.read_exact(&mut said[..PREFACE.len()]).await?;
    if said[..PREFACE.len()] != *PREFACE {
        return Err(Error::new(ErrorKind::InvalidData, "this is not HTTP/2"));
    }
    stream.read_exact(&mut said[PREFACE.len()..]).await?;
    if said[PREFACE.len() + 3] != SETTINGS {
        return Err(Error::new(ErrorKind::InvalidData, "HTTP/2 begins with SETTINGS"));
    }
    let (reader, writer) = tokio::io::split(stream);
    let stream = tokio::io::join(FrameReader::new(Cursor::new(said).chain(reader), from), writer);
    Ok(Established { stream: Box::new(stream), certificate })
}
