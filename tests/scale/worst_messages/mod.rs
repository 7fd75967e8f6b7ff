//! The most expensive messages that each rpc can be sent, found by a walk of the contract's descriptor
//! set: every repeated field filled with the smallest elements, or with as many large ones as there may
//! be; every singular field given again and again; every text as long as a message; fields that nobody
//! knows.
//!
//! A program of its own, so that what is measured is not shared with other tests.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::support::contract::{RpcOf, rpcs, send_bytes};
use crate::support::reason;
use crate::support::server_process::ServerProcess;

/// The largest message; without optimisation a smaller one, or this would take an hour.
const SIZE: usize = if cfg!(debug_assertions) { 256 * 1024 } else { 4 * 1024 * 1024 };
/// What a message may cost in memory, in times its size.
const MEMORY_FACTOR: u64 = 10;
/// What every call may cost beside that, in KiB: 5,000 empty lines are 10 KB on the wire, and windows
/// and buffers of connections do not depend on what is sent.
const MEMORY_CONSTANT: u64 = 8 * 1024;
/// What may be left of all messages before, in KiB: pages that the allocator keeps between what is in use.
const LEFT_OVER: u64 = 16 * 1024;
/// What a message may cost in CPU time, in a release build.
const CPU: Duration = Duration::from_millis(50);
/// How many elements of a list are tried at once, beside as many as fit: at, and just above, the caps.
const COUNTS: [usize; 4] = [100, 1_000, 5_000, 5_001];

/// A message that is expensive to decode, to judge or to refuse.
#[derive(Clone)]
struct Worst {
    what: String,
    bytes: Vec<u8>,
}

fn key(field: &FieldDescriptor, wire: WireType) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(field.number(), wire, &mut bytes);
    bytes
}

fn delimited(field: &FieldDescriptor, content: &[u8]) -> Vec<u8> {
    let mut bytes = key(field, WireType::LengthDelimited);
    encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

/// A field of one value with as much text in it as asked for.
fn filled(field: &FieldDescriptor, text: usize) -> Vec<u8> {
    match field.kind() {
        Kind::String => delimited(field, &vec![b'1'; text]),
        Kind::Message(inner) => delimited(field, &every_field(&inner, text)),
        _ => [key(field, WireType::Varint), vec![1]].concat(),
    }
}

/// A message with something in every field, and so much text in each of its texts.
fn every_field(message: &MessageDescriptor, text: usize) -> Vec<u8> {
    message.fields().flat_map(|field| filled(&field, text)).collect()
}

/// How many texts a message with something in every field has, those of messages within it included.
fn texts_in(message: &MessageDescriptor) -> usize {
    let texts = message.fields().map(|field| match field.kind() {
        Kind::String => 1,
        Kind::Message(inner) => texts_in(&inner),
        _ => 0,
    });
    texts.sum()
}

/// The smallest encodings of one element, or of one value.
fn elements(field: &FieldDescriptor) -> Vec<(&'static str, Vec<u8>)> {
    match field.kind() {
        Kind::String => vec![("empty texts", delimited(field, b"")), ("texts of a byte", delimited(field, b"x"))],
        Kind::Message(inner) => vec![
            ("empty messages", delimited(field, b"")),
            ("messages with every field empty", delimited(field, &every_field(&inner, 0))),
            ("messages with every field set", delimited(field, &every_field(&inner, 1))),
        ],
        _ => vec![("numbers", [key(field, WireType::Varint), vec![1]].concat())],
    }
}

fn repeat(element: &[u8], size: usize) -> Vec<u8> {
    element.repeat(size / element.len())
}

/// The ways to fill this field alone with `size` bytes, as fields of the message that has it.
fn fillings(field: &FieldDescriptor, size: usize) -> Vec<(String, Vec<u8>)> {
    let name = field.name();
    let mut ways: Vec<(String, Vec<u8>)> = elements(field)
        .into_iter()
        .map(|(what, element)| (format!("{name}: {what}"), repeat(&element, size)))
        .collect();
    match field.kind() {
        Kind::String if !field.is_list() => {
            // Plain, long in normal form, and never out of order to the end.
            for text in ["1", "\u{1d161}", "\u{301}"] {
                let text = text.repeat(size / text.len());
                ways.push((
                    format!("{name}: one text of {:?}", text.chars().next()),
                    delimited(field, text.as_bytes()),
                ));
            }
        }
        Kind::String | Kind::Message(_) => {}
        _ if field.is_list() => {
            for number in [0, 1, 77] {
                ways.push((format!("{name}: packed numbers {number}"), delimited(field, &vec![number; size])));
            }
        }
        _ => {}
    }
    if field.is_list() && !matches!(field.kind(), Kind::Enum(_)) {
        for count in COUNTS {
            let of_texts = match field.kind() {
                Kind::Message(inner) => texts_in(&inner),
                _ => 1,
            };
            let element = filled(field, (size / count).saturating_sub(96) / of_texts.max(1));
            ways.push((format!("{name}: {count} full ones"), element.repeat(count)));
            ways.push((format!("{name}: {count} empty ones"), filled(field, 0).repeat(count)));
        }
    }
    ways
}

/// Every way to fill a message with one of its fields, or one of a message within.
fn ways(message: &MessageDescriptor, size: usize) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for field in message.fields() {
        all.extend(fillings(&field, size));
        let Kind::Message(inner) = field.kind() else { continue };
        for (what, content) in ways(&inner, size - 16) {
            all.push((format!("{}.{what}", field.name()), delimited(&field, &content)));
        }
        if !field.is_list() {
            // The same message again and again, each with one element: they are merged into one.
            for within in inner.fields() {
                for (what, element) in elements(&within) {
                    let what = format!("{}.{}: {what}, merged", field.name(), within.name());
                    all.push((what, repeat(&delimited(&field, &element), size)));
                }
            }
        }
    }
    all
}

