//! Why a call is refused, and what the refusal must tell its caller.

use tonic::Status;
use tonic_types::StatusExt;

use crate::support::reason;

/// What a refusal is known by.
pub type Reason = &'static str;

/// A refusal, and what it must say in its message or its metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    pub reason: Reason,
    pub says: Vec<String>,
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self { reason, says: Vec::new() }
    }
}

pub fn refused<T>(reason: Reason, says: impl IntoIterator<Item = String>) -> Result<T, Refused> {
    Err(Refused { reason, says: says.into_iter().collect() })
}

pub fn ensure(holds: bool, otherwise: Reason) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// Nothing may be wrong with any line; if something is, the lines are named.
pub fn ensure_no_line(lines: Vec<i32>, otherwise: Reason) -> Result<(), Refused> {
    if lines.is_empty() { Ok(()) } else { refused(otherwise, [line_numbers(&lines)]) }
}

/// How the metadata of a refusal names lines.
pub fn line_numbers(lines: &[i32]) -> String {
    format!("line_numbers={}", lines.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
}

/// What the service refused with, in the terms of what is expected: of that, only what it says.
pub fn told(status: &Status, expected: &[String]) -> (String, Vec<String>) {
    let details = status.get_error_details();
    let metadata = details.error_info().map(|info| info.metadata.clone()).unwrap_or_default();
    let is_said = |fact: &&String| match fact.split_once('=') {
        Some((key, value)) => metadata.get(key).is_some_and(|said| said == value),
        None => status.message().contains(fact.as_str()),
    };
    (reason(status), expected.iter().filter(is_said).cloned().collect())
}
