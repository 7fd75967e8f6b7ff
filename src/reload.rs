//! Files that are read again when they change: keys and certificates, so that turning them over needs
//! no restart. What is bad is said and not taken: the last good one stays.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

/// How often the files are looked at. Contents are compared, so that a swapped link or a restored
/// time of change is seen too.
const EVERY: Duration = Duration::from_secs(1);

type Contents = Result<Vec<Vec<u8>>, String>;

/// What was made of some files last. They are watched as long as a clone of it is there.
#[derive(Debug)]
pub struct Reloading<T> {
    current: Arc<ArcSwap<T>>,
    changes: watch::Receiver<()>,
}

impl<T> Clone for Reloading<T> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current), changes: self.changes.clone() }
    }
}

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Reads the files for the first time, and watches them from now on. `what` they are is told in
    /// the log and in errors.
    pub async fn open<F>(what: &'static str, files: Vec<PathBuf>, parse: F) -> Result<Self, String>
    where
        F: Fn(&[Vec<u8>]) -> Result<T, String> + Send + Sync + 'static,
    {
        let contents = read(&files).await;
        let parse_all = move |contents: &Contents| contents.as_ref().map_err(Clone::clone).and_then(|all| parse(all));
        let first = parse_all(&contents).map_err(|error| format!("{what}: {error}"))?;
        let current = Arc::new(ArcSwap::from_pointee(first));
        let (changed, changes) = watch::channel(());
        let watched = Arc::downgrade(&current);
        tokio::spawn(async move {
            let mut seen = contents;
            loop {
                tokio::time::sleep(EVERY).await;
                let Some(current) = watched.upgrade() else { return };
                let contents = read(&files).await;
                if contents == seen {
                    continue;
                }
                match parse_all(&contents) {
                    Ok(new) => {
                        current.store(Arc::new(new));
                        tracing::info!(what, "read again");
                        changed.send_replace(());
                    }
                    Err(error) => tracing::error!(what, error, "what changed is bad; the last good one stays"),
                }
                seen = contents;
            }
        });
        Ok(Self { current, changes })
    }

    /// What the files said when they were good last.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Waits until another is taken.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Looks for changes from now on alone.
    pub fn caught_up(mut self) -> Self {
        self.changes.mark_unchanged();
        self
    }
}

async fn read(files: &[PathBuf]) -> Contents {
    let files = files.to_vec();
    let reading = tokio::task::spawn_blocking(move || {
        let read = |file: &PathBuf| std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()));
        files.iter().map(read).collect()
    });
    reading.await.unwrap_or_else(|error| Err(error.to_string()))
}