/// Fields that no message here has.
fn unknown(size: usize) -> Vec<(String, Vec<u8>)> {
    let mut varint = Vec::new();
    encode_key(15, WireType::Varint, &mut varint);
    varint.push(1);
    let (mut open, mut close) = (Vec::new(), Vec::new());
    encode_key(15, WireType::StartGroup, &mut open);
    encode_key(15, WireType::EndGroup, &mut close);
    let deep = [open.repeat(90), close.repeat(90)].concat();
    let groups = [open, close].concat();
    vec![
        ("unknown numbers".to_owned(), repeat(&varint, size)),
        ("unknown groups".to_owned(), repeat(&groups, size)),
        ("unknown groups within groups".to_owned(), repeat(&deep, size)),
    ]
}

/// What makes the rest be looked at: the store, the order and the request id.
fn begun(input: &MessageDescriptor) -> Vec<u8> {
    let id = "0191e0c8-0b5e-7c11-9f3a-2f6c1d8e4b7a";
    let known = [("store_id", "demo"), ("purchase_order_id", id), ("request_id", id)];
    let present = known.iter().filter_map(|(name, value)| Some((input.get_field_by_name(name)?, value)));
    present.flat_map(|(field, value)| delimited(&field, value.as_bytes())).collect()
}

fn worst_of(rpc: &RpcOf) -> Vec<Worst> {
    let begun = begun(&rpc.input);
    let size = SIZE - begun.len() - 16;
    let all = ways(&rpc.input, size).into_iter().chain(unknown(size));
    let worst = |(what, filling): (String, Vec<u8>)| Worst { what, bytes: [begun.as_slice(), &filling].concat() };
    let worst: Vec<Worst> = all.map(worst).collect();
    worst.iter().for_each(|worst| assert!(worst.bytes.len() <= SIZE, "{} {}", rpc.path, worst.what));
    worst
}

/// What a call cost.
#[derive(Clone)]
struct Cost {
    worst: Worst,
    principal: &'static str,
    /// The reason of its refusal.
    outcome: String,
    /// How much memory at most, in KiB, above what the service had at first.
    memory: u64,
    took: Duration,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {} ({})", self.worst.what, self.principal, self.outcome)
    }
}

