//! Files that are read again when they change: keys and certificates, so that rotating them needs no restart.
//! If the new contents cannot be used, that is logged and the last good value stays in use: a mistake in a file
//! must not stop a service that runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

/// How often the files are read. Their contents are compared and not their times, so that a replaced symbolic
/// link (as Kubernetes does it) or a restored modification time does not hide a change.
const INTERVAL: Duration = Duration::from_secs(1);

/// The contents of all files, in their order; an error names the first that cannot be read.
type Contents = Result<Vec<Vec<u8>>, String>;

/// The value that was parsed from some files when they were last good. The files are watched until the last clone
/// of this is dropped.
#[derive(Debug)]
pub struct Reloading<T> {
    current: Arc<ArcSwap<T>>,
    /// Notified each time that the value was replaced.
    changes: watch::Receiver<()>,
}

impl<T> Clone for Reloading<T> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current), changes: self.changes.clone() }
    }
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Reads and parses the files, and watches them from then on. `what` names them in the log and in errors.
    /// Unlike later, a mistake in the files is an error here: there is no last good value yet.
    pub async fn open<F>(what: &'static str, files: Vec<PathBuf>, parse: F) -> Result<Self, String>
    where
        F: Fn(&[Vec<u8>]) -> Result<T, String> + Send + Sync + 'static,
    {
        let contents = read(&files).await;
        let first = parse_contents(&parse, &contents).map_err(|error| format!("{what}: {error}"))?;
        let current = Arc::new(ArcSwap::from_pointee(first));
        let (changed, changes) = watch::channel(());
        let watched = Arc::downgrade(&current);
        tokio::spawn(async move {
            let mut seen = contents;
            loop {
                tokio::time::sleep(INTERVAL).await;
                // The last clone was dropped, so nobody needs the files to be watched.
                let Some(current) = watched.upgrade() else { return };
                let contents = read(&files).await;
                if contents == seen {
                    continue;
                }
                match parse_contents(&parse, &contents) {
                    Ok(new) => {
                        // Before those who wait for a change are woken, so that they find the new value.
                        current.store(Arc::new(new));
                        tracing::info!(what, "reloaded files that have changed");
                        changed.send_replace(());
                    }
                    Err(error) => tracing::error!(
                        what,
                        error,
                        "cannot use files that have changed; keeping what was loaded before"
                    ),
                }
                // Also when they are bad: the same mistake is logged once and not every second.
                seen = contents;
            }
        });
        Ok(Self { current, changes })
    }

    /// The last good value. A caller that keeps it does not see later changes, so it is read at each use.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Waits until the value is replaced.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The watching task has ended, so there will be no further change.
            std::future::pending::<()>().await;
        }
    }

    /// Forgets the changes so far: [`Reloading::changed`] waits for the next one.
    pub fn caught_up(mut self) -> Self {
        self.changes.mark_unchanged();
        self
    }
}

fn parse_contents<T>(parse: impl Fn(&[Vec<u8>]) -> Result<T, String>, contents: &Contents) -> Result<T, String> {
    match contents {
        Ok(contents) => parse(contents),
        Err(error) => Err(error.clone()),
    }
}

/// Reads all files on a thread that may block.
async fn read(files: &[PathBuf]) -> Contents {
    let files = files.to_vec();
    let reading = tokio::task::spawn_blocking(move || {
        let mut contents = Vec::with_capacity(files.len());
        // One after the other, so files that are being replaced may be read half old and half new. If those do not fit
        // together, the old value stays until the next look, a second later.
        for file in &files {
            contents.push(std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?);
        }
        Ok(contents)
    });
    reading.await.unwrap_or_else(|error| Err(error.to_string()))
}
