//! Writes each log event as one line of bounded length and visible characters. Events contain text that peers send;
//! without this, a line break in a name would forge a second event, an escape sequence would change the terminal of
//! the program that reads the log, and one large event would fill the memory of the queue.

use std::io::{self, Write};

use super::LogFormat;

/// The most bytes of an event that are written; the rest is cut off, and `...` is written instead.
const MAX_LINE: usize = 8 * 1024;

/// Writes each event as one line, by one call of the writer behind it.
pub(super) struct OneLine<W> {
    /// What the events are formatted as.
    pub(super) format: LogFormat,
    /// Where the lines go.
    pub(super) to: W,
}

impl<W: Write> Write for OneLine<W> {
    /// Writes one event. The subscriber passes each event by one call, with a line break at its end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(&event[..event.len().min(MAX_LINE)]);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let is_cut = event.len() > MAX_LINE;
        let mut line = match self.format {
            LogFormat::Console => console_line(text, is_cut),
            // Half of an object would not be JSON any more.
            LogFormat::Json if is_cut => json_line(&serde_json::json!({ "truncated": text }).to_string()),
            LogFormat::Json => json_line(text),
        };
        line.push('\n');
        self.to.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn console_line(text: &str, is_cut: bool) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_visible(c) {
            line.push(c);
        } else {
            line.extend(c.escape_default());
        }
    }
    if is_cut {
        line.push_str("...");
    }
    line
}

/// The same for JSON, which escapes by four digits. All that is not visible has no more.
fn json_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_visible(c) {
            line.push(c);
        } else {
            line.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    line
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
        written_as(LogFormat::Console, event)
    }

    fn written_as(format: LogFormat, event: &[u8]) -> String {
        let mut written = OneLine { format, to: Vec::new() };
        written.write_all(event).unwrap();
        String::from_utf8(written.to).unwrap()
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

    #[test]
    fn a_line_of_json_stays_json_whatever_it_contains() {
        let long = serde_json::json!({ "message": "x".repeat(3 * MAX_LINE) }).to_string();
        for event in [r#"{"message":"\u202e red"}"#.replace("\\u202e", "\u{202e}\u{7f}"), long] {
            let line = written_as(LogFormat::Json, format!("{event}\n").as_bytes());
            assert_eq!(line.lines().count(), 1, "{line}");
            let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(parsed.is_object() && line.chars().all(|c| c == '\n' || is_visible(c)), "{line}");
            assert!(line.len() < MAX_LINE + 100 || line.contains("truncated"), "{}", line.len());
        }
    }
}
