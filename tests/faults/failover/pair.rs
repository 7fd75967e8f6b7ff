//! A primary and its standby, and what happens to them.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::support::find_programs;

/// See the module. Gone when this is dropped, or this process is.
pub struct Pair {
    dir: PathBuf,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    _supervisor: Child,
}

impl Pair {
    /// Starts both; `None` if there is no PostgreSQL to be had.
    pub fn start() -> Option<Self> {
        let mut supervisor = Command::new("sh")
            .args(["-c", include_str!("pair.sh"), "pair"])
            .arg(find_programs()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for this process: the supervisor sees it end.
            .process_group(0)
            .spawn()
            .expect("there is a shell");
        let commands = supervisor.stdin.take().expect("it is piped");
        let answers = BufReader::new(supervisor.stdout.take().expect("it is piped"));
        let mut pair = Self { dir: PathBuf::new(), commands, answers, _supervisor: supervisor };
        pair.dir = PathBuf::from(pair.answer());
        Some(pair)
    }

    /// Where the first primary listens.
    pub fn primary(&self) -> PathBuf {
        self.dir.join("first")
    }

    /// Where its standby listens.
    pub fn standby(&self) -> PathBuf {
        self.dir.join("second")
    }

    /// Ends the primary at once.
    pub fn kill_primary(&mut self) {
        self.tell("kill");
    }

    /// Makes the standby the primary.
    pub fn promote_standby(&mut self) {
        self.tell("promote");
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").expect("the supervisor listens");
        assert_eq!(self.answer(), "done");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the supervisor can be heard");
        assert!(!line.is_empty(), "the supervisor has ended");
        line.trim().to_owned()
    }
}
