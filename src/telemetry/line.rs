//! One event, one line: nobody writes a second one by a line break in a name, nor paints the terminal,
//! nor fills the queue of lines with one of megabytes.

use std::io::{self, Write};

/// Bytes of a line; the rest of it is cut off.
const MAX_LINE: usize = 8 * 1024;

/// Writes each event as one line of visible characters, at once.
pub(super) struct OneLine<W>(pub(super) W);

impl<W: Write> Write for OneLine<W> {
    /// `event` is a whole event, as the subscriber writes them.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(&event[..event.len().min(MAX_LINE)]);
        let mut line = String::with_capacity(text.len());
        for c in text.strip_suffix('\n').unwrap_or(&text).chars() {
            match c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
            {
                true => line.extend(c.escape_default()),
                false => line.push(c),
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
