//! How much is in the house at once: connections, calls, and the bytes of their messages; in all, and
//! of each peer, so that no peer can take what the others need.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What there is room for. Of calls and bytes, one peer gets at most half.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one peer.
    pub connections_per_peer: usize,
    /// Calls in all.
    pub calls: usize,
    /// Bytes of requests and answers in all.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1_000, connections_per_peer: 100, calls: 4_096, bytes: 64 * 1024 * 1024 }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    connections: usize,
    calls: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.calls += other.calls;
        self.bytes += other.bytes;
    }

    fn remove(&mut self, other: Self) {
        self.connections -= other.connections;
        self.calls -= other.calls;
        self.bytes -= other.bytes;
    }
}

#[derive(Debug, Default)]
struct State {
    total: Load,
    by_peer: HashMap<IpAddr, Load>,
}

/// See the module.
#[derive(Debug)]
pub struct Occupancy {
    limits: Limits,
    state: Mutex<State>,
}

impl Occupancy {
    /// An empty house.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Lets a connection in; `None` if there is no room for it.
    pub fn connection(self: &Arc<Self>, address: IpAddr) -> Option<Held> {
        let limits = self.limits;
        let fits = |total: Load, of_peer: Load| {
            total.connections < limits.connections && of_peer.connections < limits.connections_per_peer
        };
        self.enter(peer_of(address), Load { connections: 1, ..Load::default() }, fits)
    }

    fn enter(self: &Arc<Self>, peer: IpAddr, load: Load, fits: impl Fn(Load, Load) -> bool) -> Option<Held> {
        let mut state = self.state();
        let of_peer = state.by_peer.get(&peer).copied().unwrap_or_default();
        if !fits(state.total, of_peer) {
            return None;
        }
        state.total.add(load);
        state.by_peer.entry(peer).or_default().add(load);
        Some(Held { occupancy: Arc::clone(self), peer, load })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room that somebody has; given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    occupancy: Arc<Occupancy>,
    peer: IpAddr,
    load: Load,
}

impl Held {
    /// Room for a call of the same peer; `None` if there is none.
    pub fn call(&self) -> Option<Self> {
        let most = self.occupancy.limits.calls;
        let fits = |total: Load, of_peer: Load| total.calls < most && of_peer.calls < most.div_ceil(2);
        self.occupancy.enter(self.peer, Load { calls: 1, ..Load::default() }, fits)
    }

    /// Takes room for more bytes; `false` if there is none.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let most = self.occupancy.limits.bytes;
        let fits = |total: Load, of_peer: Load| total.bytes + bytes <= most && of_peer.bytes + bytes <= most / 2;
        let more = self.occupancy.enter(self.peer, Load { bytes, ..Load::default() }, fits);
        let Some(mut more) = more else { return false };
        self.load.add(std::mem::take(&mut more.load));
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.load == Load::default() {
            return;
        }
        let mut state = self.occupancy.state();
        state.total.remove(self.load);
        if let Some(of_peer) = state.by_peer.get_mut(&self.peer) {
            of_peer.remove(self.load);
            if *of_peer == Load::default() {
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

    fn occupancy() -> Arc<Occupancy> {
        Occupancy::new(Limits { connections: 3, connections_per_peer: 2, calls: 4, bytes: 100 })
    }

    #[test]
    fn connections_are_bounded_in_all_and_by_peer() {
        let house = occupancy();
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
        let house = occupancy();
        let connection = house.connection(HERE).unwrap();
        let mut call = connection.call().unwrap();
        let second = connection.call();
        assert!(second.is_some() && connection.call().is_none());
        assert!(call.grow(50) && !call.grow(1));
        drop(second);
        assert!(connection.call().is_some());
        drop(call);
        drop(connection);
        assert_eq!(house.state().total, Load::default());
        assert!(house.state().by_peer.is_empty());
    }

    #[test]
    fn addresses_of_one_network_are_one_peer() {
        assert_eq!(peer_of("2001:db8::1".parse().unwrap()), peer_of("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(peer_of("2001:db8::1".parse().unwrap()), peer_of("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(peer_of("::ffff:192.0.2.1".parse().unwrap()), peer_of("192.0.2.1".parse().unwrap()));
    }
}
