//! The shape of the code, as absences that this test holds: who may know whom, where SQL lives, what
//! the rules must never reach for. It reads the sources as text.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may know whom. What is not named here may not be known; a module always knows itself. The
/// composition root, `main`, `lib` and the commands see everything.
const KNOWS: [(&str, &[&str]); 15] = [
    ("domain", &[]),
    ("clock", &["domain"]),
    ("ids", &["domain"]),
    ("auth", &["domain", "reload"]),
    ("transport", &["auth", "domain", "reload"]),
    ("reload", &[]),
    ("repository", &["domain"]),
    // Those who measure know it, and it knows nobody.
    ("metrics", &[]),
    ("traces", &[]),
    ("workers", &["domain", "repository", "clock", "metrics", "traces"]),
    ("pruner", &["domain", "repository", "clock"]),
    // Which triggers guard the ledger is asked of each database's own catalogue.
    ("verify", &["repository::session", "repository::error", "repository::dialect"]),
    // A handler has no session: what it reads it reads by functions that judge access first.
    (
        "rpc",
        &[
            "auth",
            "domain",
            "transport",
            "workers",
            "repository::read",
            "clock",
            "proto",
            "metrics",
            "telemetry",
            "traces",
        ],
    ),
    ("proto", &[]),
    ("telemetry", &[]),
];
const ROOTS: [&str; 6] = ["cli", "config", "demo", "lib", "main", "server"];

/// What some modules must not name at all.
const ABSENT: [(&[&str], &[&str], &str); 5] = [
    (
        &["domain"],
        &["tonic", "prost", "prost_types", "diesel", "tokio", "rand", "Instant", "SystemTime", "env", "thread", "fs"],
        "rules are pure: what they need is handed in",
    ),
    (&["domain", "repository"], &["now_v7", "new_v4", "now_utc"], "time and ids are handed in"),
    (
        &[
            "auth",
            "cli",
            "clock",
            "config",
            "demo",
            "transport",
            "ids",
            "workers",
            "main",
            "metrics",
            "proto",
            "pruner",
            "rpc",
            "server",
            "telemetry",
            "traces",
        ],
        &["diesel"],
        "SQL lives in repository and verify",
    ),
    (
        &[
            "auth",
            "clock",
            "domain",
            "transport",
            "ids",
            "metrics",
            "workers",
            "pruner",
            "reload",
            "repository",
            "verify",
        ],
        &["Status"],
        "a Status is made by rpc alone",
    ),
    (
        &["auth", "domain", "transport", "metrics", "traces", "workers", "pruner", "repository", "verify"],
        &["proto", "v1"],
        "no message goes below rpc",
    ),
];

/// A source file: its module path from the crate's root, and its code without comments and tests.
struct Source {
    path: PathBuf,
    module: Vec<String>,
    code: String,
}

impl Source {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap();
        let code = shipped.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n");
        let module = path.strip_prefix(root()).unwrap().with_extension("");
        let mut module: Vec<String> = module.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        Self { path, module, code }
    }

    /// The top-level module it belongs to.
    fn area(&self) -> &str {
        &self.module[0]
    }

    /// The module paths that it names, from the crate's root on: `repository::read`.
    fn known(&self) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        for path in paths(&self.code) {
            let parts: Vec<&str> = path.split("::").collect();
            let supers = parts.iter().take_while(|part| **part == "super").count();
            let absolute: Vec<&str> = match parts[0] {
                "crate" => parts[1..].to_vec(),
                "super" => {
                    let from = self.module.len().checked_sub(supers).expect("no path leads out of the crate");
                    self.module[..from].iter().map(String::as_str).chain(parts[supers..].iter().copied()).collect()
                }
                _ => continue,
            };
            known.insert(absolute.iter().take(2).copied().collect::<Vec<_>>().join("::"));
        }
        known
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == "rs") => found.push(Source::read(path)),
                false => {}
            }
        }
    }
    assert!(found.len() > 50, "the sources are found");
    found
}

/// Every `a::b::c` of a text, and every single word.
fn paths(code: &str) -> impl Iterator<Item = &str> {
    let in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    code.split(move |c| !in_path(c)).map(|path| path.trim_matches(':')).filter(|path| !path.is_empty())
}

fn words(code: &str) -> BTreeSet<&str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect()
}

