//! Encrypted connections to PostgreSQL: the service works through them, and it does not go on where it cannot be sure
//! whom it talks to, or that nobody else listens.

use std::fs;
use std::path::Path;

use crate::support::{Authority, Cluster, Database, Pair, Setup, World, start_encrypted};
use purchase_order_service::config::ServeConfig;
use purchase_order_service::proto::v1::PendingDisposition;
use purchase_order_service::repository::dialect::Purpose;
use purchase_order_service::repository::session::Session;
use purchase_order_service::server::{Parts, Server};
use rstest::rstest;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A server that takes no connection through TCP that is not encrypted, and the authority of its certificate.
struct EncryptedServer {
    folder: TempDir,
    port: u16,
    cluster: Cluster,
}

impl EncryptedServer {
    /// `None` if there is no PostgreSQL to be had.
    fn start(authority: &Authority, certified: &Pair) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        fs::write(folder.path().join("server.pem"), &certified.certificate).unwrap();
        fs::write(folder.path().join("server.key"), &certified.key).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = start_encrypted(folder.path(), port)?;
        Some(Self { folder, port, cluster })
    }

    /// The database of this name by its socket, which is not encrypted and needs not be.
    fn by_socket(&self, name: &str) -> String {
        let Cluster::Private { dir, .. } = &self.cluster else { panic!("it is the test's own") };
        format!("postgres:///{name}?host={}&user=tester&port={}", dir.display(), self.port)
    }

    fn by_tcp(&self, host: &str, name: &str, options: &str) -> String {
        format!("postgres://tester@{host}:{}/{name}?{options}", self.port)
    }

    fn authority_file(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }
}

fn verified_by(file: impl AsRef<Path>) -> String {
    format!("sslmode=verify-full&sslrootcert={}", file.as_ref().display())
}

/// Why the service does not start on this database.
async fn refusal(url: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let started = Server::start(listener, &ServeConfig::new(url.parse().unwrap()), Parts::default()).await;
    let Err(error) = started else { panic!("it started on {url}") };
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_completed_through_connections_that_are_encrypted_and_verified() {
    let authority = Authority::new("the database's");
    let Some(server) = EncryptedServer::start(&authority, &authority.server()) else { return };
    let mut operating =
        Session::connect(&server.by_socket("postgres").parse().unwrap(), Purpose::Operate, None).unwrap();
    operating.batch("CREATE DATABASE orders").unwrap();
    let database = Database::somewhere(&server.by_socket("orders"));
    let encrypted = server.by_tcp("localhost", "orders", &verified_by(server.authority_file()));
    let by_way_of = Some(encrypted.parse().unwrap());
    let world = World::set_up(database, Setup { by_way_of, ..Setup::default() }).await;

    let order = world.alice().received(&[("apples", "10")], &[(1, "4")]).await;
    world.alice().complete(&order).rest(PendingDisposition::BackOrder).ok().await;

    world.verify().await;
    // The server refuses what is not encrypted, so all of the above was.
    let plain = refusal(&server.by_tcp("localhost", "orders", "sslmode=disable")).await;
    assert!(plain.contains("no encryption"), "{plain}");
}

#[rstest]
#[case::a_host_that_the_certificate_does_not_name("127.0.0.1", 4096, true, "does not match host name")]
#[case::a_certificate_that_has_expired("localhost", 2020, true, "certificate verify failed")]
#[case::an_authority_that_is_not_trusted("localhost", 4096, false, "certificate verify failed")]
#[tokio::test(flavor = "multi_thread")]
async fn the_service_does_not_start_with_a_server_that_it_cannot_verify(
    #[case] host: &str,
    #[case] valid_until: i32,
    #[case] is_trusted: bool,
    #[case] why: &str,
) {
    let authority = Authority::new("the database's");
    let Some(server) = EncryptedServer::start(&authority, &authority.server_until(valid_until)) else { return };
    if !is_trusted {
        fs::write(server.authority_file(), Authority::new("another").pem()).unwrap();
    }

    let refused = refusal(&server.by_tcp(host, "postgres", &verified_by(server.authority_file()))).await;

    assert!(refused.contains(why), "{refused}");
    // Without verification the same server is reached: it is the certificate that was refused.
    let unverified = refusal(&server.by_tcp(host, "postgres", "sslmode=require")).await;
    assert!(unverified.contains("migrate"), "it gets as far as the schema: {unverified}");
}
