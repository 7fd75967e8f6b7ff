//! Counting, by a table of bytes made by hand, and against prost with bytes made at random.

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::*;
use crate::proto::v1;

const CREATE: &str = "/purchasing.v1.PurchaseOrderService/CreatePurchaseOrder";
const UPDATE: &str = "/purchasing.v1.PurchaseOrderService/UpdatePurchaseOrder";
const LIST: &str = "/purchasing.v1.PurchaseOrderService/ListPurchaseOrders";
const RECEIVE: &str = "/purchasing.v1.PurchaseOrderService/ReceivePurchaseOrder";
const COMPLETE: &str = "/purchasing.v1.PurchaseOrderService/CompletePurchaseOrder";
const LEVELS: &str = "/purchasing.v1.InventoryService/ListInventoryLevels";
const ROLE: &str = "/purchasing.v1.AccessService/UpdateRole";

/// How many elements a request has in the lists that have any.
fn counted(path: &str, bytes: &[u8]) -> Result<Vec<usize>, Malformed> {
    let counts = Counting::of(path).unwrap().counts(bytes)?;
    Ok(counts.lists.into_iter().filter(|count| *count > 0).collect())
}

/// What prost decodes: the same counts, and the bytes that it takes in memory.
type Decoded = fn(&[u8]) -> Option<(Vec<usize>, usize)>;

/// The rpcs whose requests have lists, each with what prost makes of bytes.
const DECODED: [(&str, Decoded); 7] = [
    (CREATE, |bytes| {
        let request = v1::CreatePurchaseOrderRequest::decode(bytes).ok()?;
        let header = [&request.store_id, &request.request_id, &request.supplier_id, &request.note];
        let memory = texts(&header) + lines(&request.lines) + charges(&request.charges);
        Some((vec![request.lines.len(), request.charges.len()], memory))
    }),
    (UPDATE, |bytes| {
        let request = v1::UpdatePurchaseOrderRequest::decode(bytes).ok()?;
        let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
        let header = texts(&[&request.store_id, &request.etag]);
        let memory = header + strings(&paths) + lines(&request.lines) + charges(&request.charges);
        Some((vec![paths.len(), request.lines.len(), request.charges.len()], memory))
    }),
    (LIST, |bytes| {
        let request = v1::ListPurchaseOrdersRequest::decode(bytes).ok()?;
        Some((vec![request.states.len()], request.states.capacity() * size_of::<i32>()))
    }),
    (RECEIVE, |bytes| {
        let request = v1::ReceivePurchaseOrderRequest::decode(bytes).ok()?;
        let within = request.items.iter().map(|item| optional(&[&item.accepted, &item.rejected]) + lots(&item.lots));
        let lots = request.items.iter().map(|item| item.lots.len()).sum();
        Some((vec![lots, request.items.len()], vector(&request.items) + within.sum::<usize>()))
    }),
    (COMPLETE, |bytes| {
        let request = v1::CompletePurchaseOrderRequest::decode(bytes).ok()?;
        let within = request.lines.iter().map(|line| optional(&[&line.back_order, &line.cancel])).sum::<usize>();
        Some((vec![request.lines.len()], vector(&request.lines) + within))
    }),
    (LEVELS, |bytes| {
        let request = v1::ListInventoryLevelsRequest::decode(bytes).ok()?;
        Some((vec![request.product_ids.len()], strings(&request.product_ids)))
    }),
    (ROLE, |bytes| {
        let request = v1::UpdateRoleRequest::decode(bytes).ok()?;
        let paths = request.update_mask.map(|mask| mask.paths).unwrap_or_default();
        Some((vec![paths.len(), request.permissions.len()], strings(&paths)))
    }),
];

fn vector<T>(of: &Vec<T>) -> usize {
    of.capacity() * size_of::<T>()
}

fn texts(of: &[&String]) -> usize {
    of.iter().filter(|text| !text.is_empty()).map(|text| text.len() + ALLOCATION - 8).sum()
}

fn optional(of: &[&Option<String>]) -> usize {
    texts(&of.iter().filter_map(|text| text.as_ref()).collect::<Vec<_>>())
}

fn strings(of: &Vec<String>) -> usize {
    vector(of) + texts(&of.iter().collect::<Vec<_>>())
}

fn lots(of: &Vec<v1::NewLot>) -> usize {
    let within = |lot: &v1::NewLot| texts(&[&lot.lot_code, &lot.expiry_date]) + optional(&[&lot.quantity]);
    vector(of) + of.iter().map(within).sum::<usize>()
}

fn charges(of: &Vec<v1::Charge>) -> usize {
    let within = |charge: &v1::Charge| texts(&[&charge.description]) + optional(&[&charge.amount]);
    vector(of) + of.iter().map(within).sum::<usize>()
}

fn lines(of: &Vec<v1::NewLine>) -> usize {
    let within = |line: &v1::NewLine| {
        texts(&[&line.product_id, &line.description, &line.gtin]) + optional(&[&line.quantity, &line.unit_cost])
    };
    vector(of) + of.iter().map(within).sum::<usize>()
}

