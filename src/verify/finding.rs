//! Findings, and their texts as an operator reads them.
//!
//! SQL builds the sentences, and neither database can format a scaled quantity or a time the same way as the other.
//! So the sentences hold marks, `{q:12345}` and `{t:0}`, which are replaced here.

use std::fmt;

/// One violation of one invariant, which the command line prints as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The id of the store that has the violation; empty if it is one of the database as a whole.
    pub store: String,
    /// The invariant's number in the documentation.
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

/// Replaces `{q:12345}` by 1.2345, `{c:12345}` by 0.012345 and `{t:0}` by 1970-01-01T00:00:00Z. What is not well formed
/// stays as it is: the sentence may quote a text of a caller with a brace in it.
pub(super) fn readable(detail: &str) -> String {
    let mut text = String::with_capacity(detail.len());
    let mut rest = detail;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let mark = rest.find('}').and_then(|end| Some((decoded(&rest[1..end])?, end + 1)));
        // Without a mark only the brace is passed over, since a mark may begin right behind it.
        let (replacement, length) = mark.unwrap_or(("{".to_owned(), 1));
        text.push_str(&replacement);
        rest = &rest[length..];
    }
    text + rest
}

/// The text for what stands between a mark's braces; `None` if it is no mark.
fn decoded(mark: &str) -> Option<String> {
    match mark.split_once(':')? {
        ("q", number) => number.parse().ok().map(|scaled| decimal(scaled, 4)),
        ("c", number) => number.parse().ok().map(|scaled| decimal(scaled, 6)),
        ("t", number) => jiff::Timestamp::from_microsecond(number.parse().ok()?).ok().map(|time| time.to_string()),
        _ => None,
    }
}

/// An integer of `10^-places` as a decimal number without trailing zeros. It is not the domain's formatting, with
/// which `verify` shares no code.
fn decimal(scaled: i128, places: usize) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let scale = 10_u128.pow(places as u32);
    let (whole, fraction) = (scaled.unsigned_abs() / scale, scaled.unsigned_abs() % scale);
    let text = format!("{sign}{whole}.{fraction:0places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_and_times_are_told_as_people_write_them() {
        let text = readable("ordered {q:100000} + {q:-5} for {c:2500000} at {t:0}, not {q:x} nor {");
        assert_eq!(text, "ordered 10 + -0.0005 for 2.5 at 1970-01-01T00:00:00Z, not {q:x} nor {");
    }
}
