//! What was found, told so that a person understands it.

use std::fmt;

/// One violation of one invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The store; empty if it is about the database as a whole.
    pub store: String,
    /// The invariant's number.
    pub invariant: u8,
    /// The title of the check that found it.
    pub title: &'static str,
    /// What is wrong, with names and numbers.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.store.is_empty() {
            write!(f, "store {}: ", self.store)?;
        }
        write!(f, "invariant {}: {}", self.invariant, self.detail)
    }
}

/// Replaces `{q:12345}` by 1.2345 and `{t:0}` by 1970-01-01T00:00:00Z. What is not well formed stays
/// as it is.
pub(super) fn readable(detail: &str) -> String {
    let mut told = String::with_capacity(detail.len());
    let mut rest = detail;
    while let Some(at) = rest.find('{') {
        told.push_str(&rest[..at]);
        rest = &rest[at..];
        let mark = rest.find('}').and_then(|end| Some((decoded(&rest[1..end])?, end + 1)));
        let (text, length) = mark.unwrap_or(("{".to_owned(), 1));
        told.push_str(&text);
        rest = &rest[length..];
    }
    told + rest
}

fn decoded(mark: &str) -> Option<String> {
    match mark.split_once(':')? {
        ("q", number) => number.parse().ok().map(quantity),
        ("t", number) => jiff::Timestamp::from_microsecond(number.parse().ok()?).ok().map(|time| time.to_string()),
        _ => None,
    }
}

fn quantity(scaled: i128) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let (whole, places) = (scaled.unsigned_abs() / 10_000, scaled.unsigned_abs() % 10_000);
    let text = format!("{sign}{whole}.{places:04}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_and_times_are_told_as_people_write_them() {
        let told = readable("ordered {q:100000} + {q:-5} at {t:0}, not {q:x} nor {");
        assert_eq!(told, "ordered 10 + -0.0005 at 1970-01-01T00:00:00Z, not {q:x} nor {");
    }
}
