//! Words that the project has retired do not come back: each was a metaphor, or a second word for
//! something that has a standard term.

use std::fs;
use std::path::{Path, PathBuf};

/// A retired word or phrase, and what to write instead.
const RETIRED: [(&str, &str); 23] = [
    ("begun again", "retried"),
    ("door", "transport"),
    ("first answers", "stored responses"),
    ("greeting", "handshake"),
    ("lane", "writer"),
    ("lanes", "writers"),
    ("nasty", "malformed"),
    ("occupancy", "resource limits"),
    ("outlook", "inbound stock"),
    ("patiently", "within a timeout"),
    ("reckon", "compute"),
    ("reckoned", "computed"),
    ("request record", "stored response"),
    ("request records", "stored responses"),
    ("seat", "in-flight work"),
    ("settlement", "disposition"),
    ("settlements", "dispositions"),
    ("shelf", "entity map"),
    ("standing receipt", "active receipt"),
    ("standing receipts", "active receipts"),
    ("tenure", "validity period"),
    ("whoever", "the caller who, or each caller"),
    ("workspace", "working set"),
];

const SEARCHED: [&str; 15] = [
    "build",
    "src",
    "proto",
    "migrations",
    "docs",
    "tests",
    "examples",
    "benches",
    "deploy",
    ".ci",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "Cargo.toml",
    "deny.toml",
];

/// Folders that hold what the example clients install and generate.
const SKIPPED: [&str; 3] = ["node_modules", "generated", "dist"];

#[test]
fn retired_words_do_not_come_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in SEARCHED {
        let place = root.join(place);
        assert!(place.exists(), "{} is to be searched, and is not there", place.display());
        collect(&place, &mut files);
    }
    assert!(files.len() > 200, "the project's files are found: {}", files.len());
    let mut found = Vec::new();
    for path in files.iter().filter(|path| !path.ends_with("tests/service/plain_words.rs")) {
        let name = path.strip_prefix(root).unwrap().display();
        let text = fs::read_to_string(path).unwrap();
        // Phrases may be broken between lines, so the text is searched as a whole.
        let words = format!(" {} {} ", words_of(&name.to_string()), words_of(&text));
        for (retired, instead) in RETIRED {
            if words.contains(&format!(" {retired} ")) {
                found.push(format!("{name}: '{retired}'; write '{instead}'"));
            }
        }
    }
    assert!(found.is_empty(), "{} retired words:\n{}", found.len(), found.join("\n"));
}

fn collect(place: &Path, files: &mut Vec<PathBuf>) {
    if SKIPPED.iter().any(|folder| place.ends_with(folder)) {
        return;
    }
    if place.is_dir() {
        for entry in fs::read_dir(place).unwrap() {
            collect(&entry.unwrap().path(), files);
        }
    } else if fs::read_to_string(place).is_ok() {
        files.push(place.to_owned());
    }
}

/// The words of a text in lower case, parts of identifiers apart: `store_lane`, `StoreLane` and
/// "store lane" are all `store lane`. Marks of comments between two lines are left out.
fn words_of(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut before = ' ';
    for character in text.chars() {
        if character.is_alphabetic() {
            if character.is_uppercase() && before.is_lowercase() {
                words.push(' ');
            }
            words.extend(character.to_lowercase());
        } else if !words.ends_with(' ') {
            words.push(' ');
        }
        before = character;
    }
    words
}

#[test]
fn words_are_found_in_prose_and_in_identifiers() {
    let cases = [
        ("store_lane", "store lane"),
        ("StoreLane", "store lane"),
        ("a request\n    /// record.", "a request record "),
        ("LANES=4", "lanes "),
    ];
    for (text, expected) in cases {
        assert_eq!(words_of(text), expected, "{text}");
    }
}
