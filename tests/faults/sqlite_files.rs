//! A SQLite database as files on a disk: a disk that is full, another program that holds the lock, a log that
//! grows, and copies made the right way and the wrong way. The service runs as the program that operators
//! start.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::Engine::{Postgres, Sqlite};
use crate::support::{Caller, Database, Setup, World, within_timeout};
use purchase_order_service::repository::dialect::Purpose;
use purchase_order_service::repository::session::Session;
use purchase_order_service::repository::url::DatabaseUrl;
use rstest::rstest;
use rustix::process::{Pid, Resource, Rlimit};
use tempfile::TempDir;
use tonic::Code::{self, ResourceExhausted, Unavailable, Unknown};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

/// A folder with a database in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The names of its files.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn program(database: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"));
    command.env_clear().args(arguments).args(["--database-url", &format!("sqlite:{}", database.display())]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(database: &Path, arguments: &[&str]) -> Output {
    program(database, arguments).output().unwrap()
}

/// What a command says that ends well.
fn printed(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command complains of.
fn complaint(output: Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The program in development mode, killed with this. It logs to a file.
struct Serving {
    process: Child,
    channel: Channel,
    log: PathBuf,
}

impl Serving {
    fn start(database: &Path, log: PathBuf) -> Self {
        Self::run(program(database, &["develop", "--listen", "127.0.0.1:0"]), log)
    }

    /// The same, in such a way that a file that may not grow is an error and not its end.
    fn start_with_bounded_files(database: &Path, log: PathBuf) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_purchase-order-service")]);
        shell.args(["develop", "--listen", "127.0.0.1:0", "--database-url", &format!("sqlite:{}", database.display())]);
        shell.env("LISTEN", "127.0.0.1:0").stdout(Stdio::piped());
        Self::run(shell, log)
    }

    /// Makes each write behind so many bytes of a file an I/O error (EFBIG).
    fn bound_files(&self, bytes: u64) {
        let process = Pid::from_raw(self.process.id().cast_signed());
        let limit = Rlimit { current: Some(bytes), maximum: None };
        rustix::process::prlimit(process, Resource::Fsize, limit).unwrap();
    }

    fn run(mut command: Command, log: PathBuf) -> Self {
        let mut process = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let Some(first_line) = lines.next() else { panic!("it does not start: {}", fs::read_to_string(&log).unwrap()) };
        let address = first_line.split_once("listens on ").unwrap().1.split(' ').next().unwrap().to_owned();
        std::thread::spawn(move || lines.count());
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self { process, channel, log }
    }

    fn alice(&self) -> Caller {
        Caller::of(self.channel.clone(), "alice", "demo")
    }

    async fn orders(&self) -> usize {
        self.alice().list().ok().await.purchase_orders.len()
    }

    /// Waits until its health is so.
    async fn becomes(&self, status: ServingStatus) {
        let mut health = HealthClient::new(self.channel.clone());
        within_timeout(async {
            while health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status() != status {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Ends it as a supervisor would.
    fn terminate(mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success(), "{}", self.logged());
    }

    /// Ends it as a crash would.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A file system of 24 MiB, unmounted with this.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` if this process may not mount.
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(folder.path()).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(folder))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Fills it to the last byte by a file.
    fn fill(&self) {
        let mut ballast = File::create(self.path("ballast")).unwrap();
        for size in [1 << 16, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.path("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// Runs this test again in a name space of its own, where anybody may mount; whether that was possible.
fn again_where_it_may_mount(test: &str) -> bool {
    const MARK: &str = "TEST_IN_NAMESPACE";
    if std::env::var_os(MARK).is_some()
        || !Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|s| s.success())
    {
        return false;
    }
    let program = std::env::current_exe().unwrap();
    let again = Command::new("unshare").arg("-rm").arg(program).args([test, "--exact"]).env(MARK, "1").status();
    assert!(again.unwrap().success());
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        if !again_where_it_may_mount("a_full_disk_refuses_writes_and_loses_nothing") {
            eprintln!("SKIPPED: no small disk can be mounted, neither by mount nor by unshare -rm");
        }
        return;
    };
    let home = Home::new();
    let database = disk.path("orders.sqlite");
    let serving = Serving::start(&database, home.path("log"));
    let alice = serving.alice();
    serving.becomes(ServingStatus::Serving).await;
    alice.create(&[("apples", "1")]).ok().await;

    disk.fill();
    let call = alice.create(&[("pears", "1")]).id(Uuid::now_v7());
    let refused = call.clone().refused(ResourceExhausted, "STORAGE_FULL").await;
    assert!(refused.may_be_retried() && refused.message().contains("nothing was done"), "{}", refused.message());
    serving.becomes(ServingStatus::NotServing).await;
    assert_eq!(serving.orders().await, 1, "what is there can be read");
    call.clone().refused(ResourceExhausted, "STORAGE_FULL").await;

    disk.make_room();
    serving.becomes(ServingStatus::Serving).await;
    let created = call.clone().ok().await;
    assert_eq!(call.ok().await, created, "it was done once");
    assert_eq!(serving.orders().await, 2);
    serving.terminate();
    let verified = printed(run(&database, &["verify"]));
    assert!(verified.contains("2 purchase orders") && verified.contains("every invariant holds"), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_disk_refused_does_not_come_back_by_a_crash() {
    let Some(disk) = SmallDisk::mount() else {
        if !again_where_it_may_mount("what_a_full_disk_refused_does_not_come_back_by_a_crash") {
            eprintln!("SKIPPED: no small disk can be mounted, neither by mount nor by unshare -rm");
        }
        return;
    };
    let home = Home::new();
    let database = disk.path("orders.sqlite");
    let serving = Serving::start(&database, home.path("log"));
    serving.alice().create(&[("apples", "1")]).ok().await;
    disk.fill();
    for _ in 0..20 {
        serving.alice().create(&[("pears", "1")]).refused(ResourceExhausted, "STORAGE_FULL").await;
    }

    serving.kill();
    disk.make_room();

    let serving = Serving::start(&database, home.path("log"));
    assert_eq!(serving.orders().await, 1);
    serving.terminate();
    printed(run(&database, &["verify"]));
}

/// The log takes no whole transaction. One frame at its end is enough to overwrite what a COMMIT left there.
#[rstest]
#[case::known(4_200, ResourceExhausted, "STORAGE_FULL")]
#[case::not_known(0, Unknown, "OUTCOME_UNKNOWN")]
#[tokio::test(flavor = "multi_thread")]
async fn an_io_error_at_commit_is_clear_if_the_log_can_be_overwritten(
    #[case] left: u64,
    #[case] code: Code,
    #[case] reason: &str,
) {
    let (home, logs) = (Home::new(), Home::new());
    let database = home.path("orders.sqlite");
    let serving = Serving::start_with_bounded_files(&database, logs.path("log"));
    serving.alice().create(&[("apples", "1")]).ok().await;

    let length = fs::metadata(home.path("orders.sqlite-wal")).unwrap().len();
    serving.bound_files(length + left);
    serving.alice().create(&[("pears", "1")]).refused(code, reason).await;
    assert_eq!(serving.orders().await, 1);
    serving.kill();

    let serving = Serving::start(&database, logs.path("log"));
    assert_eq!(serving.orders().await, 1, "nor does a crash bring it back");
    serving.alice().create(&[("plums", "1")]).ok().await;
    serving.terminate();
    assert!(printed(run(&database, &["verify"])).contains("2 purchase orders"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_that_holds_the_lock_is_told_of_promptly() {
    let database = Database::migrated(Sqlite).unwrap();
    let lock_timeout = Some(Duration::from_millis(800));
    let world = World::set_up(database, Setup { lock_timeout, ..Setup::default() }).await;

    let held = world.database.hold(crate::support::STORE);
    let begun = Instant::now();
    let refused = world.alice().create(&[("apples", "1")]).refused(Unavailable, "DATABASE_UNAVAILABLE").await;
    let took = begun.elapsed();
    held.release();

    println!("refused after {took:?}");
    assert!(took < Duration::from_secs(3) && refused.may_be_retried(), "{took:?}");
    world.alice().create(&[("apples", "1")]).ok().await;
    world.verify().await;
}

/// More than a log may keep.
const LARGE: u64 = 80 << 20;

#[rstest]
#[case::by_the_clock(true)]
#[case::by_the_next_writes(false)]
#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_cut_down_after_a_long_reader(#[case] by_the_clock: bool) {
    let world = World::on(Sqlite).await.unwrap();
    let DatabaseUrl::Sqlite(path) = &world.database.url else { panic!("it is a file") };
    let log = || fs::metadata(format!("{path}-wal")).unwrap().len();
    let mut reader = world.database.session();
    reader.batch("BEGIN; SELECT * FROM store").unwrap();
    let mut writer = world.database.session();
    writer.batch(&format!("CREATE TABLE large (x); INSERT INTO large VALUES (zeroblob({LARGE}))")).unwrap();
    world.prune().await.unwrap();
    world.alice().create(&[("apples", "1")]).ok().await;
    let grown = log();
    assert!(grown > LARGE, "the reader needs it: {grown}");

    reader.batch("ROLLBACK").unwrap();
    if by_the_clock {
        world.prune().await.unwrap();
    } else {
        for _ in 0..3 {
            world.alice().create(&[("apples", "1")]).ok().await;
        }
    }

    println!("the log had {grown} bytes and has {}", log());
    assert!(log() <= 64 << 20, "{}", log());
    writer.batch("DROP TABLE large").unwrap();
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_leaves_one_whole_file() {
    let home = Home::new();
    let database = home.path("orders.sqlite");
    let logs = Home::new();
    let serving = Serving::start(&database, logs.path("log"));
    for _ in 0..5 {
        serving.alice().create(&[("apples", "1")]).ok().await;
    }
    serving.terminate();

    assert_eq!(home.files(), ["orders.sqlite"]);
    let copy = logs.path("copy.sqlite");
    fs::copy(&database, &copy).unwrap();
    assert!(printed(run(&copy, &["verify"])).contains("5 purchase orders"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_copied_without_its_log_is_told_from_one_that_a_crash_left() {
    let home = Home::new();
    let (database, copy) = (home.path("orders.sqlite"), home.path("copy.sqlite"));
    let first = Serving::start(&database, home.path("log"));
    first.becomes(ServingStatus::Serving).await;
    first.terminate();
    let serving = Serving::start(&database, home.path("log"));
    serving.alice().create(&[("apples", "1")]).ok().await;
    assert!(!serving.logged().contains("is missing"), "{}", serving.logged());
    fs::copy(&database, &copy).unwrap();

    let verified = run(&copy, &["verify"]);
    assert!(String::from_utf8_lossy(&verified.stdout).contains("0 purchase orders"), "{verified:?}");
    let text = complaint(verified);
    assert!(text.contains("-wal") && text.contains("backup"), "{text}");
    let text = complaint(run(&copy, &["backup", home.path("hidden.sqlite").to_str().unwrap()]));
    assert!(text.contains("-wal"), "{text}");
    let unaware = Serving::start(&copy, home.path("log-of-copy"));
    assert!(unaware.logged().contains("ERROR") && unaware.logged().contains("is missing"), "{}", unaware.logged());
    unaware.becomes(ServingStatus::Serving).await;
    unaware.terminate();

    // A crash leaves its log, also if somebody looks before the service starts again.
    for looked_at in [false, true] {
        let running = Serving::start(&home.path("crashed.sqlite"), home.path("log-of-crash"));
        running.alice().create(&[("apples", "1")]).ok().await;
        running.kill();
        if looked_at {
            printed(run(&home.path("crashed.sqlite"), &["verify"]));
        }
        let again = Serving::start(&home.path("crashed.sqlite"), home.path("log-of-crash"));
        assert!(!again.logged().contains("is missing"), "{}", again.logged());
        again.kill();
    }
    serving.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_ends_under_writes_and_is_restored_when_nobody_uses_the_database() {
    let home = Home::new();
    let logs = Home::new();
    let (database, backup) = (home.path("orders.sqlite"), logs.path("backup.sqlite"));
    let to = backup.to_str().unwrap();
    let serving = Serving::start(&database, logs.path("log"));
    serving.alice().create(&[("apples", "1")]).ok().await;
    let alice = serving.alice();
    let writing = tokio::spawn(async move {
        loop {
            alice.create(&[("pears", "1")]).ok().await;
        }
    });

    let (source, target) = (database.clone(), to.to_owned());
    let copied = within_timeout(tokio::task::spawn_blocking(move || run(&source, &["backup", &target]))).await.unwrap();
    writing.abort();
    let copied = printed(copied);
    assert!(copied.contains("every invariant holds") && copied.contains(" purchase order"), "{copied}");
    assert_eq!(logs.files(), ["backup.sqlite", "log"], "one file, whole");
    let held = printed(run(&backup, &["verify"]));
    let exists = complaint(run(&database, &["backup", to]));
    assert!(exists.contains("exists"), "{exists}");

    let used = complaint(run(&database, &["restore", to]));
    assert!(used.contains("stop the service"), "{used}");
    serving.terminate();
    let serving = Serving::start(&database, logs.path("log"));
    for _ in 0..5 {
        serving.alice().create(&[("plums", "1")]).ok().await;
    }
    serving.kill();
    assert!(home.files().contains(&"orders.sqlite-wal".to_owned()), "what is replaced has a log: {:?}", home.files());
    let restored = printed(run(&database, &["restore", to]));
    let kept = restored.lines().filter(|line| line.starts_with("kept: ")).count();
    assert!(kept >= 2, "the old file and its log: {restored}");

    let contents = |printed: &str| {
        printed
            .split_once(": ")
            .unwrap()
            .1
            .split_once(": ")
            .map_or_else(|| printed.split_once(": ").unwrap().1.to_owned(), |(_, rest)| rest.to_owned())
    };
    let now = printed(run(&database, &["verify"]));
    assert_eq!(contents(&now), contents(&held), "{now} {held}");
    let serving = Serving::start(&database, logs.path("log"));
    assert!(!serving.logged().contains("is missing"), "{}", serving.logged());
    serving.alice().create(&[("apples", "1")]).ok().await;
    serving.terminate();
    // What was replaced is whole too.
    let old = home
        .files()
        .into_iter()
        .find(|name| name.contains("replaced") && !name.contains("-wal") && !name.contains("-shm"));
    printed(run(&home.path(&old.unwrap()), &["verify"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sound_is_neither_copied_nor_restored() {
    let home = Home::new();
    let (database, backup) = (home.path("orders.sqlite"), home.path("backup.sqlite"));
    let serving = Serving::start(&database, home.path("log"));
    serving.alice().create(&[("apples", "1")]).ok().await;
    serving.terminate();
    printed(run(&database, &["backup", backup.to_str().unwrap()]));
    let unsound = |file: &Path| {
        let url = DatabaseUrl::Sqlite(file.display().to_string());
        let mut session = Session::connect(&url, Purpose::Operate, None).unwrap();
        session.batch("UPDATE store SET open_orders = open_orders + 1").unwrap();
    };
    let before = home.files();

    unsound(&backup);
    let refused = complaint(run(&database, &["restore", backup.to_str().unwrap()]));
    assert!(refused.contains("nothing was replaced"), "{refused}");
    assert!(printed(run(&database, &["verify"])).contains("every invariant holds"));
    unsound(&database);
    let refused = complaint(run(&database, &["backup", home.path("second.sqlite").to_str().unwrap()]));
    assert!(refused.contains("invariant"), "{refused}");

    assert_eq!(home.files().into_iter().filter(|name| !name.ends_with(".lock")).collect::<Vec<_>>(), before);
}

#[test]
fn a_server_s_database_is_left_to_its_own_tools() {
    let Some(database) = Database::migrated(Postgres) else { return };
    for command in ["backup", "restore"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_purchase-order-service"));
        program.env_clear().args([command, "/nowhere/x.sqlite", "--database-url", &database.url_text()]);
        let refused = complaint(program.output().unwrap());
        assert!(refused.contains("pg_dump"), "{refused}");
    }
}
