//! The rpcs of the contract that hold a field in their requests.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::FileDescriptorSet;
use purchase_order_service::proto::DESCRIPTORS;

/// The paths of all rpcs whose request has this field.
pub fn rpcs_with(field: &str) -> BTreeSet<String> {
    let contract = FileDescriptorSet::decode(DESCRIPTORS).expect("the contract can be read");
    let mut holders = BTreeSet::new();
    for message in contract.file.iter().flat_map(|file| file.message_type.iter().map(move |message| (file, message))) {
        let (file, message) = message;
        if message.field.iter().any(|held| held.name() == field) {
            holders.insert(format!(".{}.{}", file.package(), message.name()));
        }
    }
    let mut paths = BTreeSet::new();
    for file in &contract.file {
        for service in &file.service {
            let holding = service.method.iter().filter(|method| holders.contains(method.input_type()));
            paths.extend(holding.map(|method| format!("/{}.{}/{}", file.package(), service.name(), method.name())));
        }
    }
    paths
}

/// Checks that a table has a row for each rpc with this field, one, and no other row.
pub fn assert_covers<'a>(paths: impl IntoIterator<Item = &'a str>, field: &str) {
    let mut uncovered = rpcs_with(field);
    assert!(!uncovered.is_empty(), "no request has a field {field}");
    for path in paths {
        assert!(uncovered.remove(path), "{path} has no {field}, or a row already");
    }
    assert_eq!(uncovered, BTreeSet::new(), "rpcs with a {field} and without a row");
}