/// The answer must be one that the contract documents for a bad request, and never a fault.
fn judged(answer: Result<Vec<u8>, Status>, what: &str) -> String {
    match answer {
        Ok(_) => "OK".to_owned(),
        Err(status) => {
            let expected = [
                Code::InvalidArgument,
                Code::PermissionDenied,
                Code::NotFound,
                Code::FailedPrecondition,
                Code::ResourceExhausted,
                Code::Aborted,
            ];
            assert!(expected.contains(&status.code()), "{what}: {status:?}");
            reason(&status)
        }
    }
}

async fn send(channel: &Channel, principal: &str, path: &str, worst: &Worst) -> String {
    let answer = send_bytes(channel, principal, path, worst.bytes.clone()).await;
    judged(answer, &format!("{path} as {principal}: {}", worst.what))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worst_messages_of_every_rpc_cost_ten_times_their_size_at_most() {
    let _alone = crate::ALONE.lock().await;
    let attacked = ServerProcess::giving_memory_back();
    let channel = Endpoint::from_shared(format!("http://{}", attacked.address)).unwrap().connect_lazy();
    let alice = attacked.alice();
    alice.create(&[("apples", "1")]).ok().await;
    let before = attacked.memory();
    let (mut others, mut too_much, mut by_rpc) = (Vec::new(), Vec::new(), Vec::new());
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();

    for rpc in rpcs() {
        let mut costs: Vec<Cost> = Vec::new();
        for (worst, principal) in
            worst_of(&rpc).into_iter().flat_map(|worst| [(worst.clone(), "nobody"), (worst, "alice")])
        {
            // What is refused by its form is refused so for every caller.
            if principal == "alice" && costs.last().is_some_and(|cost| cost.outcome != "NO_STORE_ACCESS") {
                continue;
            }
            let left_over = attacked.memory().saturating_sub(before).min(LEFT_OVER);
            attacked.forget_peak();
            let begun = Instant::now();
            let attack = async { (send(&channel, principal, &rpc.path, &worst).await, begun.elapsed()) };
            let other = async {
                let begun = Instant::now();
                alice.get_store().ok().await;
                begun.elapsed()
            };
            let ((outcome, took), waited) = tokio::join!(attack, other);
            others.push(waited);
            *reasons.entry(outcome.clone()).or_default() += 1;
            let memory = attacked.peak().saturating_sub(before + left_over);
            let most = MEMORY_CONSTANT + MEMORY_FACTOR * worst.bytes.len() as u64 / 1024;
            if memory > most {
                too_much.push(format!("{} as {principal}, {}: {memory} KiB > {most}", rpc.path, worst.what));
            }
            costs.push(Cost { worst, principal, outcome, memory, took });
        }
        let most = |by: fn(&Cost) -> u128| costs.iter().max_by_key(|cost| by(cost)).unwrap().clone();
        let (largest, slowest) = (most(|cost| cost.memory.into()), most(|cost| cost.took.as_nanos()));
        eprintln!("{}: {} messages; {} KiB, {largest}", rpc.path, costs.len(), largest.memory);
        by_rpc.push((rpc, slowest));
    }

    let tried = others.len();
    others.sort();
    eprintln!("{tried} messages of {SIZE} bytes: {reasons:?}");
    eprintln!(
        "as many small calls of another caller: {:?} and {:?} (median, max)",
        others[tried / 2],
        others[tried - 1]
    );
    let mut slow = Vec::new();
    for (rpc, slowest) in &by_rpc {
        let cpu = cpu_of(&attacked, &channel, rpc, slowest).await;
        eprintln!("{}: {cpu:?} of CPU, {slowest}", rpc.path);
        // Without optimisation it is a multiple, and says nothing.
        if cpu > CPU && !cfg!(debug_assertions) {
            slow.push(format!("{} {cpu:?}, {slowest}", rpc.path));
        }
    }
    assert_eq!(too_much, [""; 0], "memory, of {tried} messages");
    assert_eq!(slow, [""; 0], "CPU, of {tried} messages");
}

/// What a message costs in CPU time while nobody else calls: the least of some attempts.
async fn cpu_of(attacked: &ServerProcess, channel: &Channel, rpc: &RpcOf, cost: &Cost) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let before = attacked.cpu();
        send(channel, cost.principal, &rpc.path, &cost.worst).await;
        least = least.min(attacked.cpu().saturating_sub(before));
    }
    least
}
