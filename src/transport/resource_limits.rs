//! How much is in the house at once: connections, calls, and the bytes of their messages; in all, and
//! of each peer, so that no peer can take what the others need.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a call counts as. Each class has a budget of its own, and no call ever takes from another
/// class's: however many watches and public calls there are, ordinary calls keep all of their room, and
/// health can be asked while all watches are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Calls of callers whose credentials hold, answered once.
    Ordinary,
    /// Calls that take no credentials, answered once.
    Public,
    /// Calls that go on for as long as they are allowed to, with credentials or without.
    Watch,
}

/// What there is room for, in one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Calls in all.
    pub calls: usize,
    /// Calls of one peer.
    pub calls_per_peer: usize,
    /// Bytes of requests and answers in all. What a call has read and said counts until it ends.
    pub bytes: usize,
    /// Bytes of one peer.
    pub bytes_per_peer: usize,
}

/// What there is room for. Of ordinary calls and their bytes, one peer gets at most half.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one peer.
    pub connections_per_peer: usize,
    /// Ordinary calls in all.
    pub calls: usize,
    /// Bytes of ordinary requests and answers in all.
    pub bytes: usize,
    /// Public calls. They are answered at once, so that few of them are ever there together; in all
    /// there is room for more peers than could connect if each took its share of connections.
    pub public: Budget,
    /// Watches.
    pub watches: Budget,
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
        }
    }
}

impl Limits {
    fn of(&self, class: Class) -> Budget {
        match class {
            Class::Ordinary => Budget {
                calls: self.calls,
                calls_per_peer: self.calls.div_ceil(2),
                bytes: self.bytes,
                bytes_per_peer: self.bytes / 2,
            },
            Class::Public => self.public,
            Class::Watch => self.watches,
        }
    }
}

/// What the calls of one class take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Used {
    calls: usize,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    connections: usize,
    /// By [`Class`].
    used: [Used; 3],
}

impl Usage {
    fn of_call(class: Class, used: Used) -> Self {
        let mut load = Self::default();
        load.used[class as usize] = used;
        load
    }

    fn of(&self, class: Class) -> Used {
        self.used[class as usize]
    }

    fn add(&mut self, other: Self) {
        self.connections += other.connections;
        for (mine, others) in self.used.iter_mut().zip(other.used) {
            mine.calls += others.calls;
            mine.bytes += others.bytes;
        }
    }

    fn remove(&mut self, other: Self) {
        self.connections -= other.connections;
        for (mine, others) in self.used.iter_mut().zip(other.used) {
            mine.calls -= others.calls;
            mine.bytes -= others.bytes;
        }
    }
}

#[derive(Debug, Default)]
struct LimiterState {
    total: Usage,
    by_peer: HashMap<IpAddr, Usage>,
}

/// See the module.
#[derive(Debug)]
pub struct ResourceLimiter {
    limits: Limits,
    state: Mutex<LimiterState>,
}

