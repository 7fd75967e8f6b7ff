//! A chain rolled up to its original order: what became of each line over all of its orders.

use std::collections::BTreeMap;

use super::{Line, Order, OrderId, State};
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;

/// What became of one original line. `ordered = received + cancelled + pending`.
#[derive(Clone, Debug)]
pub struct ChainLine {
    /// The line as it stands on the first order of the chain that has it.
    pub line: Line,
    /// Received over the chain.
    pub received: Quantity,
    /// The part of it whose order is completed.
    pub on_hand: Quantity,
    /// Given up over the chain.
    pub cancelled: Quantity,
    /// Still to come on the chain's last order.
    pub pending: Quantity,
    /// The first receipt over the chain.
    pub first_receive_time: Option<Timestamp>,
    /// The last.
    pub last_receive_time: Option<Timestamp>,
}

impl ChainLine {
    fn new(line: Line) -> Self {
        Self {
            line,
            received: Quantity::ZERO,
            on_hand: Quantity::ZERO,
            cancelled: Quantity::ZERO,
            pending: Quantity::ZERO,
            first_receive_time: None,
            last_receive_time: None,
        }
    }

    fn add(&mut self, line: &Line, completed: bool) {
        self.received += line.quantities.received;
        self.cancelled += line.quantities.cancelled;
        self.pending += line.quantities.pending;
        if completed {
            self.on_hand += line.quantities.received;
        }
        let times = [self.first_receive_time, line.first_receive_time];
        self.first_receive_time = times.into_iter().flatten().min();
        self.last_receive_time = self.last_receive_time.max(line.last_receive_time);
    }
}

/// Rolls lines of a chain's orders up, in line order. `orders` begins with the original.
pub fn roll_up(orders: &[Order], lines: Vec<Line>) -> Vec<ChainLine> {
    let place = |line: &Line| orders.iter().position(|order| order.key == line.key.order);
    let completed: BTreeMap<OrderId, bool> =
        orders.iter().map(|order| (order.key.order, order.state == State::Completed)).collect();
    let mut lines: Vec<Line> = lines;
    lines.sort_by_key(|line| (line.key.number, place(line)));
    let mut rolled: BTreeMap<i32, ChainLine> = BTreeMap::new();
    for line in lines {
        let is_completed = completed.get(&line.key.order.order).copied().unwrap_or(false);
        rolled.entry(line.key.number).or_insert_with(|| ChainLine::new(line.clone())).add(&line, is_completed);
    }
    rolled.into_values().collect()
}
