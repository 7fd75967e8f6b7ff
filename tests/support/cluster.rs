//! The PostgreSQL server of a test process: the one that `TEST_DATABASE_URL` names, or a private
//! cluster from the programs found on this machine, started once and gone when the process is.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::{env, fs, process};

use purchase_order_service::repository::dialect::Purpose;
use purchase_order_service::repository::error::DbError;
use purchase_order_service::repository::migrate::migrate;
use purchase_order_service::repository::session::Session;
use url::Url;

const NONE_FOUND: &str = "
*** NO POSTGRESQL FOUND: THE POSTGRESQL HALF OF THE TESTS DOES NOT RUN. ***
*** Install its server package, or name a server by TEST_DATABASE_URL.  ***

";

/// A server to make databases on.
pub enum Cluster {
    /// Somebody else runs it.
    Given(Url),
    /// This process runs it.
    Private {
        /// Where its socket and its data are.
        dir: PathBuf,
        /// Stops it when this process, which holds its standard input, is gone; see `cluster.sh`.
        supervisor: Child,
    },
}

/// The server of this process; `None`, said loudly, if there is none to be had.
pub fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    CLUSTER.get_or_init(find).as_ref()
}

fn find() -> Option<Cluster> {
    if let Ok(url) = env::var("TEST_DATABASE_URL") {
        return Some(Cluster::Given(url.parse().expect("TEST_DATABASE_URL is a URL")));
    }
    let Some(programs) = find_programs() else {
        assert!(env::var_os("CI").is_none(), "there is no PostgreSQL to test with, and this is CI");
        // Not by eprintln!, which nobody sees of a test that passes.
        let _ = io::stderr().write_all(NONE_FOUND.as_bytes());
        return None;
    };
    Some(start(&programs, &[]))
}

/// A server of its own, gone when this is dropped, that is reached through TCP too, only encrypted, with `server.pem` and
/// `server.key` of this folder. `None` if there is no PostgreSQL to be had.
pub fn start_encrypted(certificates: &Path, port: u16) -> Option<Cluster> {
    Some(start(&find_programs()?, &[certificates.as_os_str(), port.to_string().as_ref()]))
}

/// The directory of a whole PostgreSQL. PATH may hold links to some of its programs alone.
pub fn find_programs() -> Option<PathBuf> {
    let on_path: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let linked =
        on_path.iter().filter_map(|place| Some(fs::canonicalize(place.join("initdb")).ok()?.parent()?.to_owned()));
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut packaged: Vec<PathBuf> = match fs::read_dir("/usr/lib/postgresql") {
        Ok(versions) => versions.flatten().map(|version| version.path().join("bin")).collect(),
        Err(_) => Vec::new(),
    };
    packaged.sort();
    let whole = |place: &PathBuf| ["initdb", "postgres", "pg_isready"].iter().all(|name| place.join(name).is_file());
    on_path.iter().cloned().chain(linked).chain(configured).chain(packaged.into_iter().rev()).find(whole)
}

fn start(programs: &Path, more: &[&OsStr]) -> Cluster {
    let mut supervisor = Command::new("sh")
        .args(["-c", include_str!("cluster.sh"), "cluster"])
        .arg(programs)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C is for this process: the supervisor sees it end.
        .process_group(0)
        .spawn()
        .expect("there is a shell");
    let mut path = String::new();
    let output = supervisor.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut path).expect("the supervisor can be heard");
    assert!(!path.is_empty(), "the private PostgreSQL cluster did not start");
    Cluster::Private { dir: PathBuf::from(path.trim()), supervisor }
}

impl Cluster {
    fn url(&self, database: &str) -> String {
        match self {
            Self::Given(server) => {
                let mut url = server.clone();
                url.set_path(database);
                url.to_string()
            }
            Self::Private { dir, .. } => format!("postgres:///{database}?host={}&user=tester", dir.display()),
        }
    }

    /// An empty database.
    pub fn create_empty(&'static self) -> Scratch {
        self.create("")
    }

    /// A database with the service's schema, and the template that it was copied from.
    pub fn create_migrated(&'static self) -> (Scratch, Arc<Scratch>) {
        let template = self.template();
        (self.create(&format!("TEMPLATE {}", template.name)), template)
    }

    /// A migrated database to copy. It is kept while some test uses a copy of it, so that a server
    /// that somebody else runs is left as it was found.
    fn template(&'static self) -> Arc<Scratch> {
        static TEMPLATE: Mutex<Weak<Scratch>> = Mutex::new(Weak::new());
        // One test that fails here must not fail the others.
        let mut kept = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = kept.upgrade() {
            return template;
        }
        let template = Arc::new(self.create_empty());
        let mut session = connect(&template.url).expect("the template is there");
        migrate(&mut session, |_, _| {}).expect("an empty database can be migrated");
        *kept = Arc::downgrade(&template);
        template
    }

    fn create(&'static self, how: &str) -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("purchase_orders_test_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // A template that somebody is still connected to cannot be copied, such as by autovacuum, or by a
        // session that has just ended. The server itself waits for 5 s each time.
        let mut made = self.operate(&format!("CREATE DATABASE {name} {how}"));
        for _ in 0..10 {
            if made.is_ok() {
                break;
            }
            made = self.operate(&format!("CREATE DATABASE {name} {how}"));
        }
        made.expect("the test server can make a database");
        Scratch { url: self.url(&name), name, cluster: self }
    }

    fn operate(&self, statement: &str) -> Result<(), DbError> {
        connect(&self.url("postgres"))?.batch(statement)
    }
}

fn connect(url: &str) -> Result<Session, DbError> {
    Session::connect(&url.parse().expect("it is a database URL"), Purpose::Operate, None)
}

/// A PostgreSQL database that is dropped with this.
pub struct Scratch {
    name: String,
    url: String,
    cluster: &'static Cluster,
}

impl Scratch {
    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test that fails must not fail twice.
        if let Err(error) = self.cluster.operate(&format!("DROP DATABASE {} WITH (FORCE)", self.name)) {
            eprintln!("test database {} is left behind: {error}", self.name);
        }
    }
}
