//! Admission control: how many connections and calls there are, and how many bytes their messages take; in
//! total and by peer, so that no peer can take what the others need.
//!
//! What was admitted is represented by a permit, and dropping the permit gives it back. So usage is always the
//! sum of the permits that exist, and nothing that a peer does can leave it too high or too low.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counters::{ConnectionRefusal, TransportCounters};

/// Which budget a call is counted against. Each class has its own, and no call ever takes from the budget of
/// another class: however many watches and public calls there are, ordinary calls keep all of theirs, and
/// health can be checked while every watch is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallClass {
    /// Unary calls of callers whose credentials were accepted.
    Ordinary,
    /// Unary calls that need no credentials, such as a health check.
    Public,
    /// Streams that last for as long as the service allows, with credentials or without.
    Watch,
    /// Streams of events, of callers whose credentials were accepted.
    EventWatch,
}

impl CallClass {
    /// Every class, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::Ordinary, Self::Public, Self::Watch, Self::EventWatch];

    /// The name as metrics show it. It must not change: dashboards and alerts refer to it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Public => "public",
            Self::Watch => "watch",
            Self::EventWatch => "event_watch",
        }
    }
}

/// The limits of one class of calls, over all peers and for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most calls that may run at once, over all peers.
    pub calls: usize,
    /// The most calls of one peer that may run at once.
    pub calls_per_peer: usize,
    /// The most bytes of requests and responses, over all peers. What a call has read and written counts until
    /// the call ends; what a watch has sent after its first frame, until it has sent two frames more.
    pub bytes: usize,
    /// The most bytes of requests and responses of one peer.
    pub bytes_per_peer: usize,
}

impl Budget {
    fn allows(&self, total: CallUsage, of_peer: CallUsage) -> bool {
        total.calls <= self.calls
            && of_peer.calls <= self.calls_per_peer
            && total.bytes <= self.bytes
            && of_peer.bytes <= self.bytes_per_peer
    }
}

/// The configured limits. Of ordinary calls and their bytes one peer gets half, so that no peer alone can use
/// them up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most connections that may be open, over all peers.
    pub connections: usize,
    /// The most connections that one peer may have open.
    pub connections_per_peer: usize,
    /// The most ordinary calls that may run at once, over all peers.
    pub calls: usize,
    /// The most bytes of ordinary requests and responses, over all peers.
    pub bytes: usize,
    /// The budget of public calls. Each is answered at once, so few of them run at the same time; by default
    /// there is room for more peers than could connect if each used all of its connections.
    pub public: Budget,
    /// The budget of watches of health and reflection, which are held for minutes.
    pub watches: Budget,
    /// The budget of watches of events. Of the bytes that these send, each holds those of its last two messages.
    pub event_watches: Budget,
}

impl Default for Limits {
    fn default() -> Self {
        let mib = 1024 * 1024;
        Self {
            connections: 1_000,
            connections_per_peer: 100,
            calls: 4_096,
            bytes: 64 * mib,
            public: Budget { calls: 512, calls_per_peer: 32, bytes: 4 * mib, bytes_per_peer: mib / 4 },
            watches: Budget { calls: 256, calls_per_peer: 32, bytes: 16 * mib, bytes_per_peer: 4 * mib },
            event_watches: Budget { calls: 512, calls_per_peer: 128, bytes: 64 * mib, bytes_per_peer: 32 * mib },
        }
    }
}

impl Limits {
    fn budget(&self, class: CallClass) -> Budget {
        match class {
            CallClass::Ordinary => Budget {
                calls: self.calls,
                // Rounded up: with a limit of one call, half of it rounded down would allow none.
                calls_per_peer: self.calls.div_ceil(2),
                bytes: self.bytes,
                bytes_per_peer: self.bytes / 2,
            },
            CallClass::Public => self.public,
            CallClass::Watch => self.watches,
            CallClass::EventWatch => self.event_watches,
        }
    }

