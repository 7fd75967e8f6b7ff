//! The walk over the contract's descriptors: no rpc without a story and without documented reasons,
//! and no reason that only the code or only the contract knows.

use std::collections::{BTreeMap, BTreeSet};
use std::env::current_exe;
use std::process::Command;

use tonic::Code;

use crate::contract::documented::{CONTRACT, Reasons, reason_text};

/// Modules of this suite that tell no story.
const NO_STORIES: [&str; 3] = ["documented", "tokens", "walk"];

/// The tests of this suite, as the binary lists them: `stores::get_store::on_1_Sqlite`.
fn tests() -> Vec<String> {
    let listed = Command::new(current_exe().unwrap()).args(["--list", "--format", "terse"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let tests = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    tests.filter_map(|test| test.strip_prefix("contract::")).map(str::to_owned).collect()
}

#[test]
fn every_rpc_has_a_story_on_both_databases() {
    let tests = tests();
    let is_story = |test: &&String| !NO_STORIES.iter().any(|module| test.starts_with(&format!("{module}::")));
    let documented: BTreeSet<&str> =
        tests.iter().filter(is_story).filter_map(|test| Some(test.split_once("::")?.1)).collect();
    let engines = ["on_1_Sqlite", "on_2_Postgres"];
    let stories = CONTRACT.rpcs.iter().flat_map(|rpc| engines.map(|engine| format!("{}::{engine}", rpc.story)));
    let stories: BTreeSet<String> = stories.collect();
    let stories: BTreeSet<&str> = stories.iter().map(String::as_str).collect();
    assert_eq!(stories.difference(&documented).collect::<Vec<_>>(), [&""; 0], "rpcs without a story");
    assert_eq!(documented.difference(&stories).collect::<Vec<_>>(), [&""; 0], "stories without an rpc");
    assert!(documented.len() >= 60, "the contract is found: {documented:?}");
}

#[test]
fn every_rpc_documents_its_reasons() {
    let silent = CONTRACT.rpcs.iter().filter(|rpc| rpc.reasons.is_none()).map(|rpc| &rpc.path);
    assert_eq!(silent.collect::<Vec<_>>(), [""; 0]);
    assert!(!CONTRACT.common.is_empty() && !CONTRACT.common_to_mutations.is_empty());
    let common: Reasons = CONTRACT.common.union(&CONTRACT.common_to_mutations).cloned().collect();
    for rpc in &CONTRACT.rpcs {
        let own = rpc.reasons.clone().unwrap_or_default();
        let twice: Vec<_> = own.intersection(&common).collect();
        assert_eq!(twice, [""; 0], "{}: what every rpc may answer", rpc.path);
    }
}

#[test]
fn each_reason_has_one_code() {
    let codes: BTreeSet<String> = (0..=16).map(|code| reason_text(Code::from(code), "")).collect();
    let mut by_reason: BTreeMap<String, String> = BTreeMap::new();
    for text in everywhere() {
        let (code, reason) = text.split_once(", ").unwrap();
        assert!(codes.contains(&format!("{code}, ")), "{text}: {code} is no code");
        let other = by_reason.insert(reason.to_owned(), code.to_owned());
        assert_eq!(other.filter(|other| other != code), None, "{text}: it has another code elsewhere");
    }
}

#[test]
fn code_and_contract_know_the_same_reasons() {
    let sources = [
        include_str!("../../../src/domain/refusal.rs"),
        include_str!("../../../src/auth/error.rs"),
        include_str!("../../../src/workers/error.rs"),
        include_str!("../../../src/rpc/errors/transport_fault.rs"),
    ];
    let lines = sources.iter().flat_map(|source| source.lines());
    let arms = lines.filter_map(|line| line.trim().strip_suffix("\",")?.split_once("=> \""));
    let known: BTreeSet<&str> = arms.map(|(_, reason)| reason).collect();
    let documented = everywhere();
    let documented: BTreeSet<&str> = documented.iter().filter_map(|text| Some(text.split_once(", ")?.1)).collect();
    assert_eq!(known, documented);
}

/// Every reason that the contract names.
fn everywhere() -> Reasons {
    let own = CONTRACT.rpcs.iter().filter_map(|rpc| rpc.reasons.as_ref()).flatten();
    let common = CONTRACT.common.iter().chain(&CONTRACT.common_to_mutations);
    own.chain(common).chain(&CONTRACT.of_others).cloned().collect()
}
