//! A connection pooler in front of PostgreSQL: in session mode the service works through it; in transaction
//! mode, which takes sessions their settings and statements away, the service refuses to start and says why.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::Engine::Postgres;
use crate::support::{Database, Setup, World, within_timeout};
use purchase_order_service::config::ServeConfig;
use purchase_order_service::proto::v1::PendingDisposition;
use purchase_order_service::repository::url::DatabaseUrl;
use purchase_order_service::server::{Parts, Server, StartError};
use rstest::rstest;
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixStream};

/// PgBouncer in front of a test's database; it ends with the test.
struct Pooler {
    url: DatabaseUrl,
    process: Child,
    _folder: TempDir,
}

impl Pooler {
    /// Starts it; `None`, said loudly, if the program or a server of the test's own is not there.
    async fn start(database: &Database, mode: &str) -> Option<Self> {
        let url: url::Url = database.url_text().parse().unwrap();
        let (_, host) = url.query_pairs().find(|(name, _)| name == "host")?;
        if !Path::new("/usr/sbin/pgbouncer").exists() {
            assert!(std::env::var_os("CI").is_none(), "there is no pgbouncer to test with, and this is CI");
            eprintln!("SKIPPED: there is no pgbouncer to test with");
            return None;
        }
        let folder = TempDir::new().unwrap();
        // Everybody may reach it: it does not run as root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let at = folder.path().display();
        let config = format!(
            "[databases]\n* = host={host} user=tester\n\
             [pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {at}\nauth_type = any\n\
             pool_mode = {mode}\n"
        );
        fs::write(folder.path().join("pgbouncer.ini"), config).unwrap();
        let mut command = match rustix::process::geteuid().is_root() {
            true => {
                let mut command = Command::new("setpriv");
                // As the user that runs the server: no other user may use its socket.
                let owner = fs::metadata(&*host).unwrap();
                command.arg(format!("--reuid={}", owner.uid())).arg(format!("--regid={}", owner.gid()));
                command.args(["--clear-groups", "/usr/sbin/pgbouncer"]);
                command
            }
            false => Command::new("/usr/sbin/pgbouncer"),
        };
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let command = command.arg(folder.path().join("pgbouncer.ini")).stdin(Stdio::null()).stderr(log);
        let process = command.spawn().unwrap();
        let socket = folder.path().join(".s.PGSQL.6432");
        within_timeout(async { while UnixStream::connect(&socket).await.is_err() {} }).await;
        let url = format!("postgres://{}?host={at}&port=6432&user=tester", url.path()).parse().unwrap();
        Some(Self { url, process, _folder: folder })
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_session_mode_the_service_works_through_it() {
    let Some(database) = Database::migrated(Postgres) else { return };
    let Some(pooler) = Pooler::start(&database, "session").await else { return };
    let world = World::set_up(database, Setup { by_way_of: Some(pooler.url.clone()), ..Setup::default() }).await;

    let order = world.alice().received(&[("apples", "10")], &[(1, "4")]).await;
    world.alice().complete(&order).rest(PendingDisposition::BackOrder).ok().await;

    world.verify().await;
}

#[rstest]
#[case::by_transactions("transaction")]
#[case::by_statements("statement")]
#[tokio::test(flavor = "multi_thread")]
async fn in_the_other_modes_the_service_does_not_start_and_names_it(#[case] mode: &str) {
    let Some(database) = Database::migrated(Postgres) else { return };
    let Some(pooler) = Pooler::start(&database, mode).await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();

    let started = Server::start(listener, &ServeConfig::new(pooler.url.clone()), Parts::default()).await;

    let Err(error) = started else { panic!("it started") };
    assert!(matches!(error, StartError::SharedSessions(_)), "{error}");
    assert!(error.to_string().contains("session mode"), "{error}");
}