    /// Whether this usage is within every limit.
    fn allow(&self, total: Usage, of_peer: Usage) -> bool {
        if total.connections > self.connections || of_peer.connections > self.connections_per_peer {
            return false;
        }
        CallClass::ALL.into_iter().all(|class| self.budget(class).allows(total.of(class), of_peer.of(class)))
    }
}

/// What the calls of one class use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallUsage {
    /// How many run.
    pub calls: usize,
    /// How many bytes of their messages are charged to them.
    pub bytes: usize,
}

/// What is used: by all peers, by one, or by a single permit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    connections: usize,
    /// Indexed by [`CallClass`], in the order of its variants.
    by_class: [CallUsage; 4],
}

impl Usage {
    fn of_connection() -> Self {
        Self { connections: 1, ..Self::default() }
    }

    fn of_call(class: CallClass, calls: usize, bytes: usize) -> Self {
        let mut usage = Self::default();
        usage.by_class[class as usize] = CallUsage { calls, bytes };
        usage
    }

    fn of(&self, class: CallClass) -> CallUsage {
        self.by_class[class as usize]
    }

    fn plus(mut self, other: Self) -> Self {
        self.connections += other.connections;
        for (mine, others) in self.by_class.iter_mut().zip(other.by_class) {
            mine.calls += others.calls;
            mine.bytes += others.bytes;
        }
        self
    }

    fn minus(mut self, other: Self) -> Self {
        // Only what was added before is taken away, so nothing falls below zero.
        self.connections -= other.connections;
        for (mine, others) in self.by_class.iter_mut().zip(other.by_class) {
            mine.calls -= others.calls;
            mine.bytes -= others.bytes;
        }
        self
    }
}

#[derive(Debug, Default)]
struct LimiterState {
    total: Usage,
    /// Only peers that use something are in it, so that it does not grow with the number of addresses seen.
    by_peer: HashMap<IpAddr, Usage>,
}

/// Admits connections, calls and bytes as long as the limits allow them. One limiter is shared by all
/// connections of a server; its lock is held for a few additions only.
#[derive(Debug)]
pub struct ResourceLimiter {
    limits: Limits,
    state: Mutex<LimiterState>,
    counters: TransportCounters,
}

