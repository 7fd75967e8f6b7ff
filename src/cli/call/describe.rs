//! What there is to call, in the language of the contract: methods, and messages with all messages in them, with their
//! comments as far as the descriptors carry any.

use std::collections::BTreeSet;
use std::fmt::Write;

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
};

use super::methods;
use crate::cli::CommandError;

/// The messages of these packages are shown by name alone: everybody knows them.
const WELL_KNOWN: &str = "google.protobuf.";
const CONTRACT: &str = "purchasing.v1.";

/// One line for each method of a service, or of all, with the first sentence that describes it.
pub fn list(pool: &DescriptorPool, service: Option<&str>) -> Result<String, CommandError> {
    let mut methods = methods::all(pool);
    if let Some(service) = service {
        methods.retain(|method| methods::is_meant(method.parent_service().full_name(), service));
    }
    if methods.is_empty() {
        let services: BTreeSet<String> = pool.services().map(|service| short(service.full_name())).collect();
        let services = services.into_iter().collect::<Vec<_>>().join(", ");
        return Err(format!("there is no service '{}'; there are {services}", service.unwrap_or_default()).into());
    }
    let names: Vec<String> = methods.iter().map(methods::shown).collect();
    let width = names.iter().map(String::len).max().unwrap_or_default();
    let mut text = String::new();
    for (name, method) in names.iter().zip(&methods) {
        let comment = comment(&method.parent_file(), method.path()).join(" ");
        let sentence = comment.split_inclusive(". ").next().unwrap_or_default().trim_end();
        let _ = writeln!(text, "{}", format!("{name:width$}  {sentence}").trim_end());
    }
    Ok(text)
}

/// The declaration of a method with its request, or of a message or an enum, and of everything that is in it.
pub fn declarations(pool: &DescriptorPool, typed: &str) -> Result<String, CommandError> {
    let mut page = Page::default();
    let message = pool.all_messages().find(|it| methods::is_meant(it.full_name(), typed));
    let enumeration = pool.all_enums().find(|it| methods::is_meant(it.full_name(), typed));
    if let Some(message) = message {
        page.messages(message);
    } else if let Some(enumeration) = enumeration {
        page.enumeration(&enumeration);
    } else {
        let method = methods::find(pool, typed)?;
        let stream = |is: bool| if is { "stream " } else { "" };
        page.comment("", &method.parent_file(), method.path());
        page.line(&format!(
            "rpc {}({}{}) returns ({}{});",
            method.name(),
            stream(method.is_client_streaming()),
            short(method.input().full_name()),
            stream(method.is_server_streaming()),
            short(method.output().full_name()),
        ));
        page.messages(method.input());
    }
    Ok(page.text)
}

/// The declarations so far, each once.
#[derive(Default)]
struct Page {
    text: String,
    declared: BTreeSet<String>,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn comment(&mut self, indent: &str, file: &FileDescriptor, path: &[i32]) {
        for line in comment(file, path) {
            self.line(format!("{indent}// {line}").trim_end());
        }
    }

    /// Whether a declaration is to be written now; an empty line goes before it.
    fn begins(&mut self, full_name: &str) -> bool {
        let is_new = !full_name.starts_with(WELL_KNOWN) && self.declared.insert(full_name.to_owned());
        if is_new && !self.text.is_empty() {
            self.line("");
        }
        is_new
    }

    /// Declares a message, and all messages and enums in it. It keeps a list of what is still to be declared, because a
    /// server could describe messages that are nested deeper than a stack.
    fn messages(&mut self, first: MessageDescriptor) {
        let mut next = vec![Kind::Message(first)];
        while let Some(kind) = next.pop() {
            match kind {
                // The entry of a map is never written, and what is in it is.
                Kind::Message(entry) if entry.is_map_entry() && self.declared.insert(entry.full_name().to_owned()) => {
                    next.push(entry.map_entry_value_field().kind());
                }
                Kind::Message(message) if self.begins(message.full_name()) => {
                    self.message(&message);
                    let mut fields: Vec<Kind> = message.fields().map(|field| field.kind()).collect();
                    // The last is taken first.
                    fields.reverse();
                    next.append(&mut fields);
                }
                Kind::Enum(enumeration) => self.enumeration(&enumeration),
                _ => {}
            }
        }
    }

    fn message(&mut self, message: &MessageDescriptor) {
        let file = message.parent_file();
        self.comment("", &file, message.path());
        self.line(&format!("message {} {{", short(message.full_name())));
        for field in message.fields() {
            self.comment("  ", &file, field.path());
            self.line(&format!("  {}", declaration(&field)));
        }
        self.line("}");
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptor) {
        if !self.begins(enumeration.full_name()) {
            return;
        }
        let file = enumeration.parent_file();
        self.comment("", &file, enumeration.path());
        self.line(&format!("enum {} {{", short(enumeration.full_name())));
        for value in enumeration.values() {
            self.comment("  ", &file, value.path());
            self.line(&format!("  {} = {};", value.name(), value.number()));
        }
        self.line("}");
    }
}

