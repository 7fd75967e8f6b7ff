//! What a refusal says, for a program that must react to it.

use std::collections::BTreeMap;

use tonic::{Code, Status};
use tonic_types::StatusExt;

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
        let said = (status.code(), info.map_or("", |info| info.reason.as_str()));
        assert_eq!(said, (code, reason), "{request}\n  was refused otherwise: {status:?}");
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

    /// Checks which fields it names, all of them and in this order.
    pub fn names_fields(self, fields: &[&str]) -> Self {
        let details = self.status.get_error_details();
        let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
        let named: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(named, fields, "{}\n  {violations:?}", self.request);
        assert!(violations.iter().all(|violation| !violation.description.is_empty()), "{violations:?}");
        self
    }

    /// Everything that it says.
    pub fn said(&self) -> (Code, String, String) {
        let details = self.status.get_error_details();
        let metadata = details.error_info().map(|info| info.metadata.iter().collect::<BTreeMap<_, _>>());
        (self.status.code(), self.message().to_owned(), format!("{metadata:?} {:?}", details.bad_request()))
    }
}
