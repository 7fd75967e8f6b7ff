//! The contract as it describes itself: its rpcs, the fields of their requests, what is written about
//! them, and calling them with any message, which no generated type stands in the way of.

use std::collections::BTreeSet;

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
};
use purchase_order_service::proto::DESCRIPTORS;
use purchase_order_service::proto::v1::WatchEventsRequest;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::rpc::Rpc;

/// One rpc of the contract.
#[derive(Clone)]
pub struct RpcOf {
    /// `/purchasing.v1.StoreService/GetStore`.
    pub path: String,
    pub input: MessageDescriptor,
    /// The codes and reasons that the contract documents for it, and any other word in capitals.
    pub documented: BTreeSet<String>,
}

/// Every rpc of the contract.
pub fn rpcs() -> Vec<RpcOf> {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let common = pool.get_service_by_name("purchasing.v1.PurchaseOrderService").unwrap();
    let common = capitals(&comment(common.parent_file().file_descriptor_proto(), common.path()));
    let methods: Vec<MethodDescriptor> =
        pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
    let rpc = |method: &MethodDescriptor| RpcOf {
        path: format!("/{}/{}", method.parent_service().full_name(), method.name()),
        input: method.input(),
        documented: {
            let own = comment(method.parent_file().file_descriptor_proto(), method.path());
            capitals(&own).into_iter().chain(common.iter().cloned()).collect()
        },
    };
    methods.iter().map(rpc).collect()
}

fn comment(file: &prost_types::FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    locations.filter(|location| location.path == path).map(|location| location.leading_comments().to_owned()).collect()
}

/// What is written about a field.
pub fn field_comment(field: &FieldDescriptor) -> String {
    comment(field.parent_file().file_descriptor_proto(), field.path()).replace('\n', " ")
}

fn capitals(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    words.filter(|word| word.len() > 4).map(str::to_owned).collect()
}

/// A place in a request: `lines[0].quantity`. Of a list it is always the first element.
#[derive(Clone)]
pub struct Place {
    fields: Vec<FieldDescriptor>,
    /// Whether the place is the list itself, not its first element.
    whole: bool,
}

impl Place {
    /// As violations name it. A time or a field mask is one field to its caller.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for (index, field) in self.fields.iter().enumerate() {
            path.push_str(if index == 0 { "" } else { "." });
            path.push_str(field.name());
            if matches!(field.kind(), Kind::Message(m) if m.full_name() == "google.protobuf.Timestamp") {
                break;
            }
            if field.is_list() && !(self.whole && index + 1 == self.fields.len()) {
                path.push_str("[0]");
            }
        }
        path
    }

    /// The field itself.
    pub fn field(&self) -> &FieldDescriptor {
        self.fields.last().unwrap()
    }

    /// The name of the request that it is a place of.
    pub fn request(&self) -> String {
        self.fields[0].parent_message().name().to_owned()
    }

    /// Whether it is a list itself.
    pub fn is_list(&self) -> bool {
        self.whole
    }

    /// Puts a value there; elements on the way must be there.
    pub fn set(&self, message: &mut DynamicMessage, value: Value) {
        match self.holder(message).get_field_mut(self.field()) {
            Value::List(elements) if !self.whole => elements[0] = value,
            field => *field = value,
        }
    }

    /// Takes away what is there.
    pub fn clear(&self, message: &mut DynamicMessage) {
        self.holder(message).clear_field(self.field());
    }

    /// The message that has the field.
    fn holder<'m>(&self, message: &'m mut DynamicMessage) -> &'m mut DynamicMessage {
        let way = &self.fields[..self.fields.len() - 1];
        way.iter().fold(message, |at, field| match at.get_field_mut(field) {
            Value::List(elements) => elements[0].as_message_mut().unwrap(),
            next => next.as_message_mut().unwrap(),
        })
    }

    /// What is there.
    pub fn get(&self, message: &DynamicMessage) -> Value {
        let mut at = Value::Message(message.clone());
        for (index, field) in self.fields.iter().enumerate() {
            let next = at.as_message().unwrap().get_field(field).into_owned();
            let is_whole = self.whole && index + 1 == self.fields.len();
            at = match next {
                Value::List(elements) if !is_whole => elements[0].clone(),
                other => other,
            };
        }
        at
    }
}

/// Every place of a message: fields, lists, elements, and the fields of both.
pub fn places(message: &MessageDescriptor) -> Vec<Place> {
    let mut found = Vec::new();
    for field in message.fields() {
        if field.is_list() {
            found.push(Place { fields: vec![field.clone()], whole: true });
        }
        match field.kind() {
            Kind::Message(inner) => found.extend(places(&inner).into_iter().map(|place| {
                let fields = std::iter::once(field.clone()).chain(place.fields).collect();
                Place { fields, whole: place.whole }
            })),
            _ => found.push(Place { fields: vec![field], whole: false }),
        }
    }
    found
}

/// A generated message as one that can be changed anywhere.
pub fn dynamic(input: &MessageDescriptor, bytes: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(input.clone(), bytes).unwrap()
}

/// Sends a message by bytes alone.
pub async fn send(channel: &Channel, principal: &str, path: &str, message: &DynamicMessage) -> Result<Vec<u8>, Status> {
    send_bytes(channel, principal, path, message.encode_to_vec()).await
}

/// Sends bytes that need not be a message.
pub async fn send_bytes(channel: &Channel, principal: &str, path: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unknown(format!("the service is gone: {error}")))?;
    let mut request = Request::new(bytes);
    request.metadata_mut().insert("x-principal", principal.parse().unwrap());
    let path_text = path;
    let path: PathAndQuery = path.parse().unwrap();
    let mut messages = client.server_streaming(request, path, Bytewise).await?.into_inner();
    let first = messages.message().await?.ok_or_else(|| Status::unknown("there is no answer"))?;
    if !STREAMS.contains(&path_text) {
        messages.trailers().await?;
    }
    Ok(first)
}

/// The rpcs that answer with a stream, of which the first message is taken.
const STREAMS: [&str; 1] = [WatchEventsRequest::PATH];

/// Messages as bytes.
struct Bytewise;

impl Codec for Bytewise {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytewise {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes_of(item, buffer);
        Ok(())
    }
}

fn bytes_of(item: Vec<u8>, buffer: &mut EncodeBuf<'_>) {
    use prost::bytes::BufMut;
    buffer.put_slice(&item);
}

impl Decoder for Bytewise {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        use prost::bytes::Buf;
        let mut bytes = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}
