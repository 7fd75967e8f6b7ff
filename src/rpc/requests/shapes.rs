//! The shapes of all requests: what the contract's descriptors say about which bytes are which field, and
//! what a decoded one takes in memory.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

use crate::proto::DESCRIPTORS;
use crate::rpc::caps::{self, Cap};

/// Bytes of a `String`, a `Vec` or what is optional of them, beside what they point to.
const POINTER: usize = 24;
/// The requests of every rpc. Made once, from descriptors that the build made.
pub(super) static REQUESTS: LazyLock<Requests> =
    LazyLock::new(|| Requests::of(&[DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET]));

/// What is known of all requests.
pub(super) struct Requests {
    /// The shapes of all messages, which name each other by their places here.
    pub(super) shapes: Vec<Shape>,
    /// The caps of all repeated fields, which are counted by their place here.
    pub(super) lists: Vec<Cap>,
    /// The shape of each rpc's request, by the rpc's path.
    pub(super) by_path: HashMap<String, usize>,
}

/// A message: its fields by number, and what it takes in memory by itself.
#[derive(Default)]
pub(super) struct Shape {
    fields: Vec<(u32, Field)>,
    pub(super) bytes: usize,
}

/// What is known of one field.
#[derive(Clone, Copy)]
pub(super) struct Field {
    /// How its values are written.
    pub(super) kind: Kind,
    /// The place among the lists, if it is repeated.
    pub(super) list: Option<usize>,
    /// What one value takes in its message or list, beside what it points to.
    pub(super) bytes: usize,
}

/// How a value is written, and what it is in memory.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Varint,
    Fixed32,
    Fixed64,
    /// Strings and bytes.
    Text,
    /// A message of this shape.
    Message(usize),
}

impl Shape {
    /// A field and its place among the fields. Their numbers mostly have no gaps.
    pub(super) fn field(&self, number: u32) -> Option<(u32, Field)> {
        // No field has the number 0: `key` refuses it.
        let guess = number as usize - 1;
        let place = match self.fields.get(guess) {
            Some((there, _)) if *there == number => guess,
            _ => self.fields.binary_search_by_key(&number, |(number, _)| *number).ok()?,
        };
        Some((place as u32, self.fields[place].1))
    }
}

/// Making the table.
impl Requests {
    fn of(sets: &[&[u8]]) -> Self {
        // They were made by the build; a test shows that every rpc is found.
        let sets: Vec<FileDescriptorSet> = sets.iter().filter_map(|set| FileDescriptorSet::decode(*set).ok()).collect();
        let files = || sets.iter().flat_map(|set| &set.file);
        let mut messages = HashMap::new();
        for file in files() {
            for message in &file.message_type {
                name_messages(&format!(".{}", file.package()), message, &mut messages);
            }
        }
        let mut making = Making { messages, known: HashMap::new(), shapes: Vec::new(), lists: Vec::new() };
        let mut by_path = HashMap::new();
        for file in files() {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    by_path.insert(path, making.shape(method.input_type()));
                }
            }
        }
        Self { shapes: making.shapes, lists: making.lists, by_path }
    }
}

/// Names a message and those declared within it, as fields refer to them.
fn name_messages<'d>(scope: &str, message: &'d DescriptorProto, named: &mut HashMap<String, &'d DescriptorProto>) {
    let name = format!("{scope}.{}", message.name());
    message.nested_type.iter().for_each(|inner| name_messages(&name, inner, named));
    named.insert(name, message);
}

struct Making<'d> {
    messages: HashMap<String, &'d DescriptorProto>,
    /// Where the shapes of messages are that were made already, or are being made.
    known: HashMap<String, usize>,
    shapes: Vec<Shape>,
    lists: Vec<Cap>,
}