impl ResourceLimiter {
    /// An empty house.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Lets a connection in; `None` if there is no room for it.
    pub fn connection(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionPermit> {
        let limits = self.limits;
        let fits = |total: Usage, of_peer: Usage| {
            total.connections < limits.connections && of_peer.connections < limits.connections_per_peer
        };
        self.enter(peer_of(address), Usage { connections: 1, ..Usage::default() }, fits)
    }

    fn enter(
        self: &Arc<Self>,
        peer: IpAddr,
        load: Usage,
        fits: impl Fn(Usage, Usage) -> bool,
    ) -> Option<ConnectionPermit> {
        let mut state = self.state();
        let of_peer = state.by_peer.get(&peer).copied().unwrap_or_default();
        if !fits(state.total, of_peer) {
            return None;
        }
        state.total.add(load);
        state.by_peer.entry(peer).or_default().add(load);
        Some(ConnectionPermit { resource_limits: Arc::clone(self), peer, load })
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room that somebody has; given back when it is dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    resource_limits: Arc<ResourceLimiter>,
    peer: IpAddr,
    load: Usage,
}

impl ConnectionPermit {
    /// Room for a call of the same peer; `None` if there is none in its class.
    pub fn call(&self, class: Class) -> Option<CallPermit> {
        let budget = self.resource_limits.limits.of(class);
        let fits = |total: Usage, of_peer: Usage| {
            total.of(class).calls < budget.calls && of_peer.of(class).calls < budget.calls_per_peer
        };
        let load = Usage::of_call(class, Used { calls: 1, bytes: 0 });
        let permit = self.resource_limits.enter(self.peer, load, fits)?;
        Some(CallPermit { class, permit })
    }
}

/// Room that a call has; given back when it is dropped.
#[derive(Debug)]
pub struct CallPermit {
    class: Class,
    permit: ConnectionPermit,
}

impl CallPermit {
    /// Takes room for more bytes; `false` if there is none.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let (class, resource_limits) = (self.class, &self.permit.resource_limits);
        let budget = resource_limits.limits.of(class);
        let fits = |total: Usage, of_peer: Usage| {
            total.of(class).bytes + bytes <= budget.bytes && of_peer.of(class).bytes + bytes <= budget.bytes_per_peer
        };
        let load = Usage::of_call(class, Used { calls: 0, bytes });
        let Some(mut more) = resource_limits.enter(self.permit.peer, load, fits) else { return false };
        self.permit.load.add(std::mem::take(&mut more.load));
        true
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        if self.load == Usage::default() {
            return;
        }
        let mut state = self.resource_limits.state();
        state.total.remove(self.load);
        if let Some(of_peer) = state.by_peer.get_mut(&self.peer) {
            of_peer.remove(self.load);
            if *of_peer == Usage::default() {
                state.by_peer.remove(&self.peer);
            }
        }
    }
}

/// Who an address is: with IPv6 one peer has a network of 64 bits to choose from.
fn peer_of(address: IpAddr) -> IpAddr {
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

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn resource_limits() -> Arc<ResourceLimiter> {
        let small = Budget { calls: 3, calls_per_peer: 2, bytes: 30, bytes_per_peer: 20 };
        ResourceLimiter::new(Limits {
            connections: 3,
            connections_per_peer: 2,
            calls: 4,
            bytes: 100,
            public: small,
            watches: small,
        })
    }

    #[test]
    fn connections_are_bounded_in_all_and_by_peer() {
        let house = resource_limits();
        let first = house.connection(HERE);
        let _second = house.connection(HERE).unwrap();
        assert!(house.connection(HERE).is_none());
        let _other = house.connection("192.0.2.1".parse().unwrap()).unwrap();
        assert!(house.connection("192.0.2.2".parse().unwrap()).is_none());
        drop(first);
        assert!(house.connection("192.0.2.2".parse().unwrap()).is_some());
    }

    #[test]
    fn one_peer_gets_half_of_the_calls_and_bytes() {
        let house = resource_limits();
        let connection = house.connection(HERE).unwrap();
        let mut call = connection.call(Class::Ordinary).unwrap();
        let second = connection.call(Class::Ordinary);
        assert!(second.is_some() && connection.call(Class::Ordinary).is_none());
        assert!(call.grow(50) && !call.grow(1));
        drop(second);
        assert!(connection.call(Class::Ordinary).is_some());
        drop(call);
        drop(connection);
        assert_eq!(house.state().total, Usage::default());
        assert!(house.state().by_peer.is_empty());
    }

    #[test]
    fn no_class_takes_the_room_of_another() {
        let house = resource_limits();
        let peers = ["192.0.2.1", "192.0.2.2"].map(|peer| house.connection(peer.parse().unwrap()).unwrap());
        let classes = [Class::Watch, Class::Public, Class::Ordinary];
        let mut permit = Vec::new();
        for (class, most) in classes.into_iter().zip([3, 3, 4]) {
            let before = permit.len();
            for _ in 0..10 {
                permit.extend(peers.iter().filter_map(|peer| peer.call(class)));
            }
            assert_eq!(permit.len() - before, most, "{class:?}");
        }
        for call in &mut permit {
            while call.grow(1) {}
        }
        assert_eq!(classes.map(|class| house.state().total.of(class).bytes), [30, 30, 100]);
        drop((permit, peers));
        assert_eq!(house.state().total, Usage::default());
    }

    #[test]
    fn addresses_of_one_network_are_one_peer() {
        assert_eq!(peer_of("2001:db8::1".parse().unwrap()), peer_of("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(peer_of("2001:db8::1".parse().unwrap()), peer_of("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(peer_of("::ffff:192.0.2.1".parse().unwrap()), peer_of("192.0.2.1".parse().unwrap()));
    }
}
