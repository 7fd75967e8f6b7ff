//! Who kills, paced by how many intentions were answered, and how long each recovery takes.

use std::net::TcpListener;
use std::ops::Range;
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::QueryableByName;
use diesel::sql_types::Integer;
use fastrand::Rng;
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::support::server_process::ServerProcess;
use crate::support::{Database, Engine};

/// So many intentions are answered after a recovery before the next kill.
pub const PAUSE: Range<usize> = 10..40;
/// Below the ports that outgoing connections take (ip_local_port_range), so that no client's can have
/// the program's while that is being started again.
const PORTS: Range<u16> = 20_000..30_000;
/// How long the server may take to notice that one of its processes was killed.
const DEAD_WITHIN: Duration = Duration::from_secs(30);

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The service.
    Program,
    /// PostgreSQL.
    Server,
}

/// Runs the program at one address, and kills.
pub struct Killer<'d> {
    database: &'d Database,
    rng: Rng,
    listen: String,
    /// `None` only between a kill and the start that follows.
    program: Option<ServerProcess>,
}

/// How long it took from each kill to the next answer.
#[derive(Default)]
pub struct Recovered(Vec<(Victim, Duration)>);

#[derive(QueryableByName)]
struct Process {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

impl<'d> Killer<'d> {
    pub fn begin(database: &'d Database, mut rng: Rng) -> Self {
        let listen = loop {
            let address = format!("127.0.0.1:{}", Rng::new().u16(PORTS));
            if TcpListener::bind(&address).is_ok() {
                break address;
            }
        };
        let rng = rng.fork();
        let mut killer = Self { database, rng, listen, program: None };
        killer.start();
        killer
    }

    fn start(&mut self) {
        self.program = Some(ServerProcess::on(self.database, &["--listen", &self.listen]));
    }

    /// Another way to the program, whichever process that is.
    pub fn channel(&self) -> Channel {
        self.program.as_ref().unwrap().channel()
    }

    /// Kills one after the other, each after some answers, and measures how long it takes to the next.
    pub async fn kill(&mut self, victims: &[Victim], mut progress: watch::Receiver<usize>) -> Recovered {
        let mut recovered = Recovered::default();
        let mut answers = 0;
        for victim in victims {
            let enough = answers + self.rng.usize(PAUSE);
            if progress.wait_for(|count| *count >= enough).await.is_err() {
                break;
            }
            let killed = Instant::now();
            self.kill_one(*victim);
            // What was answered before it was dead is no recovery.
            answers = *progress.borrow_and_update();
            match progress.wait_for(|count| *count > answers).await {
                Ok(count) => answers = *count,
                Err(_) => break,
            }
            recovered.0.push((*victim, killed.elapsed()));
        }
        recovered
    }

    fn kill_one(&mut self, victim: Victim) {
        match victim {
            // Dropped, it is killed and waited for.
            Victim::Program => {
                drop(self.program.take());
                self.start();
            }
            Victim::Server => {
                let mut session = self.database.session();
                let writer = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'";
                let writer: Vec<Process> = session.load(diesel::sql_query(writer)).unwrap();
                let killed = Command::new("kill").args(["-KILL", &writer[0].pid.to_string()]).status().unwrap();
                assert!(killed.success());
                // Until its sessions are dead it goes on answering.
                let begun = Instant::now();
                while session.batch("SELECT 1").is_ok() {
                    assert!(begun.elapsed() < DEAD_WITHIN, "the server lives on");
                }
            }
        }
    }
}

impl Recovered {
    pub fn kills(&self) -> usize {
        self.0.len()
    }

    /// Tells the median and the worst, by who was killed.
    pub fn print(&self, on: Engine) {
        for victim in [Victim::Program, Victim::Server] {
            let mut took: Vec<Duration> =
                self.0.iter().filter(|(who, _)| *who == victim).map(|(_, took)| *took).collect();
            took.sort();
            if let Some(worst) = took.last() {
                let median = took[took.len() / 2];
                println!(
                    "{on:?}: {} kills of the {victim:?}: recovered in {median:?} (median), {worst:?} (worst)",
                    took.len()
                );
            }
        }
    }
}
