//! Writes each log event as one line of bounded length and visible characters. Events contain text that peers send;
//! without this, a line break in a name would forge a second event, an escape sequence would change the terminal of
//! the program that reads the log, and one large event would fill the memory of the queue.

use std::io::{self, Write};

/// The most bytes of an event that are written; the rest is cut off, and `...` is written instead.
const MAX_LINE: usize = 8 * 1024;

/// Writes each event as one line, by one call of the writer behind it.
pub(super) struct OneLine<W>(pub(super) W);

impl<W: Write> Write for OneLine<W> {
    /// Writes one event. The subscriber passes each event by one call, with a line break at its end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(&event[..event.len().min(MAX_LINE)]);
        let mut line = String::with_capacity(text.len());
        for c in text.strip_suffix('\n').unwrap_or(&text).chars() {
            if is_visible(c) {
                line.push(c);
            } else {
                line.extend(c.escape_default());
            }
        }
        if event.len() > MAX_LINE {
            line.push_str("...");
        }
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether a character only shows itself: it neither breaks the line, nor controls the terminal, nor changes the
/// direction in which the text around it is written.
fn is_visible(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(event: &[u8]) -> String {
        let mut written = OneLine(Vec::new());
        written.write_all(event).unwrap();
        String::from_utf8(written.0).unwrap()
    }

    #[test]
    fn no_text_makes_a_second_line_or_paints_the_terminal() {
        let line = written("WARN name=a\r\nERROR forged \u{1b}[31m\u{202e}red\n".as_bytes());
        assert_eq!(line, "WARN name=a\\r\\nERROR forged \\u{1b}[31m\\u{202e}red\n");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let line = written(&[b'x'; 3 * MAX_LINE]);
        assert_eq!(line.len(), MAX_LINE + "...\n".len());
    }
}
