//! The output of the log: lines go into a bounded queue, and a thread of its own writes them. Standard error may be a
//! pipe that nobody reads, and then a write blocks for ever; only that thread is ever blocked by it.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::LogFormat;

/// How many lines may wait to be written; further ones are dropped and counted.
const MAX_QUEUED: usize = 1_024;
/// How long the end of the process may wait for the last lines to be written.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// Keeps the writing thread running. Dropping it waits until the queued lines are written, for at most
/// [`FLUSH_WITHIN`].
pub struct Logs(Option<WorkerGuard>);

impl Drop for Logs {
    fn drop(&mut self) {
        let guard = self.0.take();
        let (flushed, waiting) = mpsc::channel();
        // On a thread of its own: if the queue is full, dropping the guard writes to the standard output itself, and
        // that may block for ever.
        let flushing = thread::Builder::new().spawn(move || {
            drop(guard);
            flushed.send(())
        });
        if flushing.is_ok() {
            // If it takes too long, the lines are lost with the process.
            let _ = waiting.recv_timeout(FLUSH_WITHIN);
        }
    }
}

/// Starts the thread that writes to `to`. The queue accepts whole lines and never blocks.
pub(super) fn start(to: impl Write + Send + 'static, format: LogFormat) -> (Logs, NonBlocking) {
    start_with(to, format, MAX_QUEUED)
}

fn start_with(to: impl Write + Send + 'static, format: LogFormat, max_queued: usize) -> (Logs, NonBlocking) {
    let dropped = Arc::new(OnceLock::new());
    let writer = DropReporter { to, format, dropped: Arc::clone(&dropped), reported: 0 };
    let builder = NonBlockingBuilder::default().buffered_lines_limit(max_queued).lossy(true).thread_name("log");
    let (queue, guard) = builder.finish(writer);
    // Nothing is dropped before this: the queue is handed out afterwards.
    let _ = dropped.set(queue.error_counter());
    (Logs(Some(guard)), queue)
}

/// Writes lines and, once the queue is empty, a line with the number of those that were dropped while it was full.
struct DropReporter<W> {
    to: W,
    format: LogFormat,
    /// The queue's count of dropped lines; set right after the queue is made.
    dropped: Arc<OnceLock<ErrorCounter>>,
    /// How many dropped lines have been reported so far.
    reported: usize,
}

impl<W: Write> Write for DropReporter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.to.write(line)
    }

    /// Called by the thread whenever nothing is queued.
    fn flush(&mut self) -> io::Result<()> {
        let dropped = self.dropped.get().map_or(0, ErrorCounter::dropped_lines);
        if dropped > self.reported {
            let mut time = String::new();
            // The number of lines matters, so the line is written even without a time.
            let _ = SystemTime.format_time(&mut Writer::new(&mut time));
            let lines = dropped - self.reported;
            let line = match self.format {
                LogFormat::Console => format!("{time}  WARN {lines} log lines were dropped\n"),
                LogFormat::Json => {
                    let message = format!("{lines} log lines were dropped");
                    let event = serde_json::json!({ "timestamp": time, "level": "WARN", "message": message });
                    format!("{event}\n")
                }
            };
            self.to.write_all(line.as_bytes())?;
            self.reported = dropped;
        }
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender};

    use super::*;

    /// A reader of the log that takes one write at a time, when the test does.
    struct Reader(SyncSender<String>);

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.0.send(text).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(queued: usize, lines: usize) -> (Logs, Receiver<String>) {
        let (to, written) = mpsc::sync_channel(0);
        let (logs, mut queue) = start_with(Reader(to), LogFormat::Console, queued);
        for line in 0..lines {
            queue.write_all(format!("line {line}\n").as_bytes()).unwrap();
        }
        (logs, written)
    }

    #[test]
    fn lines_beyond_the_queue_are_dropped_counted_and_reported() {
        let (_logs, written) = log(4, 100);
        // Up to one more than the queue holds are on their way.
        let mut kept = 0;
        let report = loop {
            let line = written.recv().unwrap();
            if line.contains("dropped") {
                break line;
            }
            assert_eq!(line, format!("line {kept}\n"), "the oldest are kept, in their order");
            kept += 1;
        };
        assert!((4..=5).contains(&kept), "{kept}");
        assert!(report.contains(&format!("{} log lines were dropped", 100 - kept)), "{report}");
    }

    #[test]
    fn the_end_waits_for_the_last_lines() {
        let (logs, written) = log(100, 50);
        let reading = thread::spawn(move || written.iter().count());
        drop(logs);
        assert_eq!(reading.join().unwrap(), 50);
    }

    #[test]
    fn the_end_comes_although_nobody_reads() {
        let (logs, _written) = log(4, 100);
        drop(logs);
    }
}
