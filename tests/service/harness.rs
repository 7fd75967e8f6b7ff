//! The harness itself: a private cluster never outlives the process that started it.

use std::env;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{Cluster, Database, Engine, cluster};

const OTHER_PROCESS: &str = "harness::holds_a_cluster_until_its_input_ends";

#[test]
#[ignore = "the other process of the tests below"]
fn holds_a_cluster_until_its_input_ends() {
    let _database = Database::migrated(Engine::Postgres);
    if let Some(Cluster::Private { dir, .. }) = cluster() {
        println!("\ncluster={}\nready", dir.display());
        stdin().read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn no_cluster_is_left_behind_when_a_test_process_ends() {
    let Some((mut process, dir)) = start_other_process() else { return };
    drop(process.stdin.take());
    assert_gone_after(process, &dir);
}

#[test]
fn no_cluster_is_left_behind_when_a_test_process_is_killed() {
    let Some((mut process, dir)) = start_other_process() else { return };
    process.kill().unwrap();
    assert_gone_after(process, &dir);
}

/// Starts a process that starts a cluster, and the directory of that; `None` where tests use a server
/// that somebody else runs, or none.
fn start_other_process() -> Option<(Child, PathBuf)> {
    let Some(Cluster::Private { .. }) = cluster() else { return None };
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", OTHER_PROCESS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let output: Vec<String> = output.take_while(|line| line != "ready").collect();
    let dir = output.iter().find_map(|line| line.strip_prefix("cluster=")).map(PathBuf::from);
    let dir = dir.unwrap_or_else(|| panic!("it started no cluster: {output:?}"));
    assert!(dir.exists());
    Some((process, dir))
}

/// The cluster's supervisor writes to the process's standard error, which therefore ends with it.
fn assert_gone_after(mut process: Child, dir: &Path) {
    let mut output = String::new();
    process.stderr.take().unwrap().read_to_string(&mut output).unwrap();
    process.wait().unwrap();
    assert!(!dir.exists(), "{} is left behind: {output}", dir.display());
}
