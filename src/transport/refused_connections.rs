//! Counts the connections that were closed before any call on them was served, by the reason.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection was closed before any call was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionRefusal {
    /// As many connections were open as may be.
    Limit,
    /// Its peer had as many connections as it may have.
    PeerLimit,
    /// Its TLS or HTTP/2 handshake failed, or took too long.
    Handshake,
}

impl ConnectionRefusal {
    /// Every reason, in the order of the enum: a reason's place in this list is its index in the counters.
    pub const ALL: [Self; 3] = [Self::Limit, Self::PeerLimit, Self::Handshake];

    /// The name as metrics show it. It must not change: dashboards and alerts refer to it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::PeerLimit => "peer_limit",
            Self::Handshake => "handshake",
        }
    }
}

/// The counters of all reasons.
#[derive(Debug, Default)]
pub struct RefusedConnections([AtomicU64; ConnectionRefusal::ALL.len()]);

impl RefusedConnections {
    pub(super) fn count(&self, refusal: ConnectionRefusal) {
        self.0[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections were refused for this reason so far.
    pub fn of(&self, refusal: ConnectionRefusal) -> u64 {
        self.0[refusal as usize].load(Ordering::Relaxed)
    }
}
