//! What a history shows of an event.

/// An event about more lines than this is shown with their number alone: it is read by people, and an
/// order has up to 5,000 lines.
pub const MAX_LINES_SHOWN: usize = 1_000;

/// The lines of an event as its history shows them: all of them, or none if there are too many.
pub fn shown_lines<T>(lines: Vec<T>) -> Vec<T> {
    if lines.len() > MAX_LINES_SHOWN { Vec::new() } else { lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_a_thousand_lines_are_shown_and_of_more_none() {
        for (lines, shown) in [(0, 0), (1, 1), (999, 999), (1_000, 1_000), (1_001, 0), (5_000, 0)] {
            assert_eq!(shown_lines(vec![(); lines]).len(), shown, "{lines}");
        }
    }
}
