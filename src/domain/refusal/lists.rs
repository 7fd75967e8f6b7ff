//! What a refusal names: the first of many things, and how many there are.

use std::fmt;

use super::Refusal;

/// How many orders, lines or products a refusal names at most; it always has their total too, so that
/// messages stay small and callers still know how much is wrong.
pub const MAX_NAMED: usize = 20;

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field's path in the request, such as `lines[3].quantity`.
    pub field: String,
    /// What is wrong with it, as the rest of a sentence that begins with the field.
    pub rule: String,
}

/// The first [`MAX_NAMED`] of several things, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruncatedList<T> {
    /// The first of them, at most [`MAX_NAMED`].
    pub first: Vec<T>,
    /// How many there are in all.
    pub total: usize,
}

/// The violations of one request. Beyond the first [`MAX_NAMED`] they are counted and not collected, so
/// that a request with a million violations costs no more memory than one with twenty.
pub type Violations = TruncatedList<Violation>;

impl Violations {
    /// Violations with one entry, for a rule that stands alone.
    pub fn one(field: impl fmt::Display, rule: impl fmt::Display) -> Self {
        let mut violations = Self::default();
        violations.add(field, rule);
        violations
    }

    /// Counts a violation. Its texts are made only if it is one of those that are named: hand in
    /// `format_args!`, not `format!`.
    pub fn add(&mut self, field: impl fmt::Display, rule: impl fmt::Display) {
        self.total += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(Violation { field: field.to_string(), rule: rule.to_string() });
        }
    }

    /// `Ok` if there are none; otherwise the refusal that `refusal` makes of them.
    pub fn or_refuse(self, refusal: fn(Self) -> Refusal) -> Result<(), Refusal> {
        if self.total == 0 { Ok(()) } else { Err(refusal(self)) }
    }
}

impl<T> Default for TruncatedList<T> {
    fn default() -> Self {
        Self { first: Vec::new(), total: 0 }
    }
}

impl<T> TruncatedList<T> {
    /// Keeps the first [`MAX_NAMED`] of `all` and counts the others.
    pub fn of(mut all: Vec<T>) -> Self {
        let total = all.len();
        all.truncate(MAX_NAMED);
        Self { first: all, total }
    }

    /// Keeps the first of `all`, or `None` if `all` is empty: a refusal is made only where something is
    /// wrong.
    pub fn of_nonempty(all: Vec<T>) -> Option<Self> {
        if all.is_empty() { None } else { Some(Self::of(all)) }
    }
}

impl<T: fmt::Display> fmt::Display for TruncatedList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.first.iter().enumerate() {
            write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
        }
        match self.total.saturating_sub(self.first.len()) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_twenty_and_tells_how_many_more() {
        let listed = TruncatedList::of((1..=23).collect());
        assert!(listed.to_string().ends_with("19, 20 and 3 more"));
        assert_eq!(TruncatedList::of(vec![7]).to_string(), "7");
    }

    #[test]
    fn violations_beyond_twenty_are_counted_and_not_made() {
        /// Text that fails the test if it is made.
        struct Unmade;
        impl fmt::Display for Unmade {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("nobody reads this")
            }
        }
        let mut violations = Violations::default();
        for index in 0..20 {
            violations.add(format_args!("lines[{index}]"), "is wrong");
        }
        for _ in 0..1_000_000 {
            violations.add(Unmade, Unmade);
        }

        assert_eq!((violations.first.len(), violations.total), (20, 1_000_020));
        assert_eq!(violations.first[19].field, "lines[19]");
        let refusal = violations.or_refuse(Refusal::Invalid).unwrap_err();
        assert!(refusal.to_string().ends_with("lines[19] is wrong; and 1000000 more"), "{refusal}");
        assert_eq!(Violations::default().or_refuse(Refusal::Invalid), Ok(()));
    }
}