impl ResourceLimiter {
    /// A limiter of which nothing is used yet.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default(), counters: TransportCounters::default() })
    }

    /// Admits a connection from this address; `None` if a limit is reached.
    pub fn connection(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionPermit> {
        let reservation = Reservation::new(self, peer_of(address), Usage::of_connection());
        if reservation.is_none() {
            // Another connection may have ended since; then it counts as one too many of its peer.
            let is_full = self.open_connections() >= self.limits.connections;
            self.counters.refused.count(if is_full { ConnectionRefusal::Limit } else { ConnectionRefusal::PeerLimit });
        }
        reservation.map(ConnectionPermit)
    }

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        self.state().total.connections
    }

    /// What the calls of a class use.
    pub fn calls_of(&self, class: CallClass) -> CallUsage {
        self.state().total.of(class)
    }

    /// The limits that it holds connections and calls to.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What became of connections and requests so far.
    pub fn counters(&self) -> &TransportCounters {
        &self.counters
    }

    /// Adds to the usage of a peer unless that exceeds a limit; returns whether it was added.
    fn try_add(&self, peer: IpAddr, added: Usage) -> bool {
        // Checked and added under one lock: else two threads could both use what is left for one.
        let mut state = self.state();
        let total = state.total.plus(added);
        let of_peer = state.by_peer.get(&peer).copied().unwrap_or_default().plus(added);
        if !self.limits.allow(total, of_peer) {
            return false;
        }
        state.total = total;
        state.by_peer.insert(peer, of_peer);
        true
    }

    fn remove(&self, peer: IpAddr, removed: Usage) {
        let mut state = self.state();
        state.total = state.total.minus(removed);
        let of_peer = state.by_peer.get(&peer).copied().unwrap_or_default().minus(removed);
        if of_peer == Usage::default() {
            state.by_peer.remove(&peer);
        } else {
            state.by_peer.insert(peer, of_peer);
        }
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        // Each change is written as a whole after it was computed, so a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Usage of one peer that was admitted, and is given back when this is dropped.
#[derive(Debug)]
struct Reservation {
    limiter: Arc<ResourceLimiter>,
    peer: IpAddr,
    usage: Usage,
}

impl Reservation {
    fn new(limiter: &Arc<ResourceLimiter>, peer: IpAddr, usage: Usage) -> Option<Self> {
        if !limiter.try_add(peer, usage) {
            return None;
        }
        Some(Self { limiter: Arc::clone(limiter), peer, usage })
    }

    /// Gives a part of it back.
    fn reduce(&mut self, removed: Usage) {
        self.limiter.remove(self.peer, removed);
        self.usage = self.usage.minus(removed);
    }

    /// Adds to it; returns `false`, and leaves it as it is, if that exceeds a limit.
    fn extend(&mut self, added: Usage) -> bool {
        if !self.limiter.try_add(self.peer, added) {
            return false;
        }
        self.usage = self.usage.plus(added);
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.limiter.remove(self.peer, self.usage);
    }
}

/// The right to keep a connection open. It must live as long as the connection does.
#[derive(Debug)]
pub struct ConnectionPermit(Reservation);

impl ConnectionPermit {
    /// Admits a call on this connection; `None` if the budget of its class is used up, in total or for this
    /// peer.
    pub fn call(&self, class: CallClass) -> Option<CallPermit> {
        let usage = Usage::of_call(class, 1, 0);
        let reservation = Reservation::new(&self.0.limiter, self.0.peer, usage)?;
        Some(CallPermit { class, reservation })
    }
}

/// The right to run a call and to hold its bytes. It must live until both the request and the response are
/// done with.
#[derive(Debug)]
pub struct CallPermit {
    class: CallClass,
    reservation: Reservation,
}

impl CallPermit {
    /// Admits that many more bytes of this call; returns `false` if they exceed a limit. They are counted until
    /// the call ends, although some of them may have been freed before, or until they are given back.
    pub fn grow(&mut self, bytes: usize) -> bool {
        self.reservation.extend(Usage::of_call(self.class, 0, bytes))
    }

    /// Gives back bytes of this call that were admitted and are not held any more.
    pub fn shrink(&mut self, bytes: usize) {
        self.reservation.reduce(Usage::of_call(self.class, 0, bytes));
    }
}

/// Which peer an address belongs to. A host with IPv6 usually has a network of 64 bits to choose addresses
/// from, so all addresses of such a network count as one peer.
fn peer_of(address: IpAddr) -> IpAddr {
    // A listener on IPv6 sees IPv4 addresses mapped into it; both forms are the same peer.
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A limiter with room for one more connection and call in total than a peer may have.
    fn limiter() -> Arc<ResourceLimiter> {
        let small = Budget { calls: 3, calls_per_peer: 2, bytes: 30, bytes_per_peer: 20 };
        ResourceLimiter::new(Limits {
            connections: 3,
            connections_per_peer: 2,
            calls: 4,
            bytes: 100,
            public: small,
            watches: small,
            event_watches: small,
        })
    }

    #[test]
    fn a_peer_gets_no_more_connections_than_its_limit_while_others_connect() {
        let limiter = limiter();
        let first = limiter.connection(address("192.0.2.1"));
        let _second = limiter.connection(address("192.0.2.1")).unwrap();
        assert!(limiter.connection(address("192.0.2.1")).is_none(), "the limit of this peer");
        let _other = limiter.connection(address("192.0.2.2")).expect("the limit of another peer is its own");
        drop(first);
        assert!(limiter.connection(address("192.0.2.1")).is_some(), "a closed connection does not count");
    }

    #[test]
    fn all_peers_together_get_no_more_connections_than_the_total() {
        let limiter = limiter();
        let mut open: Vec<_> = (1..=3).map(|n| limiter.connection(address(&format!("192.0.2.{n}"))).unwrap()).collect();
        assert!(limiter.connection(address("192.0.2.4")).is_none());
        open.pop();
        assert!(limiter.connection(address("192.0.2.4")).is_some());
    }

    #[test]
    fn one_peer_gets_half_of_the_calls_and_bytes() {
        let limiter = limiter();
        let connection = limiter.connection(address("192.0.2.1")).unwrap();
        let mut call = connection.call(CallClass::Ordinary).unwrap();
        let second = connection.call(CallClass::Ordinary);
        assert!(second.is_some() && connection.call(CallClass::Ordinary).is_none());
        assert!(call.grow(50) && !call.grow(1));
        drop(second);
        assert!(connection.call(CallClass::Ordinary).is_some());
        drop(call);
        drop(connection);
        assert_eq!(limiter.state().total, Usage::default());
        assert!(limiter.state().by_peer.is_empty(), "a peer that uses nothing is forgotten");
    }

    #[test]
    fn several_connections_of_a_peer_share_its_limits() {
        let limiter = limiter();
        let connections = [(); 2].map(|()| limiter.connection(address("192.0.2.1")).unwrap());
        let mut calls = connections.each_ref().map(|connection| connection.call(CallClass::Public).unwrap());
        assert!(connections[0].call(CallClass::Public).is_none());
        assert!(calls[0].grow(15) && !calls[1].grow(6) && calls[1].grow(5));
    }

    #[test]
    fn bytes_that_were_refused_are_not_counted() {
        let limiter = limiter();
        let connection = limiter.connection(address("192.0.2.1")).unwrap();
        let mut call = connection.call(CallClass::Public).unwrap();
        assert!(!call.grow(21) && call.grow(20));
        drop(call);
        assert_eq!(limiter.state().total, Usage::of_connection());
    }

    #[test]
    fn bytes_that_were_given_back_may_be_used_again_and_are_returned_once() {
        let limiter = limiter();
        let connection = limiter.connection(address("192.0.2.1")).unwrap();
        let mut call = connection.call(CallClass::EventWatch).unwrap();
        assert!(call.grow(12) && !call.grow(12));
        call.shrink(10);
        assert!(call.grow(12) && !call.grow(7));
        drop(call);
        assert_eq!(limiter.state().total, Usage::of_connection());
    }

    #[test]
    fn no_class_uses_the_budget_of_another() {
        let limiter = limiter();
        let peers = ["192.0.2.1", "192.0.2.2"].map(|peer| limiter.connection(address(peer)).unwrap());
        let mut permits = Vec::new();
        for (class, most) in
            [(CallClass::Watch, 3), (CallClass::EventWatch, 3), (CallClass::Public, 3), (CallClass::Ordinary, 4)]
        {
            let before = permits.len();
            for _ in 0..10 {
                permits.extend(peers.iter().filter_map(|peer| peer.call(class)));
            }
            assert_eq!(permits.len() - before, most, "{class:?}");
        }
        for permit in &mut permits {
            while permit.grow(1) {}
        }
        for (class, most) in
            [(CallClass::Watch, 30), (CallClass::EventWatch, 30), (CallClass::Public, 30), (CallClass::Ordinary, 100)]
        {
            assert_eq!(limiter.state().total.of(class).bytes, most, "{class:?}");
        }
        drop((permits, peers));
        assert_eq!(limiter.state().total, Usage::default());
    }

    #[test]
    fn addresses_of_one_network_are_one_peer() {
        assert_eq!(peer_of(address("2001:db8::1")), peer_of(address("2001:db8::ffff:1")));
        assert_ne!(peer_of(address("2001:db8::1")), peer_of(address("2001:db8:0:1::1")));
        assert_eq!(peer_of(address("::ffff:192.0.2.1")), peer_of(address("192.0.2.1")));
    }
}
