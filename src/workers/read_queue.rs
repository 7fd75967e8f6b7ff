//! The order in which reads are executed: fair between callers, and small reads never behind large ones.
//!
//! Reads wait in one of two classes. Within a class each caller has a queue of their own, and the callers are
//! served in turn: one who sends many reads waits behind their own, and nobody else does. The total is bounded,
//! and one caller may fill at most half of it. Only callers whose reads wait are remembered, so memory does not
//! grow with the number of callers.
//!
//! This module only orders; threads, locks and deadlines belong to [`super::readers`].

use std::collections::{BTreeMap, VecDeque};

use crate::domain::code::PrincipalId;

/// How many reads may wait, over both classes.
const MAX_WAITING: usize = 4_096;
/// How many reads of one caller may wait, over both classes.
const MAX_PER_CALLER: usize = MAX_WAITING / 2;

/// How much work a read is, as far as its request tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadClass {
    /// A few rows that are found by their keys.
    Small,
    /// Hundreds of rows or more, such as a page of a list.
    Large,
}

impl ReadClass {
    /// Its name in metrics and traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }
}

/// Which classes a reader thread serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReaderKind {
    /// Small reads only, so that there is always a thread that no large read occupies.
    SmallOnly,
    /// Both classes, in turn while both wait, so that neither starves.
    Any,
}

/// The waiting reads of one class.
#[derive(Debug)]
struct ClassQueue<R> {
    /// The reads of each caller, oldest first. The caller `None` is the service itself.
    by_caller: BTreeMap<Option<PrincipalId>, VecDeque<R>>,
    /// The callers with waiting reads in the order of their turns; each is in it once.
    rotation: VecDeque<Option<PrincipalId>>,
}

/// All waiting reads.
#[derive(Debug)]
pub(super) struct ReadQueue<R> {
    small: ClassQueue<R>,
    large: ClassQueue<R>,
    waiting: usize,
    /// Whether the last reader of kind [`ReaderKind::Any`] tried the large reads first; the next one tries the
    /// small ones first.
    tried_large_first: bool,
}

impl<R> Default for ClassQueue<R> {
    fn default() -> Self {
        Self { by_caller: BTreeMap::new(), rotation: VecDeque::new() }
    }
}

impl<R> ClassQueue<R> {
    fn push(&mut self, caller: Option<PrincipalId>, read: R) {
        let of_caller = self.by_caller.entry(caller.clone()).or_default();
        // Otherwise the caller is in the rotation already, and further reads give no further turns.
        if of_caller.is_empty() {
            self.rotation.push_back(caller);
        }
        of_caller.push_back(read);
    }

    /// Takes the oldest read of the caller whose turn it is. A caller with further reads goes to the end of the
    /// rotation.
    fn pop(&mut self) -> Option<R> {
        let caller = self.rotation.pop_front()?;
        let of_caller = self.by_caller.get_mut(&caller)?;
        let read = of_caller.pop_front();
        if of_caller.is_empty() {
            self.by_caller.remove(&caller);
        } else {
            self.rotation.push_back(caller);
        }
        read
    }

    fn waiting_of(&self, caller: &Option<PrincipalId>) -> usize {
        self.by_caller.get(caller).map_or(0, VecDeque::len)
    }

    /// Removes the reads for which `is_dead` is true.
    fn sweep(&mut self, is_dead: impl Fn(&R) -> bool) {
        self.by_caller.values_mut().for_each(|reads| reads.retain(|read| !is_dead(read)));
        self.by_caller.retain(|_, reads| !reads.is_empty());
        let by_caller = &self.by_caller;
        self.rotation.retain(|caller| by_caller.contains_key(caller));
    }

    fn len(&self) -> usize {
        self.by_caller.values().map(VecDeque::len).sum()
    }
}

impl<R> Default for ReadQueue<R> {
    fn default() -> Self {
        // The first read of both classes is a small one.
        Self { small: ClassQueue::default(), large: ClassQueue::default(), waiting: 0, tried_large_first: true }
    }
}

