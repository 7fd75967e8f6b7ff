//! Counts the elements of a request's lists, and estimates its decoded size, on its bytes and before
//! anything is decoded.
//!
//! Two bytes on the wire can become an element of 150 bytes in memory, so that the size of a request
//! says little about what it costs. One pass over the bytes, which allocates nothing, counts the elements
//! of each repeated field and estimates what decoding makes of them. A list above its cap is refused
//! here; the estimate is what the call is charged with. The bytes are read exactly as prost reads them,
//! so that what it would decode is what is counted.

mod shapes;

use self::shapes::{Field, Kind, REQUESTS, Requests, Shape};
use super::errors::{CallError, TransportFault};
use crate::domain::refusal::{Refusal, Violations};

/// How deep messages and groups may be within each other, as in prost.
const MAX_DEPTH: usize = 100;
/// How many fields a request may have, those of its messages and unknown ones included: several times as
/// many as the largest order. Two million fields of two bytes would take prost longer than all the rest.
const MAX_FIELDS: usize = 400_000;
/// What an allocation costs at most in addition to the bytes that were asked for.
const ALLOCATION: usize = 32;
/// A list grows by doubling, so that up to half of its room is empty; the smallest has room for four.
const GROWTH: usize = 2;

/// How the requests of one rpc are counted: the table of all shapes, and the shape of this rpc's request.
#[derive(Clone, Copy)]
pub struct Counting {
    requests: &'static Requests,
    shape: usize,
}

/// The bytes cannot be decoded as a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

impl Counting {
    /// The counting for the rpc with this path; `None` if the contract has no such rpc.
    pub fn of(path: &str) -> Option<Self> {
        let requests = &*REQUESTS;
        Some(Self { requests, shape: *requests.by_path.get(path)? })
    }

    /// Estimates how many bytes `message` takes in memory when decoded. Refuses a list above its cap, and more
    /// fields than any request needs.
    pub fn count(self, message: &[u8]) -> Result<usize, CallError> {
        let counts = self.counts(message).map_err(|Malformed| TransportFault::MalformedMessage)?;
        let mut violations = Violations::default();
        for (cap, count) in self.requests.lists.iter().zip(&counts.lists) {
            if *count > cap.most {
                violations.add(cap.path, cap.rule(*count));
            }
        }
        violations.or_refuse(Refusal::Invalid)?;
        // After the lists: a list that is too long is named by its path, which tells the caller more than this.
        if counts.fields > MAX_FIELDS {
            return Err(TransportFault::MalformedMessage.into());
        }
        Ok(counts.bytes)
    }

    fn counts(self, message: &[u8]) -> Result<Counts, Malformed> {
        let requests = self.requests;
        let shape = &requests.shapes[self.shape];
        let mut counts = Counts { requests, lists: vec![0; requests.lists.len()], fields: 0, bytes: shape.bytes };
        counts.message(shape, message, MAX_DEPTH)?;
        Ok(counts)
    }
}

/// The counts of one request while it is walked through.
struct Counts {
    requests: &'static Requests,
    /// The elements of each list, over the whole request.
    lists: Vec<usize>,
    /// All fields, however often they are given.
    fields: usize,
    /// The estimate of the decoded size.
    bytes: usize,
}

