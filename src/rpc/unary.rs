//! Reads the message of a unary call as a whole and counts what decoding it would cost, before anything
//! decodes it.
//!
//! A few megabytes on the wire can become hundreds in memory. So the call is charged with the decoded
//! size first, and a message that is too large in any way never costs more than its own bytes.

use http::Request;
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
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
/// Messages above this many bytes are counted on a thread for blocking work: the largest take some
/// milliseconds, and the few threads that serve all connections must not stop for that long.
const COUNTED_AT_ONCE: usize = 64 * 1024;

/// Reads the message of a unary call, charges the call with its bytes and with its decoded size, and returns
/// the call with its message in one piece.
pub async fn read<B>(request: Request<B>, permit: &SharedPermit) -> Result<Request<Body>, CallError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let (head, body) = request.into_parts();
    let unknown = || ServiceFault::Internal(format!("no shape is known of the requests of {}", head.uri.path()));
    let counting = Counting::of(head.uri.path()).ok_or_else(unknown)?;
    let framed = collect(body, permit).await?;
    let decoded = count(counting, framed.clone(), permit.clone()).await?;
    // In addition to the bytes of the message: while prost decodes it, both are in memory.
    permit.grow(decoded)?;
    Ok(Request::from_parts(head, Body::new(Full::new(framed))))
}

/// All bytes of a call with one message. They are copied into one piece as they come: what keeps a
/// frame keeps the whole buffer that it came in.
async fn collect<B>(mut body: B, permit: &SharedPermit) -> Result<Bytes, CallError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut framed = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The client has disconnected or reset the stream; it will not see this error.
        let frame = frame.map_err(|_| TransportFault::MalformedMessage)?;
        // Trailers, which no rpc reads.
        let Ok(data) = frame.into_data() else { continue };
        permit.grow(data.len())?;
        framed.extend_from_slice(&data);
        // With each frame, so that a message that announces too much is refused by its prefix and not after megabytes.
        if length(&framed)?.is_some_and(|length| framed.len() > PREFIX + length) {
            // More bytes than the first message has; a unary call has one.
            return Err(TransportFault::MalformedMessage.into());
        }
    }
    match length(&framed)? {
        Some(length) if framed.len() == PREFIX + length => Ok(framed.freeze()),
        _ => Err(TransportFault::MalformedMessage.into()),
    }
}

/// The length of the message that begins here; `None` until its whole prefix has arrived.
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
        // Keeps the charge for as long as this thread holds the bytes, even if the call has ended.
        let _share = permit;
        counting.count(&framed[PREFIX..])
    });
    counted
        .await
        .unwrap_or_else(|error| Err(ServiceFault::Internal(format!("a request could not be counted: {error}")).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_message_is_known_with_its_prefix_and_limited() {
        let framed = |flag: u8, length: usize| [&[flag][..], &(length as u32).to_be_bytes()].concat();
        for (bytes, expected) in [
            (vec![], Ok(None)),
            (vec![0, 0, 0, 0], Ok(None)),
            (framed(0, 0), Ok(Some(0))),
            ([framed(0, 258), vec![7; 3]].concat(), Ok(Some(258))),
            (framed(0, MAX_MESSAGE), Ok(Some(MAX_MESSAGE))),
            (framed(0, MAX_MESSAGE + 1), Err("MESSAGE_TOO_LARGE")),
            (framed(1, 3), Err("COMPRESSION_UNSUPPORTED")),
            (framed(2, 3), Err("MALFORMED_MESSAGE")),
        ] {
            let found = length(&bytes).map_err(|fault| fault.reason());
            assert_eq!(found, expected, "{:?}", bytes.get(..PREFIX));
        }
    }
}
