//! Every text and number of every request just below its limit, at it, and just above it. What the
//! limits are is told by `rules`, and by the contract's own comments.

use prost_reflect::{Kind, Value};
use rstest::rstest;

use super::corrupt::corrupt_all;
use super::rules::{Rule, rule};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::World;
use crate::support::contract::{Place, field_comment, places, rpcs};

/// Values around the limits of a place.
fn values(place: &Place, _: &Value) -> Vec<Option<Value>> {
    let found: Vec<Value> = match (place.field().kind(), place.field().name()) {
        _ if place.is_list() => Vec::new(),
        (Kind::String, _) => strings(rule(place)).into_iter().map(Value::String).collect(),
        (Kind::Int32, "page_size") => [-1, 0, 1, 999, 1_000, 1_001, i32::MAX].map(Value::I32).into(),
        (Kind::Int32, "nanos") => [-1, 0, 999, 1_000, 999_999_999, 1_000_000_000].map(Value::I32).into(),
        (Kind::Int32, _) => [0, 1, 5_000, 5_001].map(Value::I32).into(),
        _ => Vec::new(),
    };
    found.into_iter().map(Some).collect()
}

fn strings(rule: Rule) -> Vec<String> {
    if let Some(max) = rule.most_bytes() {
        return texts(max);
    }
    match rule {
        Rule::Label => [0, 1, 62, 63, 64].map(|length| "a".repeat(length)).into(),
        Rule::Decimal(..) | Rule::PositiveDecimal(..) | Rule::Contradicted => {
            let decimals = [
                "0",
                "0.0",
                "0.0001",
                "0.00001",
                "0.000001",
                "0.0000001",
                "1000",
                "1000.0001",
                "1000000000.000001",
                "100000000000",
                "100000000000.0001",
                "1.0000",
                "999999999",
                "999999999.9999",
                "1000000000",
                "1000000000.0",
                "1000000000.0001",
                "1000000000000",
                "922337203685477.5807",
                "922337203685477.5808",
            ];
            decimals.map(str::to_owned).into()
        }
        _ => Vec::new(),
    }
}

/// Bytes count, not characters, and they count in normal form C, in which some text is shorter than
/// it was sent and some is longer.
fn texts(max: usize) -> Vec<String> {
    let bytes = [max - 1, max, max + 1].map(|length| "a".repeat(length));
    let two_each = [format!("a{}", "é".repeat(max / 2 - 1)), "é".repeat(max / 2), format!("{}a", "é".repeat(max / 2))];
    let four_each = [max / 4, max / 4 + 1].map(|count| "\u{1f34e}".repeat(count));
    let shrinking = [max / 2, max / 2 + 1].map(|count| "e\u{301}".repeat(count));
    // DEVANAGARI LETTER QA: three bytes, and six in normal form.
    let growing = [max / 6, max / 6 + 1].map(|count| "\u{958}".repeat(count));
    bytes.into_iter().chain(two_each).chain(four_each).chain(shrinking).chain(growing).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn texts_and_numbers_at_their_limits(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let report = corrupt_all(&world, values).await;
    report.is_clean();
    assert!(report.calls > 700, "only {} calls were made", report.calls);
    world.verify().await;
}

#[test]
fn the_contract_tells_the_same_limits() {
    let mut checked = 0;
    for rpc in rpcs() {
        for place in places(&rpc.input).iter().filter(|place| place.field().kind() == Kind::String && !place.is_list())
        {
            let Some(max) = rule(place).most_bytes() else { continue };
            let comment = field_comment(place.field()).replace(',', "");
            let Some((before, _)) = comment.split_once(" bytes") else { continue };
            let number = before.rsplit(' ').next().unwrap();
            assert_eq!(number, max.to_string(), "{} {}: {comment}", rpc.path, place.path());
            checked += 1;
        }
    }
    assert!(checked > 20, "the comments are found: {checked}");
}
