//! What a refusal says, for a program that must react to it.

use std::collections::{BTreeMap, BTreeSet};

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The reason that a refusal gives.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details.error_info().map(|info| info.reason.clone()).unwrap_or_else(|| format!("no reason: {status:?}"))
}

/// A refusal whose code and reason are the expected ones.
pub struct Refused {
    request: String,
    status: Status,
}

impl Refused {
    /// Checks what every refusal owes its caller: the code, the reason in the contract's domain, a
    /// message, and nothing of the driver's.
    pub(super) fn new(request: String, status: Status, code: Code, reason: &str) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let outcome = (status.code(), info.map_or("", |info| info.reason.as_str()));
        assert_eq!(outcome, (code, reason), "{request}\n  was refused otherwise: {status:?}");
        assert_eq!(info.map(|info| info.domain.as_str()), Some("purchasing.v1"), "{request}");
        assert!(!status.message().is_empty(), "{request}: {reason} says nothing to a person");
        for word in ["SQL", "sqlite", "diesel", "constraint", "relation", "src/"] {
            assert!(!status.message().contains(word), "{request} tells of its insides: {}", status.message());
        }
        Self { request, status }
    }

    /// What a person reads.
    pub fn message(&self) -> &str {
        self.status.message()
    }

    /// A value of its metadata.
    pub fn metadata(&self, key: &str) -> String {
        let details = self.status.get_error_details();
        let metadata = details.error_info().map(|info| info.metadata.clone()).unwrap_or_default();
        let value = metadata.get(key).cloned();
        value.unwrap_or_else(|| panic!("{}\n  its refusal has no {key} in {metadata:?}", self.request))
    }

    /// Checks which fields it names: these and no others.
    pub fn names_fields(self, fields: &[&str]) -> Self {
        let details = self.status.get_error_details();
        let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
        let named: BTreeSet<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(named, fields.iter().copied().collect(), "{}\n  {violations:?}", self.request);
        assert_eq!(violations.len(), fields.len(), "{}\n  {violations:?}", self.request);
        assert!(violations.iter().all(|violation| !violation.description.is_empty()), "{violations:?}");
        self
    }

    /// Whether it tells a client when to try again.
    pub fn may_be_retried(&self) -> bool {
        self.status.get_error_details().retry_info().is_some()
    }

    /// Everything that it says.
    pub fn parts(&self) -> (Code, String, String) {
        let details = self.status.get_error_details();
        let metadata = details.error_info().map(|info| info.metadata.iter().collect::<BTreeMap<_, _>>());
        (self.status.code(), self.message().to_owned(), format!("{metadata:?} {:?}", details.bad_request()))
    }
}