impl<R> ReadQueue<R> {
    /// All waiting reads, in no particular order.
    pub(super) fn into_reads(self) -> Vec<R> {
        let mut reads = Vec::with_capacity(self.waiting);
        for class in [self.small, self.large] {
            reads.extend(class.by_caller.into_values().flatten());
        }
        reads
    }

    /// How many reads of a class wait.
    pub(super) fn waiting(&self, class: ReadClass) -> usize {
        match class {
            ReadClass::Small => self.small.len(),
            ReadClass::Large => self.large.len(),
        }
    }

    /// Queues a read behind the others of its caller; gives it back if there is no room. Where room is short, the
    /// reads for which `is_dead` is true are removed first, so that calls which were given up keep no others out.
    pub(super) fn push(
        &mut self,
        caller: Option<PrincipalId>,
        class: ReadClass,
        read: R,
        is_dead: impl Fn(&R) -> bool,
    ) -> Result<(), R> {
        // Only now, because a sweep looks at every waiting read.
        if !self.has_room_for(&caller) {
            self.sweep(is_dead);
        }
        if !self.has_room_for(&caller) {
            return Err(read);
        }
        self.waiting += 1;
        match class {
            ReadClass::Small => self.small.push(caller, read),
            ReadClass::Large => self.large.push(caller, read),
        }
        Ok(())
    }

    /// Whether another read of a caller may wait. The service's own reads always may: there are few of them.
    fn has_room_for(&self, caller: &Option<PrincipalId>) -> bool {
        let of_caller = self.small.waiting_of(caller) + self.large.waiting_of(caller);
        caller.is_none() || (self.waiting < MAX_WAITING && of_caller < MAX_PER_CALLER)
    }

    fn sweep(&mut self, is_dead: impl Fn(&R) -> bool) {
        self.small.sweep(&is_dead);
        self.large.sweep(&is_dead);
        self.waiting = self.small.len() + self.large.len();
    }

    /// Takes the next read for a reader of this kind.
    pub(super) fn pop(&mut self, kind: ReaderKind) -> Option<R> {
        let read = match kind {
            ReaderKind::SmallOnly => self.small.pop(),
            ReaderKind::Any => self.pop_alternating(),
        };
        if read.is_some() {
            self.waiting -= 1;
        }
        read
    }

    fn pop_alternating(&mut self) -> Option<R> {
        self.tried_large_first = !self.tried_large_first;
        if self.tried_large_first {
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

    /// A queue with these reads: the caller, the class and the name of each.
    fn queue(reads: &[(&str, ReadClass, &'static str)]) -> ReadQueue<&'static str> {
        let mut queue = ReadQueue::default();
        for (name, class, read) in reads {
            queue.push(caller(name), *class, *read, |_| false).unwrap();
        }
        queue
    }

    fn all(queue: &mut ReadQueue<&'static str>, kind: ReaderKind) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop(kind)).collect()
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
        assert_eq!(all(&mut queue, ReaderKind::SmallOnly), ["a1", "b1", "c1", "a2", "a3"]);
    }

    #[test]
    fn a_reader_of_small_reads_leaves_the_large_ones() {
        let mut queue = queue(&[("a", Large, "A1"), ("a", Small, "a1"), ("b", Large, "B1")]);
        assert_eq!(all(&mut queue, ReaderKind::SmallOnly), ["a1"]);
        assert_eq!(all(&mut queue, ReaderKind::Any), ["A1", "B1"]);
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
        assert_eq!(all(&mut queue, ReaderKind::Any), ["b1", "A1", "b2", "C1", "A2", "A3"]);
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
        assert_eq!(queue.pop(ReaderKind::SmallOnly), Some(1), "the first that lives");
    }

    #[test]
    fn callers_without_waiting_reads_are_forgotten() {
        let mut queue = queue(&[("a", Small, "a1"), ("b", Large, "B1"), ("b", Large, "B2")]);
        all(&mut queue, ReaderKind::Any);
        assert!(queue.small.by_caller.is_empty() && queue.large.by_caller.is_empty());
        assert!(queue.small.rotation.is_empty() && queue.large.rotation.is_empty() && queue.waiting == 0);
    }
}