fn declaration(field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => {
            let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
            format!("map<{}, {}>", type_name(&key), type_name(&value))
        }
        kind => type_name(&kind),
    };
    let oneof = field.containing_oneof();
    let label = match (field.cardinality(), &oneof) {
        (Cardinality::Repeated, _) if !field.is_map() => "repeated ",
        (_, Some(oneof)) if oneof.is_synthetic() => "optional ",
        _ => "",
    };
    let group = oneof.filter(|oneof| !oneof.is_synthetic());
    let group = group.map(|oneof| format!("  // one of {}", oneof.name())).unwrap_or_default();
    format!("{label}{kind} {} = {};{group}", field.name(), field.number())
}

fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => short(message.full_name()),
        Kind::Enum(enumeration) => short(enumeration.full_name()),
        scalar => format!("{scalar:?}"),
    }
}

fn short(full_name: &str) -> String {
    full_name.strip_prefix(CONTRACT).unwrap_or(full_name).to_owned()
}

/// The lines of the comment before a declaration, which is named by its path in the file's descriptor.
fn comment(file: &FileDescriptor, path: &[i32]) -> Vec<String> {
    let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
    let mut text = locations.filter(|location| location.path == path).map(|location| location.leading_comments());
    text.next().unwrap_or_default().lines().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;
    use prost_types::field_descriptor_proto::{Label, Type};
    use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MessageOptions};

    use super::{declarations, list};
    use crate::cli::call::methods::built_in;

    fn message(name: &str, fields: Vec<FieldDescriptorProto>) -> DescriptorProto {
        DescriptorProto { name: Some(name.to_owned()), field: fields, ..DescriptorProto::default() }
    }

    fn field(name: &str, number: i32, of: &str) -> FieldDescriptorProto {
        let is_text = of.is_empty();
        FieldDescriptorProto {
            name: Some(name.to_owned()),
            number: Some(number),
            label: Some(Label::Optional.into()),
            r#type: Some(if is_text { Type::String } else { Type::Message }.into()),
            type_name: (!is_text).then(|| format!(".{of}")),
            ..FieldDescriptorProto::default()
        }
    }

    fn pool_of(messages: Vec<DescriptorProto>) -> DescriptorPool {
        let file = FileDescriptorProto {
            name: Some("hostile.proto".to_owned()),
            syntax: Some("proto3".to_owned()),
            message_type: messages,
            ..FileDescriptorProto::default()
        };
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_proto(file).unwrap();
        pool
    }

    #[test]
    fn messages_within_messages_are_described_however_deep_they_are() {
        let mut messages: Vec<_> =
            (0..50_000).map(|n| message(&format!("M{n}"), vec![field("next", 1, &format!("M{}", n + 1))])).collect();
        messages.push(message("M50000", vec![field("first", 1, "M0")]));
        assert_eq!(declarations(&pool_of(messages), "M0").unwrap().matches("message M").count(), 50_001);
    }

    #[test]
    fn a_map_of_itself_is_described_once() {
        let mut entry = message("EntriesEntry", vec![field("key", 1, ""), field("value", 2, "M.EntriesEntry")]);
        entry.options = Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() });
        let mut entries = field("entries", 1, "M.EntriesEntry");
        entries.label = Some(Label::Repeated.into());
        let outer = DescriptorProto { nested_type: vec![entry], ..message("M", vec![entries]) };
        assert_eq!(declarations(&pool_of(vec![outer]), "M").unwrap().matches("message M").count(), 1);
    }

    #[test]
    fn a_list_says_what_each_method_does() {
        let all = list(&built_in().unwrap(), None).unwrap();
        let line = all.lines().find(|line| line.starts_with("StoreService/GetStore ")).unwrap();
        assert!(line.ends_with("Returns one store."), "{line}");
        let one = list(&built_in().unwrap(), Some("Health")).unwrap();
        assert_eq!(one.split_whitespace().next(), Some("grpc.health.v1.Health/Check"));
        let unknown = list(&built_in().unwrap(), Some("Stores")).unwrap_err().to_string();
        assert!(unknown.contains("'Stores'") && unknown.contains("StoreService, grpc.health.v1.Health"), "{unknown}");
    }

    #[test]
    fn a_method_is_described_with_all_that_its_request_can_hold() {
        let text = declarations(&built_in().unwrap(), "PurchaseOrderService/CreatePurchaseOrder").unwrap();
        for line in [
            "rpc CreatePurchaseOrder(CreatePurchaseOrderRequest) returns (CreatePurchaseOrderResponse);",
            "message CreatePurchaseOrderRequest {",
            "  repeated NewLine lines = ",
            "message NewLine {",
            "enum Unit {",
            "  UNIT_KILOGRAM = ",
            "  // The store that orders.",
        ] {
            assert_eq!(text.lines().filter(|it| it.starts_with(line)).count().min(1), 1, "{line}: {text}");
        }
        assert_eq!(text.matches("enum Unit {").count(), 1);
        assert!(!text.contains("message google.protobuf") && !text.contains("CreatePurchaseOrderResponse {"), "{text}");
    }

    #[test]
    fn messages_and_enums_are_described_by_their_names() {
        let pool = built_in().unwrap();
        assert!(declarations(&pool, "GetStoreResponse").unwrap().contains("message Store {"));
        assert!(declarations(&pool, "purchasing.v1.Unit").unwrap().starts_with("// "));
        assert!(declarations(&pool, "WatchEvents").unwrap_err().to_string().contains("EventService/WatchEvents"));
    }
}