fn field(number: u32, wire: WireType, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(number, wire, &mut bytes);
    bytes.extend_from_slice(value);
    bytes
}

fn delimited(number: u32, content: &[u8]) -> Vec<u8> {
    let mut length = Vec::new();
    encode_varint(content.len() as u64, &mut length);
    length.extend_from_slice(content);
    field(number, WireType::LengthDelimited, &length)
}

fn group(number: u32, content: &[u8]) -> Vec<u8> {
    [field(number, WireType::StartGroup, content), field(number, WireType::EndGroup, b"")].concat()
}

fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |within, _| group(99, &within))
}

/// What the bytes are, of which rpc's request, and how many elements its lists have.
type Row = (&'static str, &'static str, Vec<u8>, Result<Vec<usize>, Malformed>);

#[test]
fn elements_are_counted_however_they_are_written() {
    let state = field(4, WireType::Varint, &[1]);
    let table: Vec<Row> = vec![
        ("nothing", LIST, vec![], Ok(vec![])),
        ("packed", LIST, delimited(4, &[1, 2, 3]), Ok(vec![3])),
        ("packed, numbers of several bytes", LIST, delimited(4, &[0x80, 0x01, 0xff, 0xff, 0x03]), Ok(vec![2])),
        ("packed, nothing", LIST, delimited(4, &[]), Ok(vec![])),
        ("not packed", LIST, state.repeat(3), Ok(vec![3])),
        ("both", LIST, [state.clone(), delimited(4, &[1, 2])].concat(), Ok(vec![3])),
        ("an overlong number", LIST, field(4, WireType::Varint, &[0x81, 0x80, 0x00]), Ok(vec![1])),
        (
            "a number of ten bytes",
            LIST,
            field(4, WireType::Varint, &[[0xff; 9].as_slice(), &[1]].concat()),
            Ok(vec![1]),
        ),
        (
            "a number of 65 bits",
            LIST,
            field(4, WireType::Varint, &[[0xff; 9].as_slice(), &[2]].concat()),
            Err(Malformed),
        ),
        ("a number of eleven bytes", LIST, field(4, WireType::Varint, &[0xff; 11]), Err(Malformed)),
        ("a number that is cut off", LIST, field(4, WireType::Varint, &[0x80]), Err(Malformed)),
        ("a number as a text", LIST, field(2, WireType::LengthDelimited, &[0]), Err(Malformed)),
        ("a text as a number", LIST, field(1, WireType::Varint, &[1]), Err(Malformed)),
        ("a text that is cut off", LIST, field(1, WireType::LengthDelimited, &[2, b'x']), Err(Malformed)),
        ("a length beyond all bounds", LIST, field(1, WireType::LengthDelimited, &[0xff; 9]), Err(Malformed)),
        ("field number 0", LIST, vec![0, 0], Err(Malformed)),
        ("wire type 6", LIST, vec![(4 << 3) | 6, 0], Err(Malformed)),
        ("wire type 7 of an unknown field", LIST, vec![(15 << 3) | 7, 0], Err(Malformed)),
        ("messages", CREATE, delimited(8, &[]).repeat(5), Ok(vec![5])),
        ("a message with a field cut off", CREATE, delimited(8, &[0x0a]), Err(Malformed)),
        ("texts", LEVELS, delimited(4, b"").repeat(5), Ok(vec![5])),
        ("in one message", ROLE, delimited(4, &delimited(1, b"a").repeat(4)), Ok(vec![4])),
        ("in a message that is given twice", ROLE, delimited(4, &delimited(1, b"a").repeat(4)).repeat(2), Ok(vec![8])),
        ("in two lists", ROLE, [delimited(4, &delimited(1, b"a")), delimited(5, &[1, 2])].concat(), Ok(vec![1, 2])),
        ("in an unknown field", LIST, delimited(99, &state), Ok(vec![])),
        ("in an unknown group", LIST, group(99, &state), Ok(vec![])),
        (
            "behind unknown fields",
            LIST,
            [group(99, &[]), field(98, WireType::SixtyFourBit, &[0; 8]), state.clone()].concat(),
            Ok(vec![1]),
        ),
        ("a group that does not end", LIST, field(99, WireType::StartGroup, &state), Err(Malformed)),
        (
            "a group with another's end",
            LIST,
            [field(99, WireType::StartGroup, &[]), field(98, WireType::EndGroup, &[])].concat(),
            Err(Malformed),
        ),
        ("an end without a group", LIST, field(99, WireType::EndGroup, &[]), Err(Malformed)),
        ("groups as deep as may be", LIST, nested(100), Ok(vec![])),
        ("groups too deep", LIST, nested(101), Err(Malformed)),
    ];
    for (what, path, bytes, expected) in table {
        assert_eq!(counted(path, &bytes), expected, "{what}");
        let (_, decoded) = DECODED.iter().find(|(of, _)| *of == path).unwrap();
        assert_eq!(decoded(&bytes).is_some(), expected.is_ok(), "{what}: prost reads it otherwise");
    }
}