impl Counts {
    fn message(&mut self, shape: &Shape, mut bytes: &[u8], depth: usize) -> Result<(), Malformed> {
        // Which fields were seen before in this message.
        let mut seen = 0_u64;
        while !bytes.is_empty() {
            let (number, wire) = key(&mut bytes)?;
            self.fields += 1;
            let Some((place, field)) = shape.field(number) else {
                self.skip(number, wire, &mut bytes, depth)?;
                continue;
            };
            // A field beyond the 64th has no bit and counts as the first each time: the estimate is then too high, never
            // too low.
            let bit = 1_u64.checked_shl(place).unwrap_or_default();
            let is_first = seen & bit == 0;
            seen |= bit;
            match (field.kind, wire) {
                (Kind::Varint, VARINT) => {
                    varint(&mut bytes)?;
                    self.elements(field, 1, is_first);
                }
                (Kind::Fixed32, FIXED32) => {
                    take(&mut bytes, 4)?;
                    self.elements(field, 1, is_first);
                }
                (Kind::Fixed64, FIXED64) => {
                    take(&mut bytes, 8)?;
                    self.elements(field, 1, is_first);
                }
                (Kind::Text, DELIMITED) => {
                    let length = delimited(&mut bytes)?.len();
                    self.elements(field, 1, is_first);
                    // If a text that is no list is repeated, prost keeps the last and reuses its buffer.
                    let is_allocated = (field.list.is_some() || is_first) && length > 0;
                    self.bytes += length + if is_allocated { ALLOCATION } else { 0 };
                }
                (Kind::Message(inner), DELIMITED) => {
                    let content = delimited(&mut bytes)?;
                    self.elements(field, 1, is_first);
                    // A message that is no list and comes again is merged into the first by prost, and takes no more
                    // room by itself.
                    let depth = depth.checked_sub(1).ok_or(Malformed)?;
                    self.message(&self.requests.shapes[inner], content, depth)?;
                }
                // Packed: the elements of a list of numbers, one behind the other.
                (kind, DELIMITED) if field.list.is_some() => {
                    let content = delimited(&mut bytes)?;
                    let elements = match kind {
                        Kind::Fixed32 => content.len() / 4,
                        Kind::Fixed64 => content.len() / 8,
                        // Each has one byte without the highest bit: its last.
                        _ => content.iter().filter(|byte| **byte < 0x80).count(),
                    };
                    self.elements(field, elements, is_first);
                }
                _ => return Err(Malformed),
            }
        }
        Ok(())
    }

    /// Skips a field that the message's type does not have, as prost does.
    fn skip(&mut self, number: u32, wire: u32, bytes: &mut &[u8], depth: usize) -> Result<(), Malformed> {
        // For every field and not for groups alone, because prost judges the depth here for all of them.
        let within = depth.checked_sub(1).ok_or(Malformed)?;
        match wire {
            VARINT => varint(bytes).map(drop),
            FIXED64 => take(bytes, 8).map(drop),
            DELIMITED => delimited(bytes).map(drop),
            FIXED32 => take(bytes, 4).map(drop),
            GROUP => loop {
                let (inner, wire) = key(bytes)?;
                if wire == END_GROUP {
                    return if inner == number { Ok(()) } else { Err(Malformed) };
                }
                self.fields += 1;
                self.skip(inner, wire, bytes, within)?;
            },
            _ => Err(Malformed),
        }
    }

    /// Counts values of a field, which are the first of it in their message or not. A field that is not repeated is a
    /// part of its message's size already.
    fn elements(&mut self, field: Field, elements: usize, are_first: bool) {
        let Some(list) = field.list else { return };
        self.lists[list] += elements;
        // The first element brings the smallest room, for four.
        self.bytes += GROWTH * field.bytes * (elements + usize::from(are_first));
    }
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const DELIMITED: u32 = 2;
const GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

/// A field's number and its wire type.
fn key(bytes: &mut &[u8]) -> Result<(u32, u32), Malformed> {
    let key = u32::try_from(varint(bytes)?).map_err(|_| Malformed)?;
    match key >> 3 {
        0 => Err(Malformed),
        number => Ok((number, key & 7)),
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            // Of the tenth byte there is one bit left.
            let fits = index < 9 || *byte < 2;
            take(bytes, index + 1)?;
            return if fits { Ok(value) } else { Err(Malformed) };
        }
    }
    Err(Malformed)
}

fn take<'b>(bytes: &mut &'b [u8], length: usize) -> Result<&'b [u8], Malformed> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
    *bytes = rest;
    Ok(taken)
}

fn delimited<'b>(bytes: &mut &'b [u8]) -> Result<&'b [u8], Malformed> {
    let length = usize::try_from(varint(bytes)?).map_err(|_| Malformed)?;
    take(bytes, length)
}

#[cfg(test)]
mod tests;
