//! The order in which reads run: fair between callers, and small reads never behind large ones.
//!
//! Reads wait in one of two classes. Within a class each caller has a list of their own, and the
//! callers take turns, so one who asks for a lot waits behind their own reads and nobody else does.
//! The queue is bounded, and one caller may fill at most half of it. It only orders; threads, locks
//! and deadlines belong to [`super::readers`]. Only callers whose reads wait are remembered.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::code::PrincipalId;

/// How many reads wait at most, over both classes.
const MAX_WAITING: usize = 4_096;
/// How many of them are one caller's at most.
const MAX_PER_CALLER: usize = MAX_WAITING / 2;

/// How much a read takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadClass {
    /// A few rows, found by keys.
    Small,
    /// Hundreds of rows or more.
    Large,
}

/// What a reader takes from the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Small reads alone, so that one is never kept waiting by large ones.
    Small,
    /// Both, in turn where both wait, so that neither starves.
    Both,
}

/// Reads of one class. `None` is the service itself, such as a health probe.
#[derive(Debug)]
struct Class<R> {
    by_caller: BTreeMap<Option<PrincipalId>, VecDeque<R>>,
    /// Those with reads waiting, the next one first.
    turns: VecDeque<Option<PrincipalId>>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct ReadQueue<R> {
    small: Class<R>,
    large: Class<R>,
    waiting: usize,
    /// Which class a reader of both takes from next.
    large_is_next: bool,
}

impl<R> Default for Class<R> {
    fn default() -> Self {
        Self { by_caller: BTreeMap::new(), turns: VecDeque::new() }
    }
}

impl<R> Class<R> {
    fn push(&mut self, caller: Option<PrincipalId>, read: R) {
        let of_caller = self.by_caller.entry(caller.clone()).or_default();
        if of_caller.is_empty() {
            self.turns.push_back(caller);
        }
        of_caller.push_back(read);
    }

    /// The oldest read of the caller whose turn it is; with more of them, their next turn is after
    /// all_grants else's.
    fn pop(&mut self) -> Option<R> {
        let caller = self.turns.pop_front()?;
        let of_caller = self.by_caller.get_mut(&caller)?;
        let read = of_caller.pop_front();
        if of_caller.is_empty() {
            self.by_caller.remove(&caller);
        } else {
            self.turns.push_back(caller);
        }
        read
    }

    fn of(&self, caller: &Option<PrincipalId>) -> usize {
        self.by_caller.get(caller).map_or(0, VecDeque::len)
    }

    /// Removes the reads that `is_dead`.
    fn sweep(&mut self, is_dead: impl Fn(&R) -> bool) {
        self.by_caller.values_mut().for_each(|reads| reads.retain(|read| !is_dead(read)));
        self.by_caller.retain(|_, reads| !reads.is_empty());
        let by_caller = &self.by_caller;
        self.turns.retain(|caller| by_caller.contains_key(caller));
    }

    fn len(&self) -> usize {
        self.by_caller.values().map(VecDeque::len).sum()
    }
}

impl<R> Default for ReadQueue<R> {
    fn default() -> Self {
        Self { small: Class::default(), large: Class::default(), waiting: 0, large_is_next: false }
    }
}

impl<R> ReadQueue<R> {
    /// All reads, in no order.
    pub(super) fn into_reads(self) -> Vec<R> {
        let classes = [self.small, self.large].into_iter();
        classes.flat_map(|class| class.by_caller.into_values().flatten()).collect()
    }

    /// Queues a read behind the others of its caller; gives it back if there is no room for it. Dead
    /// reads take no room from living ones.
    pub(super) fn push(
        &mut self,
        caller: Option<PrincipalId>,
        class: ReadClass,
        read: R,
        is_dead: impl Fn(&R) -> bool,
    ) -> Result<(), R> {
        if !self.has_room(&caller) {
            self.sweep(is_dead);
        }
        if !self.has_room(&caller) {
            return Err(read);
        }
        self.waiting += 1;
        match class {
            ReadClass::Small => self.small.push(caller, read),
            ReadClass::Large => self.large.push(caller, read),
        }
        Ok(())
    }

    /// The service's own reads always find room: there are few, and they tell whether it is well.
    fn has_room(&self, caller: &Option<PrincipalId>) -> bool {
        let of_caller = self.small.of(caller) + self.large.of(caller);
        caller.is_none() || (self.waiting < MAX_WAITING && of_caller < MAX_PER_CALLER)
    }

