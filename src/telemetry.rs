//! Logs: to standard error, what happens to the service itself. A refused call is the caller's matter
//! and not logged; an internal error is logged once, with the id that its caller was told.
//!
//! Each event is one line, whatever text it holds: nobody writes a second one by a line break in a
//! name, nor paints the terminal. No header of a call is ever logged, so that no token is: what the
//! libraries of the transport say of frames and headers is left out, whatever `RUST_LOG` asks.

use std::io::{self, Write};
use std::panic;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

/// Libraries that would log headers or bytes of a call.
const QUIET: [&str; 7] = ["h2", "hyper", "hyper_util", "rustls", "tokio_rustls", "tonic", "tower"];

/// Begins to log, as `RUST_LOG` says, or from `info` on.
pub fn init() {
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let quiet = QUIET.iter().filter_map(|library| format!("{library}=info").parse::<Directive>().ok());
    let filter = quiet.fold(asked, EnvFilter::add_directive);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| OneLine(io::stderr())).with_ansi(false).init();
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(panic = panic.payload_as_str(), place, "a panic");
    }));
}

/// Writes each event as one line of visible characters.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    /// `event` is a whole event, as the subscriber writes them.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = String::with_capacity(text.len());
        for c in text.strip_suffix('\n').unwrap_or(&text).chars() {
            match c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
            {
                true => line.extend(c.escape_default()),
                false => line.push(c),
            }
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

    #[test]
    fn no_text_makes_a_second_line_or_paints_the_terminal() {
        let mut written = OneLine(Vec::new());
        written.write_all("WARN name=a\r\nERROR forged \u{1b}[31m\u{202e}red\n".as_bytes()).unwrap();
        assert_eq!(String::from_utf8(written.0).unwrap(), "WARN name=a\\r\\nERROR forged \\u{1b}[31m\\u{202e}red\n");
    }
}