impl Making<'_> {
    fn shape(&mut self, name: &str) -> usize {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let place = self.shapes.len();
        // Before its fields are looked at: a message that leads back to itself would never end otherwise.
        self.known.insert(name.to_owned(), place);
        self.shapes.push(Shape::default());
        let declared = self.messages.get(name).map(|message| message.field.as_slice()).unwrap_or_default();
        let mut shape = Shape::default();
        for field in declared {
            let number = u32::try_from(field.number()).unwrap_or_default();
            let made = self.field(name, field);
            shape.bytes += if made.list.is_some() { POINTER } else { made.bytes };
            shape.fields.push((number, made));
        }
        shape.fields.sort_by_key(|(number, _)| *number);
        self.shapes[place] = shape;
        place
    }

    fn field(&mut self, message: &str, field: &FieldDescriptorProto) -> Field {
        // Numbers take at most 8 bytes, and as much again where it is told whether they are set.
        let (kind, bytes) = match field.r#type() {
            Type::String | Type::Bytes => (Kind::Text, POINTER),
            Type::Message | Type::Group => {
                let shape = self.shape(field.type_name());
                (Kind::Message(shape), self.shapes[shape].bytes + 8)
            }
            Type::Fixed32 | Type::Sfixed32 | Type::Float => (Kind::Fixed32, 8),
            Type::Fixed64 | Type::Sfixed64 | Type::Double => (Kind::Fixed64, 16),
            Type::Int64 | Type::Uint64 | Type::Sint64 => (Kind::Varint, 16),
            Type::Int32 | Type::Uint32 | Type::Sint32 | Type::Bool | Type::Enum => (Kind::Varint, 8),
        };
        let list = (field.label() == Label::Repeated).then(|| {
            let message = message.trim_start_matches('.');
            self.lists.push(caps::of(message, field.name()).unwrap_or(caps::UNKNOWN));
            self.lists.len() - 1
        });
        Field { kind, list, bytes }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::proto::v1;

    /// Every repeated field that a message leads to, with its path.
    fn lists(message: &str, set: &FileDescriptorSet, path: &str, within: &[&str], found: &mut BTreeSet<(String, Cap)>) {
        assert!(!within.contains(&message), "{message} holds itself, and its size has no bound: {within:?}");
        let within = [within, &[message]].concat();
        let named = set.file.iter().flat_map(|file| file.message_type.iter().map(move |it| (file.package(), it)));
        let mut named = named.filter(|(package, it)| format!(".{package}.{}", it.name()) == message);
        let (_, descriptor) = named.next().unwrap_or_else(|| panic!("{message} is not found"));
        for field in &descriptor.field {
            let path = format!("{path}{}", field.name());
            if field.label() == Label::Repeated {
                let cap = caps::of(message.trim_start_matches('.'), field.name());
                found.insert((path.clone(), cap.unwrap_or_else(|| panic!("{message}.{} has no cap", field.name()))));
            }
            if field.r#type() == Type::Message {
                lists(field.type_name(), set, &format!("{path}."), &within, found);
            }
        }
    }

    #[test]
    fn every_list_of_every_request_has_a_cap_which_names_its_path() {
        let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
        let mut found = BTreeSet::new();
        for method in set.file.iter().flat_map(|file| &file.service).flat_map(|service| &service.method) {
            lists(method.input_type(), &set, "", &[], &mut found);
        }
        found.iter().for_each(|(path, cap)| assert_eq!(path, cap.path));
        let known = [
            caps::LINES,
            caps::CHARGES,
            caps::CHARGE_LIST,
            caps::AMENDMENTS,
            caps::NEW_LINES,
            caps::DISPOSITIONS,
            caps::CANCELLATIONS,
            caps::ITEMS,
            caps::LOTS,
            caps::ETAGS,
            caps::PRODUCTS,
            caps::PERMISSIONS,
            caps::STATES,
            caps::POSITIONS,
            caps::EVENT_TYPES,
            caps::MASK_PATHS,
        ];
        let known: BTreeSet<(String, Cap)> = known.into_iter().map(|cap| (cap.path.to_owned(), cap)).collect();
        assert_eq!(found, known, "each cap is that of some list");
        assert!(!REQUESTS.lists.contains(&caps::UNKNOWN));
    }

    #[test]
    fn every_rpc_is_known_by_its_path() {
        let sets =
            [DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET].map(|set| FileDescriptorSet::decode(set).unwrap());
        let mut rpcs = 0;
        for file in sets.iter().flat_map(|set| &set.file) {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let shape = REQUESTS.by_path.get(&path).copied().unwrap_or_else(|| panic!("{path} is not known"));
                    assert!(!REQUESTS.shapes[shape].fields.is_empty(), "{path}: a request without fields");
                    rpcs += 1;
                }
            }
        }
        assert!(rpcs >= 32, "the rpcs are found: {rpcs}");
    }

    #[test]
    fn a_message_takes_no_more_than_its_shape_says() {
        let shape = |path: &str| &REQUESTS.shapes[REQUESTS.by_path[path]];
        let orders = |rpc: &str| shape(&format!("/purchasing.v1.PurchaseOrderService/{rpc}"));
        let element = |shape: &Shape, number| shape.field(number).unwrap().1.bytes;
        let create = orders("CreatePurchaseOrder");
        let sizes = [
            (size_of::<v1::CreatePurchaseOrderRequest>(), create.bytes),
            (size_of::<v1::NewLine>(), element(create, 8)),
            (size_of::<v1::UpdatePurchaseOrderRequest>(), orders("UpdatePurchaseOrder").bytes),
            (size_of::<v1::ListPurchaseOrdersRequest>(), orders("ListPurchaseOrders").bytes),
            (size_of::<i32>(), element(orders("ListPurchaseOrders"), 4)),
            (size_of::<v1::PlacePurchaseOrderRequest>(), orders("PlacePurchaseOrder").bytes),
            (size_of::<v1::ReceivePurchaseOrderRequest>(), orders("ReceivePurchaseOrder").bytes),
            (size_of::<v1::NewReceiptItem>(), element(orders("ReceivePurchaseOrder"), 5)),
            (size_of::<v1::LineDisposition>(), element(orders("CompletePurchaseOrder"), 5)),
            (size_of::<v1::UpdateStoreRequest>(), shape("/purchasing.v1.StoreService/UpdateStore").bytes),
        ];
        for (index, (actual, said)) in sizes.into_iter().enumerate() {
            assert!(actual <= said && said <= 2 * actual, "{index}: {actual} bytes, not {said}");
        }
    }
}
