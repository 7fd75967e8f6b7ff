//! What is wrong with a call before its message reaches a rule: its method, its encoding, its size; and why a
//! stream ends.

use crate::rpc::MAX_MESSAGE;

/// A call that does not fit the contract or the bounds of the transport, or a stream that ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportFault {
    /// No rpc has this path.
    #[error("there is no such method; reflection describes the contract")]
    MethodUnknown,
    /// The health of a service was asked for that this program does not have.
    #[error("there is no such service; reflection describes the contract")]
    ServiceUnknown,
    /// Reflection was asked for a file, symbol or extension that the contract does not have.
    #[error("the contract has no such file, symbol or extension")]
    SymbolUnknown,
    /// A stream reached the longest time that one may last.
    #[error("the longest time of a watch has passed; watch again")]
    WatchEnded,
    /// The service is stopping, and with it every stream.
    #[error("this instance is stopping; watch again at another one")]
    Stopping,
    /// The request cannot be decoded as a message of its type.
    #[error("the request cannot be decoded as its message: its bytes are broken or belong to another contract")]
    MalformedMessage,
    /// The request is compressed. Its size could not be bounded before it is decompressed.
    #[error("compressed messages are not supported; send the message uncompressed")]
    CompressionUnsupported,
    /// The request is larger than [`MAX_MESSAGE`].
    #[error("the message is too large; at most {} MiB are allowed", MAX_MESSAGE / (1024 * 1024))]
    MessageTooLarge,
    /// The request's metadata is larger than this many bytes.
    #[error("the metadata is too large; at most {0} bytes are allowed")]
    MetadataTooLarge(usize),
}

impl TransportFault {
    /// The stable reason that callers may branch on.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::MethodUnknown => "METHOD_UNKNOWN",
            Self::ServiceUnknown => "SERVICE_UNKNOWN",
            Self::SymbolUnknown => "SYMBOL_UNKNOWN",
            Self::WatchEnded => "WATCH_ENDED",
            Self::Stopping => "STOPPING",
            Self::MalformedMessage => "MALFORMED_MESSAGE",
            Self::CompressionUnsupported => "COMPRESSION_UNSUPPORTED",
            Self::MessageTooLarge => "MESSAGE_TOO_LARGE",
            Self::MetadataTooLarge(_) => "METADATA_TOO_LARGE",
        }
    }
}