#[test]
fn every_module_knows_only_whom_it_may() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !ROOTS.contains(&source.area())) {
        let Some((area, may)) = KNOWS.iter().find(|(area, _)| *area == source.area()) else {
            wrong.push(format!("{} belongs to no known area", source.path.display()));
            continue;
        };
        let is_allowed = |known: &str| {
            let within = |scope: &str| known == scope || known.starts_with(&format!("{scope}::"));
            within(area) || may.iter().any(|scope| within(scope))
        };
        for known in source.known().iter().filter(|known| !is_allowed(known)) {
            wrong.push(format!("{} knows {known}", source.path.display()));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn what_must_be_absent_is_absent() {
    let mut wrong = Vec::new();
    for source in sources() {
        let words = words(&source.code);
        for (areas, absent, why) in &ABSENT {
            if areas.contains(&source.area()) {
                let named = absent.iter().filter(|word| words.contains(**word));
                wrong.extend(named.map(|word| format!("{} names {word}: {why}", source.path.display())));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// A read proves with an `AccessCheck` that its caller may see the store, and a command is judged by its
/// envelope's principal. Only the guard's `Call` may make them: a handler that made one up could act for
/// somebody else, or with a weaker requirement than the policy's.
#[test]
fn in_rpc_only_the_call_makes_proofs_of_access() {
    let made =
        ["AccessCheck::new", "AccessCheck {", "PermittedStores::new", "PermittedStores {", "Envelope {", "Principal {"];
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.area() == "rpc") {
        let is_call = source.module == ["rpc", "guard", "call"];
        for expression in made.iter().filter(|expression| source.code.contains(**expression)) {
            // A pattern or a return type is written the same way; there is none in rpc.
            if !is_call {
                wrong.push(format!("{} has {expression}", source.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// What a caller may not see is unset where a response is made. Health has no costs, and no caller.
#[test]
fn in_rpc_only_the_redaction_makes_responses() {
    let makers = [vec!["rpc", "costs"], vec!["rpc", "health"]];
    let mut made = Vec::new();
    for source in sources().iter().filter(|source| source.area() == "rpc" && source.code.contains("Response::new")) {
        made.push(source.module.clone());
    }
    made.sort();
    assert_eq!(made, makers);
}

/// Each service has a folder, and each mutating rpc a file in it; see `src/rpc/mod.rs`.
#[test]
fn every_mutating_rpc_has_a_file_of_its_own() {
    let submitting: Vec<Source> =
        sources().into_iter().filter(|source| source.area() == "rpc" && source.code.contains("app.submit(")).collect();
    assert!(submitting.len() >= 16, "the mutating rpcs are found: {}", submitting.len());
    let several: Vec<&PathBuf> = submitting
        .iter()
        .filter(|source| source.code.matches("app.submit(").count() > 1)
        .map(|source| &source.path)
        .collect();
    assert!(several.is_empty(), "files with several mutating rpcs: {several:?}");
}

#[test]
fn only_the_repository_asks_which_database_it_is() {
    let kinds = ["DatabaseUrl::Sqlite", "DatabaseUrl::Postgres", "Backend::Sqlite", "Backend::Postgres"];
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.area() != "repository") {
        let named = kinds.iter().filter(|kind| paths(&source.code).any(|path| path.ends_with(*kind)));
        wrong.extend(named.map(|kind| format!("{} names {kind}", source.path.display())));
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_file_says_why_it_exists_and_is_about_one_thing() {
    let mut wrong = Vec::new();
    for source in sources() {
        let text = fs::read_to_string(&source.path).unwrap();
        let name = source.path.display();
        if !text.starts_with("//! ") {
            wrong.push(format!("{name} does not begin by saying why it exists"));
        }
        // The tests of a rule stand in its own file; they do not make the file about two things.
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > 600 {
            wrong.push(format!("{name} has {lines} lines before its tests"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn imports_begin_at_one_place_each() {
    let grouped =
        sources().into_iter().filter(|source| source.code.contains("crate::{") && !ROOTS.contains(&source.area()));
    let grouped: Vec<PathBuf> = grouped.map(|source| source.path).collect();
    assert!(grouped.is_empty(), "the other tests here could not read {grouped:?}");
}

#[test]
fn the_tests_that_the_page_on_reliability_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let named: BTreeSet<&str> = page.split('`').filter(|text| text.starts_with("tests/")).collect();
    assert!(named.len() > 5, "it names tests: {named:?}");
    for path in named {
        assert!(root.join(path).exists(), "{path} is named and not there");
    }
}