#[test]
fn a_list_above_its_cap_is_refused_by_its_path() {
    let create = |lines: usize| Counting::of(CREATE).unwrap().count(&delimited(8, &[]).repeat(lines));
    assert!(create(5_000).unwrap() >= 5_000 * size_of::<v1::NewLine>());
    assert_eq!(create(5_001).unwrap_err().to_string(), "lines must be 1 to 5000, not 5001");
    let mask = [delimited(4, &delimited(1, b"")).repeat(101), delimited(5, &[77; 101])].concat();
    let refusal = Counting::of(ROLE).unwrap().count(&mask).unwrap_err();
    let both = "update_mask.paths must be at most 100, not 101; permissions must be at most 100, not 101";
    assert_eq!(refusal.to_string(), both);
    assert_eq!(Counting::of(ROLE).unwrap().count(&[0x0a]), Err(TransportFault::MalformedMessage.into()));
    assert!(Counting::of("/purchasing.v1.StoreService/DropStore").is_none());
}

#[test]
fn a_request_has_a_bounded_number_of_fields() {
    let count = |bytes: &[u8]| Counting::of(LEVELS).unwrap().count(bytes).map(drop);
    let (known, group) = (delimited(1, b""), group(99, &field(98, WireType::Varint, &[1])));
    for (bytes, fields) in [(known, 1), (field(99, WireType::Varint, &[1]), 1), (group, 2)] {
        assert_eq!(count(&bytes.repeat(MAX_FIELDS / fields)), Ok(()));
        assert_eq!(count(&bytes.repeat(MAX_FIELDS / fields + 1)), Err(TransportFault::MalformedMessage.into()));
    }
}

/// Bytes that are a message of this shape, more or less.
fn random_message(shape: &Shape, random: &mut fastrand::Rng, depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.usize(..8) {
        let number = random.u32(1..16);
        match shape.field(number) {
            Some((_, Field { kind: Kind::Message(inner), .. })) => {
                let inner = random_message(&REQUESTS.shapes[inner], random, depth + 1);
                bytes.extend(delimited(number, &inner).repeat(random.usize(1..4)));
            }
            Some((_, Field { kind: Kind::Text, list, .. })) => {
                let text = "x".repeat(random.usize(..40));
                let times = if list.is_some() { random.usize(..30) } else { 1 };
                bytes.extend(delimited(number, text.as_bytes()).repeat(times));
            }
            Some((_, Field { list: Some(_), .. })) if random.bool() => {
                let numbers: Vec<u8> = (0..random.usize(..30)).map(|_| random.u8(..128)).collect();
                bytes.extend(delimited(number, &numbers));
            }
            Some(_) => bytes.extend(field(number, WireType::Varint, &random_varint(random))),
            None => bytes.extend(random_unknown(random, depth)),
        }
    }
    bytes
}

fn random_varint(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_varint(random.u64(..) >> random.u32(..64), &mut bytes);
    bytes
}

fn random_unknown(random: &mut fastrand::Rng, depth: usize) -> Vec<u8> {
    let number = random.u32(20..3_000);
    match random.u8(..5) {
        0 => field(number, WireType::Varint, &random_varint(random)),
        1 => field(number, WireType::ThirtyTwoBit, &[1; 4]),
        2 => field(number, WireType::SixtyFourBit, &[1; 8]),
        3 if depth < 10 => group(number, &random_unknown(random, depth + 1)),
        _ => delimited(number, &[0xff; 3]),
    }
}

#[test]
fn what_is_counted_is_what_prost_decodes_of_random_bytes() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut well, mut broken) = (0, 0);
    for round in 0..40_000 {
        let (path, decoded) = DECODED[round % DECODED.len()];
        let mut bytes = random_message(&REQUESTS.shapes[REQUESTS.by_path[path]], &mut random, 0);
        // Half of them are corrupted somewhere.
        if round % 2 == 0 && !bytes.is_empty() {
            let at = random.usize(..bytes.len());
            match random.u8(..3) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << random.u8(..8),
                _ => bytes.insert(at, random.u8(..)),
            }
        }
        let counts = Counting::of(path).unwrap().counts(&bytes);
        match (decoded(&bytes), counts) {
            (Some((lists, memory)), Ok(counts)) => {
                let found: Vec<usize> = counts.lists.into_iter().filter(|count| *count > 0).collect();
                let lists: Vec<usize> = lists.into_iter().filter(|count| *count > 0).collect();
                assert_eq!(found, lists, "{path} {bytes:?}");
                assert!(counts.bytes >= memory, "{path} {bytes:?}: {memory} bytes, not {}", counts.bytes);
                well += 1;
            }
            (Some(_), Err(Malformed)) => panic!("prost reads what is malformed here: {path} {bytes:?}"),
            // Malformed for both, or a text that is no UTF-8, which is left to prost.
            (None, _) => broken += 1,
        }
    }
    assert!(well > 20_000 && broken > 2_000, "{well} {broken}");
}
