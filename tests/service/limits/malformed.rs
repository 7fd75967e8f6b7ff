//! Every field of every request, one after another, holds what somebody might send by mistake or on
//! purpose. Whatever it is, the answer is one that the contract documents, and what is wrong is said of
//! the field that is wrong.

use std::collections::BTreeSet;
use std::fmt::Write;

use prost_reflect::{Kind, Value};
use rstest::rstest;

use super::bases::{Bench, base_of, bases};
use super::corrupt::{Report, corrupt_all};
use super::rules::{Rule, rule};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::World;
use crate::support::contract::{Place, RpcOf, places, rpcs, send};

/// Strings that are wrong as text, or look as if they were.
pub const TEXTS: [&str; 36] = [
    "",
    " ",
    "a\0b",
    "\u{1}",
    "\n",
    "\r\n",
    "\t",
    "\u{7f}",
    "\u{85}",
    "\u{202e}x",
    "\u{2066}",
    "\u{200f}",
    "a\u{200d}b",
    "a\u{200b}b",
    "\u{a0}",
    "\u{3000}",
    "a  b",
    "a\u{2028}b",
    "two\nlines\tof text",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "e\u{301}",
    "\u{1f34e}",
    "'; DROP TABLE store; --",
    "../../etc/passwd",
    "%s%n",
    "%",
    "_",
    "\\",
    "\"",
    "{}",
    "null",
    "${jndi:ldap://x}",
    "NaN",
    "-1",
];

/// Strings that are almost a number, a date, an id or a name; some are right elsewhere.
const FORMS: [&str; 42] = [
    "+1",
    "1e3",
    "1,5",
    ".5",
    "5.",
    "05",
    "00",
    "1.00001",
    "1000000000000",
    "99999999999999999999",
    "Infinity",
    "0x1",
    "1 ",
    "\u{663}",
    "2026-02-30",
    "2026-2-3",
    "20260203",
    "2026-02-03T00:00:00Z",
    "0000-01-01",
    "9999-12-31",
    "10000-01-01",
    "-2026-01-01",
    "Europe/Atlantis",
    "Etc/Unknown",
    "Europe/Paris",
    "UTC",
    "+01:00",
    "EURO",
    "eur",
    "not-a-uuid",
    "00000000-0000-0000-0000-000000000000",
    "{0191e0c8-0b5e-7c11-9f3a-2f6c1d8e4b7a}",
    "0191e0c80b5e7c119f3a2f6c1d8e4b7a",
    "0191E0C8-0B5E-7C11-9F3A-2F6C1D8E4B7A",
    "urn:uuid:0191e0c8-0b5e-7c11-9f3a-2f6c1d8e4b7a",
    "4006381333932",
    "400638133393",
    "store_id",
    "*",
    "lines.quantity",
    "South",
    "sou_th",
];

/// What is tried of a string. Free text has no form to be almost right in.
fn strings(place: &Place) -> Vec<Value> {
    let is_text = matches!(
        rule(place),
        Rule::Text(_)
            | Rule::Note
            | Rule::Reason
            | Rule::RequiredReason
            | Rule::RequiredText(_)
            | Rule::Code(_)
            | Rule::Required(_)
            | Rule::Etag
    );
    let forms = if is_text { &FORMS[..2] } else { &FORMS[..] };
    let long = ["x".repeat(10_000), "e\u{301}".repeat(3_333)];
    TEXTS.iter().chain(forms).map(|text| (*text).to_owned()).chain(long).map(Value::String).collect()
}

/// What is put at a place; `None` takes away what is there.
fn values(place: &Place, valid: &Value) -> Vec<Option<Value>> {
    let of_kind: Vec<Value> = match place.field().kind() {
        _ if place.is_list() => lists(valid),
        Kind::String => strings(place),
        Kind::Int32 => [i32::MIN, -1, 0, 1, 1_001, 999_999_999, 1_000_000_000, i32::MAX].map(Value::I32).into(),
        // The edges of the years 1 to 9999 are among them.
        Kind::Int64 => [i64::MIN, -62_135_596_801, -62_135_596_800, -1, 0, 253_402_300_799, 253_402_300_800, i64::MAX]
            .map(Value::I64)
            .into(),
        Kind::Enum(_) => (-1..=14).chain([77, i32::MIN, i32::MAX]).map(Value::EnumNumber).collect(),
        Kind::Bool => [false, true].map(Value::Bool).into(),
        other => panic!("nobody knows what is malformed for {other:?}"),
    };
    let unset = place.field().supports_presence().then_some(None);
    of_kind.into_iter().map(Some).chain(unset).collect()
}

/// A list of nothing, of its element twice, and of more of it than any limit lets through.
fn lists(valid: &Value) -> Vec<Value> {
    let element = valid.as_list().unwrap()[0].clone();
    let many = if element.as_message().is_some() { 5_001 } else { 40_000 };
    [0, 2, many].map(|count| Value::List(vec![element.clone(); count])).into()
}

#[test]
fn every_rpc_of_the_contract_has_a_valid_request_here() {
    let bases = bases();
    let (known, contract): (BTreeSet<&str>, Vec<RpcOf>) = (bases.iter().map(|base| base.path).collect(), rpcs());
    assert_eq!(known, contract.iter().map(|rpc| rpc.path.as_str()).collect());
    assert_eq!(bases.len(), known.len(), "each once");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_valid_requests_are_valid(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (bench, bases) = (Bench::in_world(&world).await, bases());
    for rpc in rpcs() {
        let base = base_of(&bases, &rpc);
        let message = base.make(&bench, &rpc).await;
        let answer = send(&world.channel(), base.principal, &rpc.path, &message).await;
        assert!(answer.is_ok(), "{} {message:?}\n  was refused: {answer:?}", rpc.path);
        let filled = |place: &Place| !place.is_list() || !place.get(&message).as_list().unwrap().is_empty();
        assert!(places(&rpc.input).iter().all(filled), "{} leaves lists empty: {message:?}", rpc.path);
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_sent_is_answered_wrongly(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let report = corrupt_all(&world, values).await;
    write_down(on, &report);
    report.is_clean();
    assert!(report.calls > 3_000, "only {} calls were made", report.calls);
    world.bob().list().ok().await;
    world.verify().await;
}

/// Keeps what was said, to be read by a person: `target/tmp/said-Sqlite.txt`.
fn write_down(on: Engine, report: &Report) {
    let mut text = format!("{} calls\n", report.calls);
    for ((field, rule), rpcs) in &report.said {
        let rpcs = rpcs.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "{field} {rule}\n    {rpcs}");
    }
    let path = format!("{}/said-{on:?}.txt", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(path, text).unwrap();
}
