//! The commands, as processes: what an operator types, what it says, and how it ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, Database, World};
use purchase_order_service::proto::v1::PurchaseOrderAction::Receive;
use rstest::rstest;
use tonic::Code::FailedPrecondition;
use tonic::transport::Endpoint;

const LATER: &str = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231235959')";

/// The program with these arguments on a database, without anything from the environment; it would
/// listen on a free port.
fn program(database_url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"));
    // The service's own variables and nothing else is of consequence to it.
    command.env_clear();
    command.env("LISTEN", "127.0.0.1:0");
    command.args(arguments).args(["--database-url", database_url]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(database: &Database, arguments: &[&str]) -> Output {
    program(&database.url_text(), arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a command says on standard error when it fails.
fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    text(&output.stderr)
}

/// A server as a process, killed with this.
struct Serving {
    process: Child,
    address: String,
    /// The call that it proposes.
    proposed: String,
}

impl Serving {
    fn start(database: &Database, arguments: &[&str]) -> Self {
        let mut process = program(&database.url_text(), arguments).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let first_line = lines.next().unwrap();
        let (_, rest) = first_line.split_once("listens on ").unwrap();
        let address = rest.split(' ').next().unwrap().to_owned();
        let proposed = lines.find_map(|line| line.strip_prefix("try: ").map(str::to_owned)).unwrap();
        // The rest of what it says must go somewhere.
        std::thread::spawn(move || lines.count());
        Self { process, address, proposed }
    }

    fn caller(&self, principal: &str) -> Caller {
        let channel = Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy();
        Caller::of(channel, principal, "demo")
    }

    /// Asks it to end, as a supervisor would.
    fn terminate(mut self) -> bool {
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(asked.success());
        self.process.wait().unwrap().success()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[rstest]
#[test]
fn four_migrations_at_once_are_one(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(database) = Database::empty(on) else { return };

    let started: Vec<Child> = (0..4).map(|_| program(&database.url_text(), &["migrate"]).spawn().unwrap()).collect();
    let ended: Vec<Output> = started.into_iter().map(|process| process.wait_with_output().unwrap()).collect();

    assert!(ended.iter().all(|output| output.status.success()), "{ended:?}");
    let outputs: Vec<String> = ended.iter().map(|output| text(&output.stdout)).collect();
    assert_eq!(outputs.iter().filter(|output| output.contains("applied")).count(), 1, "{outputs:?}");
    assert_eq!(outputs.iter().filter(|output| output.contains("up to date")).count(), 3, "{outputs:?}");
    assert!(run(&database, &["verify"]).status.success());
}

#[test]
fn on_postgres_serve_wants_the_schema_of_its_own_version() {
    let (Some(empty), Some(newer)) = (Database::empty(Postgres), Database::migrated(Postgres)) else { return };
    newer.session().batch(LATER).unwrap();

    for command in ["develop", "verify"] {
        let older = complaint(&run(&empty, &[command]));
        assert!(older.contains("older") && older.contains("purchase-order-service migrate"), "{older}");
        let newer = complaint(&run(&newer, &[command]));
        assert!(newer.contains("newer") && newer.contains("purchase-order-service migrate"), "{newer}");
    }
    let refused = complaint(&run(&newer, &["migrate"]));
    assert!(refused.contains("newer") && refused.contains("99991231235959"), "{refused}");
}

#[test]
fn on_sqlite_serve_migrates_but_not_back() {
    let database = Database::migrated(Sqlite).unwrap();
    database.session().batch(LATER).unwrap();

    let newer = complaint(&run(&database, &["develop"]));

    assert!(newer.contains("newer"), "{newer}");
    // The file is left as one that was closed, and nobody is told that something of it is missing.
    let again = run(&database, &["develop"]);
    assert!(complaint(&again).contains("newer") && !text(&again.stderr).contains("-wal"), "{again:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn verify_tells_what_is_wrong_and_how_it_ended(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    world.alice().draft(&[("apples", "1")]).await;
    let whole = run(&world.database, &["verify"]);
    assert_eq!((whole.status.code(), text(&whole.stdout).lines().count()), (Some(0), 1), "{whole:?}");
    // Its creation, two grants, back orders turned on, and the order's.
    let held = "1 store, 1 purchase order, 5 events, the newest at 2026-03-02T";
    assert!(text(&whole.stdout).contains(held), "{whole:?}");
    world.verify().await;

    world.database.session().batch("UPDATE store SET open_orders = open_orders + 1").unwrap();
    let broken = run(&world.database, &["verify"]);

    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    let output = text(&broken.stdout);
    let lines: Vec<&str> = output.lines().collect();
    let [finding, sum] = lines[..] else { panic!("one violation and the sum of them: {output}") };
    assert!(finding.contains("north") && finding.contains("13"), "{finding}");
    assert!(sum.contains('1'), "{sum}");
}

#[rstest]
#[case::every_address("0.0.0.0:0")]
#[case::every_address_v6("[::]:0")]
#[case::the_network("192.0.2.1:50051")]
fn in_development_mode_only_loopback_is_listened_on(#[case] address: &str) {
    let database = Database::empty(Sqlite).unwrap();

    let browsers = ["develop", "--web-listen", address, "--web-origins", "http://localhost:8080"];
    for arguments in [&["develop", "--listen", address][..], &browsers] {
        let refused = complaint(&run(&database, arguments));
        assert!(refused.contains(address) && refused.contains("loopback"), "{refused}");
    }
}

#[test]
fn a_database_url_is_judged_before_anything_else_and_its_password_is_never_shown() {
    for (url, complaint_of) in
        [("mysql://u:hunter2@localhost/x", "sqlite:"), ("postgres://u:hunter2@db.example/x?sslmode=prefer", "sslmode")]
    {
        let refused = complaint(&program(url, &["develop"]).output().unwrap());
        assert!(refused.contains(complaint_of) && !refused.contains("hunter2"), "{refused}");
    }
    for command in ["develop", "migrate", "verify"] {
        let away = program("postgres://u:hunter2@127.0.0.1:1/orders", &[command]).output().unwrap();
        let (output, complained) = (text(&away.stdout), complaint(&away));
        assert!(!output.contains("hunter2") && !complained.contains("hunter2"), "{output}{complained}");
    }
}

#[test]
fn nobody_is_served_unawares() {
    let database = Database::empty(Sqlite).unwrap();
    let keys = ["--token-keys", "keys.json", "--token-issuer", "i", "--token-audience", "a"];
    let with_keys =
        |more: &[&'static str]| ["serve"].into_iter().chain(keys).chain(more.iter().copied()).collect::<Vec<_>>();

    let none = complaint(&run(&database, &["serve"]));
    assert!(none.contains("no credentials") && none.contains("--token-keys") && none.contains("develop"), "{none}");
    let plain = complaint(&run(&database, &with_keys(&["--listen", "0.0.0.0:0"])));
    assert!(plain.contains("--allow-plaintext") && plain.contains("--tls-certificate"), "{plain}");
    let absent = complaint(&run(&database, &with_keys(&[])));
    assert!(absent.contains("the token keys: keys.json"), "{absent}");
    // A start that failed leaves a whole file behind.
    assert!(run(&database, &["verify"]).status.success());
    let half = complaint(&run(&database, &["serve", "--token-keys", "keys.json"]));
    assert!(half.contains("--token-issuer") && half.contains("--token-audience"), "{half}");
    let ca_alone = complaint(&run(&database, &["serve", "--client-ca", "ca.pem"]));
    assert!(ca_alone.contains("--tls-certificate"), "{ca_alone}");
    let mut meant_to_serve = program(&database.url_text(), &[]);
    let unawares = complaint(&meant_to_serve.env("TOKEN_KEYS", "keys.json").output().unwrap());
    assert!(unawares.contains("TOKEN_KEYS") && unawares.contains("serve"), "{unawares}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_has_a_demo_store_to_try(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(database) = Database::empty(on) else { return };
    if on == Postgres {
        assert!(run(&database, &["migrate"]).status.success());
    }
    let serving = Serving::start(&database, &["--listen", "127.0.0.1:0"]);
    let (alice, bob) = (serving.caller("alice"), serving.caller("bob"));

    let store = alice.get_store().ok().await.store.unwrap();
    assert!(!store.back_orders_enabled);
    let order = alice.order(&[("apples", "10")]).await;
    assert_eq!(bob.seen(&order.purchase_order_id).await.allowed_actions, [i32::from(Receive)]);
    bob.receive(&order).accept(1, "4").ok().await;
    alice.complete(&order).refused(FailedPrecondition, "PENDING_UNSETTLED").await;
    assert!(serving.terminate(), "it ends well when it is asked to");

    let serving = Serving::start(&database, &["develop", "--listen", "127.0.0.1:0"]);
    let kept = serving.caller("alice").list().ok().await.purchase_orders;
    assert_eq!(kept.len(), 1);
    let verified = run(&database, &["verify"]);
    assert!(verified.status.success(), "verify runs on a database in use: {verified:?}");
}

#[test]
fn the_call_that_a_first_run_proposes_can_be_pasted() {
    let database = Database::empty(Sqlite).unwrap();
    let serving = Serving::start(&database, &[]);

    let pasted = Command::new("/bin/sh").env_clear().args(["-c", &serving.proposed]).output().unwrap();

    assert!(pasted.status.success() && text(&pasted.stdout).contains("Demo store"), "{} {pasted:?}", serving.proposed);
}

#[test]
fn health_is_told_to_a_probe() {
    let database = Database::empty(Sqlite).unwrap();
    let serving = Serving::start(&database, &["develop"]);
    let check = |address: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"));
        command.env_clear().env("LISTEN", address).arg("healthcheck").args(more).output().unwrap()
    };

    for more in [&[][..], &["--service", "purchasing.v1.PurchaseOrderService"], &["--listen", &serving.address]] {
        let healthy = check(&serving.address, more);
        assert_eq!((healthy.status.success(), &*text(&healthy.stdout)), (true, "SERVING\n"), "{healthy:?}");
    }
    let unknown = complaint(&check(&serving.address, &["--service", "nobody"]));
    assert!(unknown.contains(&serving.address), "{unknown}");
    let away = complaint(&check("127.0.0.1:1", &[]));
    assert!(away.contains("127.0.0.1:1") && away.to_lowercase().contains("refused"), "{away}");
}
