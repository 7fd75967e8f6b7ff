//! What writers or readers say to the database: a recorder for the service's statements.

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use purchase_order_service::repository::session::{Observed, Observer};

/// Records the statements of some of the service's threads.
#[derive(Clone)]
pub struct Recorder {
    /// How their names begin.
    threads: &'static str,
    recorded: Arc<Mutex<Recorded>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::of("writer")
    }
}

#[derive(Default)]
struct Recorded {
    statements: Vec<Statement>,
    prepared: Vec<String>,
}

/// A statement that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its text.
    pub text: String,
    /// What was bound to it, as one text.
    pub binds: String,
}

/// A write transaction from BEGIN to COMMIT, both left out.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The statements before the first that writes.
    pub loads: Vec<Statement>,
    /// The statements from then on.
    pub saves: Vec<Statement>,
}

impl Recorder {
    /// A recorder for the threads whose names begin so: `writer` or `reader`.
    pub fn of(threads: &'static str) -> Self {
        Self { threads, recorded: Arc::default() }
    }

    /// Forgets the statements that were sent so far, and returns them.
    pub fn take(&self) -> Vec<Statement> {
        std::mem::take(&mut self.recorded().statements)
    }

    /// Hands what it hears to this recorder.
    pub fn observer(&self) -> Observer {
        let recorder = self.clone();
        Arc::new(move |observed| {
            if thread::current().name().is_some_and(|name| name.starts_with(recorder.threads)) {
                recorder.hear(observed);
            }
        })
    }

    fn hear(&self, observed: Observed<'_>) {
        let mut recorded = self.recorded();
        match observed {
            Observed::Statement(statement) => {
                let (text, binds) = statement.split_once(" -- binds: ").unwrap_or((statement, ""));
                recorded.statements.push(Statement { text: text.to_owned(), binds: binds.to_owned() });
            }
            Observed::Prepared(text) => recorded.prepared.push(text.to_owned()),
        }
    }

    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().expect("nothing panics while holding it")
    }

    /// The statements that were sent so far, in their order.
    pub fn statements(&self) -> Vec<Statement> {
        self.recorded().statements.clone()
    }

    /// The texts that were prepared so far, in their order.
    pub fn prepared(&self) -> Vec<String> {
        self.recorded().prepared.clone()
    }

    /// The last transaction that ended.
    pub fn last_transaction(&self) -> Transaction {
        let recorded = self.recorded();
        let is = |statement: &Statement, word: &str| statement.text.starts_with(word);
        let begin =
            recorded.statements.iter().rposition(|statement| is(statement, "BEGIN")).expect("a transaction began");
        let inside = &recorded.statements[begin + 1..];
        let ends = |statement: &Statement| ["COMMIT", "ROLLBACK"].iter().any(|word| is(statement, word));
        let end = inside.iter().position(ends).expect("it has ended");
        let writes =
            |statement: &Statement| ["WITH", "INSERT", "UPDATE", "DELETE"].iter().any(|word| is(statement, word));
        let first_write = inside[..end].iter().position(writes).unwrap_or(end);
        Transaction { loads: inside[..first_write].to_vec(), saves: inside[first_write..end].to_vec() }
    }
}

impl Recorder {
    /// How many transactions the writers began so far.
    pub fn begun(&self) -> usize {
        self.recorded().statements.iter().filter(|statement| statement.text.starts_with("BEGIN")).count()
    }
}
