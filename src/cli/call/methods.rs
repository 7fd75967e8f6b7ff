//! The methods of a contract by the names that people type: `StoreService/GetStore`.

use std::sync::LazyLock;

use clap::Arg;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::Error;
use prost_reflect::{DescriptorPool, MethodDescriptor};

use crate::cli::CommandError;
use crate::proto::DESCRIPTORS;

/// The package whose name can be left out, as that of every other package can if no two services have the same name.
const PACKAGE: &str = "purchasing.v1.";
/// How alike two names must be, from 0 to 1, for one to be proposed in place of the other.
const ALIKE: f64 = 0.85;
/// How many names are proposed.
const PROPOSED: usize = 3;

/// The contract of this version of the program, with the service for health.
pub fn built_in() -> Result<DescriptorPool, CommandError> {
    let mut pool = DescriptorPool::decode(DESCRIPTORS)?;
    pool.decode_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)?;
    Ok(pool)
}

/// All methods, in the order of their services.
pub fn all(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let mut services: Vec<_> = pool.services().collect();
    services.sort_by_key(|service| service.full_name().to_owned());
    services.iter().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// A method's full name, as it is called on the wire: `purchasing.v1.StoreService/GetStore`.
pub fn full_name(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

/// The name that is shown: without the package if that is the contract's.
pub fn shown(method: &MethodDescriptor) -> String {
    let name = full_name(method);
    name.strip_prefix(PACKAGE).map_or_else(|| name.clone(), str::to_owned)
}

/// The service in a method's name, if there is one.
pub fn service_of(name: &str) -> &str {
    name.trim_start_matches('/').split_once('/').map_or("", |(service, _)| service)
}

/// Whether a full name, of a method, a service or a message, is meant by one that was typed: its package may be left out.
pub fn is_meant(full_name: &str, typed: &str) -> bool {
    !typed.is_empty() && full_name.strip_suffix(typed).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The one method that is meant. The error proposes others.
pub fn find(pool: &DescriptorPool, typed: &str) -> Result<MethodDescriptor, CommandError> {
    let typed = typed.trim_start_matches('/');
    let mut found: Vec<_> = all(pool).into_iter().filter(|method| is_meant(&full_name(method), typed)).collect();
    // The one that is taken out must have been the only one.
    match (found.pop(), found.is_empty()) {
        (Some(method), true) => Ok(method),
        (None, _) => Err(unknown(pool, typed).into()),
        (Some(last), false) => {
            found.push(last);
            let names = found.iter().map(full_name).collect::<Vec<_>>().join(", ");
            Err(format!("'{typed}' may be {names}: name the package too").into())
        }
    }
}

fn unknown(pool: &DescriptorPool, typed: &str) -> String {
    let methods = all(pool);
    let of_service: Vec<&MethodDescriptor> =
        methods.iter().filter(|method| is_meant(method.parent_service().full_name(), service_of(typed))).collect();
    let candidates = if of_service.is_empty() { methods.iter().collect() } else { of_service.clone() };
    let proposed = nearest(&candidates, typed);
    let instead = match (proposed.is_empty(), of_service.is_empty()) {
        (false, _) => format!("did you mean {}?", proposed.join(", ")),
        (true, false) => format!("there are {}", of_service.into_iter().map(shown).collect::<Vec<_>>().join(", ")),
        (true, true) => "a method is named as in StoreService/GetStore".to_owned(),
    };
    format!("there is no method '{typed}': {instead} `call --list` lists all")
}

/// The names that are most like the one that was typed, or whose method alone is.
fn nearest(candidates: &[&MethodDescriptor], typed: &str) -> Vec<String> {
    let typed = typed.to_lowercase();
    let typed_method = typed.rsplit(['/', '.']).next().unwrap_or_default();
    let mut rated: Vec<(f64, String)> = Vec::new();
    for method in candidates {
        let whole = strsim::jaro_winkler(&shown(method).to_lowercase(), &typed);
        let name_alone = strsim::jaro_winkler(&method.name().to_lowercase(), typed_method);
        // Names of one service are alike because of the service, which says little.
        let likeness = if typed.contains(['/', '.']) { name_alone } else { whole.max(name_alone) };
        rated.push((likeness, shown(method)));
    }
    rated.retain(|(likeness, _)| *likeness >= ALIKE);
    rated.sort_by(|one, other| other.0.total_cmp(&one.0));
    rated.into_iter().take(PROPOSED).map(|(_, name)| name).collect()
}

/// Takes any name, and proposes the methods of this version to the shell that completes a command line. Any other name is
/// taken too, because the server may be of another version.
#[derive(Clone, Copy, Debug)]
pub struct MethodName;

/// The names live as long as the program, as those of all other options and values do.
static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| built_in().map(|pool| all(&pool).iter().map(shown).collect()).unwrap_or_default());

impl TypedValueParser for MethodName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(names().map(PossibleValue::new)))
    }
}

/// The methods of this version.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::{built_in, find, full_name, names};

    #[test]
    fn a_method_is_found_with_and_without_its_package() {
        let pool = built_in().unwrap();
        for (typed, expected) in [
            ("StoreService/GetStore", "purchasing.v1.StoreService/GetStore"),
            ("purchasing.v1.StoreService/GetStore", "purchasing.v1.StoreService/GetStore"),
            ("/purchasing.v1.StoreService/GetStore", "purchasing.v1.StoreService/GetStore"),
            ("v1.StoreService/GetStore", "purchasing.v1.StoreService/GetStore"),
            ("grpc.health.v1.Health/Check", "grpc.health.v1.Health/Check"),
            ("Health/Check", "grpc.health.v1.Health/Check"),
        ] {
            assert_eq!(full_name(&find(&pool, typed).unwrap()), expected, "{typed}");
        }
    }

    #[test]
    fn an_unknown_method_is_answered_with_those_that_may_be_meant() {
        let pool = built_in().unwrap();
        for (typed, words) in [
            ("StoreService/GetStor", &["StoreService/GetStore", "--list"][..]),
            ("StoreService/getstore", &["StoreService/GetStore"]),
            ("GetStore", &["StoreService/GetStore"]),
            ("purchasing.v1.StoreService.GetStore", &["StoreService/GetStore"]),
            ("Stores/GetStore", &["StoreService/GetStore"]),
            ("StoreService/Frobnicate", &["StoreService/CreateStore", "StoreService/EnableBackOrders"]),
            ("x/y", &["StoreService/GetStore", "--list"]),
            ("", &["StoreService/GetStore", "--list"]),
            ("Service/GetStore", &["StoreService/GetStore"]),
        ] {
            let error = find(&pool, typed).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{typed}: {error}");
        }
    }

    #[test]
    fn the_methods_of_this_version_are_proposed_by_their_short_names() {
        let names: Vec<&str> = names().collect();
        for name in ["StoreService/GetStore", "EventService/WatchEvents", "grpc.health.v1.Health/Check"] {
            assert!(names.contains(&name), "{names:?}");
        }
    }
}
