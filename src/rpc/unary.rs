//! The message of a unary call: read as a whole, counted, and only then handed on to be decoded. So
//! nothing of it is decoded before it is known what that costs and whether there is room for it, and a
//! message that is too large in any way costs its own bytes and nothing more.

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use prost::bytes::BytesMut;
use tonic::body::Body;

use super::bodies::SharedPermit;
use super::errors::{CallError, TransportFault};
use super::requests::Counting;
use crate::workers::error::ServiceFault;

/// The largest message, in either direction.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// Bytes in front of a message: whether it is compressed, and its length (gRPC over HTTP/2,
/// "Length-Prefixed-Message").
const PREFIX: usize = 5;
/// Messages above this many bytes are counted in a thread where that keeps nobody waiting: the largest
/// take some milliseconds, and the threads that serve connections are as few as the machine's cores.
const COUNTED_AT_ONCE: usize = 64 * 1024;

/// Reads the message of a unary call, charges the call with it and with what decoding makes of it, and
/// gives the call back with its message in one piece.
pub async fn read(request: Request<Incoming>, permit: &SharedPermit) -> Result<Request<Body>, CallError> {
    let (head, body) = request.into_parts();
    let unknown = || ServiceFault::Internal(format!("no shape is known of the requests of {}", head.uri.path()));
    let counting = Counting::of(head.uri.path()).ok_or_else(unknown)?;
    let framed = collect(body, permit).await?;
    let decoded = count(counting, framed.clone(), permit.clone()).await?;
    permit.grow(decoded)?;
    Ok(Request::from_parts(head, Body::new(Full::new(framed))))
}

/// All bytes of a call with one message. They are copied into one piece as they come: what keeps a
/// frame keeps the whole buffer that it came in.
async fn collect(mut body: Incoming, permit: &SharedPermit) -> Result<Bytes, CallError> {
    let mut framed = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Its caller has gone, or has broken the stream off.
        let frame = frame.map_err(|_| TransportFault::MalformedMessage)?;
        let Ok(data) = frame.into_data() else { continue };
        permit.grow(data.len())?;
        framed.extend_from_slice(&data);
        if length(&framed)?.is_some_and(|length| framed.len() > PREFIX + length) {
            // There is one message in a unary call.
            return Err(TransportFault::MalformedMessage.into());
        }
    }
    match length(&framed)? {
        Some(length) if framed.len() == PREFIX + length => Ok(framed.freeze()),
        _ => Err(TransportFault::MalformedMessage.into()),
    }
}

/// The length of the message that begins here, once its prefix is there.
fn length(framed: &[u8]) -> Result<Option<usize>, TransportFault> {
    let Some(([flag, length @ ..], _)) = framed.split_first_chunk::<PREFIX>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    match flag {
        0 if length <= MAX_MESSAGE => Ok(Some(length)),
        0 => Err(TransportFault::MessageTooLarge),
        1 => Err(TransportFault::CompressionUnsupported),
        _ => Err(TransportFault::MalformedMessage),
    }
}

async fn count(counting: Counting, framed: Bytes, permit: SharedPermit) -> Result<usize, CallError> {
    if framed.len() <= COUNTED_AT_ONCE {
        return counting.count(&framed[PREFIX..]);
    }
    let counted = tokio::task::spawn_blocking(move || {
        // Held for as long as the bytes are, also if the call has ended meanwhile.
        let _share = permit;
        counting.count(&framed[PREFIX..])
    });
    counted
        .await
        .unwrap_or_else(|error| Err(ServiceFault::Internal(format!("a request could not be counted: {error}")).into()))
}