    fn sweep(&mut self, is_dead: impl Fn(&R) -> bool) {
        self.small.sweep(&is_dead);
        self.large.sweep(&is_dead);
        self.waiting = self.small.len() + self.large.len();
    }

    /// The next read for a reader that takes these.
    pub(super) fn pop(&mut self, takes: Takes) -> Option<R> {
        let read = match takes {
            Takes::Small => self.small.pop(),
            Takes::Both => self.pop_in_turn(),
        };
        self.waiting -= usize::from(read.is_some());
        read
    }

    fn pop_in_turn(&mut self) -> Option<R> {
        self.large_is_next = !self.large_is_next;
        if !self.large_is_next {
            self.large.pop().or_else(|| self.small.pop())
        } else {
            self.small.pop().or_else(|| self.large.pop())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReadClass::{Large, Small};
    use super::*;

    fn caller(name: &str) -> Option<PrincipalId> {
        Some(PrincipalId::new(name))
    }

    /// A queue with these reads, each by somebody, of a class, with a name.
    fn queue(reads: &[(&str, ReadClass, &'static str)]) -> ReadQueue<&'static str> {
        let mut queue = ReadQueue::default();
        for (name, class, read) in reads {
            queue.push(caller(name), *class, *read, |_| false).unwrap();
        }
        queue
    }

    fn all(queue: &mut ReadQueue<&'static str>, takes: Takes) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop(takes)).collect()
    }

    #[test]
    fn callers_take_turns_and_each_keeps_their_order() {
        let mut queue = queue(&[
            ("a", Small, "a1"),
            ("a", Small, "a2"),
            ("a", Small, "a3"),
            ("b", Small, "b1"),
            ("c", Small, "c1"),
        ]);
        assert_eq!(all(&mut queue, Takes::Small), ["a1", "b1", "c1", "a2", "a3"]);
    }

    #[test]
    fn a_reader_of_small_reads_leaves_the_large_ones() {
        let mut queue = queue(&[("a", Large, "A1"), ("a", Small, "a1"), ("b", Large, "B1")]);
        assert_eq!(all(&mut queue, Takes::Small), ["a1"]);
        assert_eq!(all(&mut queue, Takes::Both), ["A1", "B1"]);
    }

    #[test]
    fn a_reader_of_both_takes_from_them_in_turn() {
        let mut queue = queue(&[
            ("a", Large, "A1"),
            ("a", Large, "A2"),
            ("a", Large, "A3"),
            ("b", Small, "b1"),
            ("b", Small, "b2"),
            ("c", Large, "C1"),
        ]);
        assert_eq!(all(&mut queue, Takes::Both), ["b1", "A1", "b2", "C1", "A2", "A3"]);
    }

    #[test]
    fn one_caller_fills_at_most_half_of_it() {
        let mut queue = ReadQueue::default();
        let mut push = |name: &str, class| queue.push(caller(name), class, (), |()| false).is_ok();
        for class in [Small, Large].into_iter().cycle().take(MAX_PER_CALLER) {
            assert!(push("a", class));
        }
        assert!(!push("a", Small) && !push("a", Large), "both classes count");
        for _ in 0..MAX_WAITING - MAX_PER_CALLER {
            assert!(push("b", Small));
        }
        assert!(!push("c", Small), "it is full");
        assert!(queue.push(None, Small, (), |()| false).is_ok(), "the service's own reads find room");
    }

    #[test]
    fn dead_reads_take_no_room() {
        let mut queue = ReadQueue::default();
        for n in 0..MAX_PER_CALLER {
            queue.push(caller("a"), Small, n, |_| false).unwrap();
        }
        assert_eq!(queue.push(caller("a"), Small, 1, |_| false), Err(1));
        assert_eq!(queue.push(caller("a"), Small, 1, |read| read % 2 == 0), Ok(()));
        assert_eq!(queue.waiting, MAX_PER_CALLER / 2 + 1);
        assert_eq!(queue.pop(Takes::Small), Some(1), "the first that lives");
    }

    #[test]
    fn nobody_is_remembered_whose_reads_are_done() {
        let mut queue = queue(&[("a", Small, "a1"), ("b", Large, "B1"), ("b", Large, "B2")]);
        all(&mut queue, Takes::Both);
        assert!(queue.small.by_caller.is_empty() && queue.large.by_caller.is_empty());
        assert!(queue.small.turns.is_empty() && queue.large.turns.is_empty() && queue.waiting == 0);
    }
}
