//! Spoiling a valid request one field at a time, and judging the answers: they must be documented, say
//! what is wrong of the field that is wrong, and refuse nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use prost_reflect::Value;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::bases::{Base, Bench, base_of, bases};
use super::rules::{admits, blamed, is_unlisted, names_line};
use crate::support::World;
use crate::support::contract::{Place, RpcOf, places, rpcs, send};

/// What is put at a place that holds something valid; `None` takes that away.
pub type Values = fn(&Place, &Value) -> Vec<Option<Value>>;

/// What came of the calls.
#[derive(Default)]
pub struct Report {
    pub calls: usize,
    /// What should have been answered otherwise.
    pub complaints: Vec<String>,
    /// Everything said of any field: the rpcs that say it.
    pub said: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Report {
    /// Fails if anything should have been answered otherwise.
    pub fn is_clean(&self) {
        let Self { calls, complaints, .. } = self;
        assert!(complaints.is_empty(), "{} of {calls} calls:\n{}", complaints.len(), complaints.join("\n"));
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.complaints.extend(other.complaints);
        other.said.into_iter().for_each(|(what, rpcs)| self.said.entry(what).or_default().extend(rpcs));
    }

    fn hear(&mut self, rpc: &RpcOf, status: &Status) {
        let details = status.get_error_details();
        for violation in details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default() {
            let said = (violation.field, violation.description);
            self.said.entry(said).or_default().insert(rpc.path.rsplit('/').next().unwrap().to_owned());
        }
    }
}

/// Corrupts every field of every rpc's request, all rpcs at once.
pub async fn corrupt_all(world: &World, values: Values) -> Report {
    let (bench, bases, mut report) = (Bench::in_world(world).await, Arc::new(bases()), Report::default());
    let mut corrupting = Vec::new();
    for rpc in rpcs() {
        let (bench, bases, channel) = (bench.clone(), Arc::clone(&bases), world.channel());
        corrupting
            .push(tokio::spawn(async move { corrupt(&rpc, base_of(&bases, &rpc), &bench, &channel, values).await }));
    }
    for corrupted in corrupting {
        report.add(corrupted.await.unwrap());
    }
    report
}

/// Corrupts every field of one rpc's request.
async fn corrupt(rpc: &RpcOf, base: &Base, bench: &Bench, channel: &Channel, values: Values) -> Report {
    let mut report = Report::default();
    let changes_something = rpc.input.get_field_by_name("request_id").is_some();
    let mut valid = base.make(bench, rpc).await;
    for place in places(&rpc.input) {
        for value in values(&place, &place.get(&valid)) {
            let mut message = valid.clone();
            match value.clone() {
                Some(value) => place.set(&mut message, value),
                None => place.clear(&mut message),
            }
            let answer = send(channel, base.principal, &rpc.path, &message).await;
            report.calls += 1;
            if changes_something && answer.is_ok() {
                valid = base.make(bench, rpc).await;
            }
            answer.as_ref().err().into_iter().for_each(|status| report.hear(rpc, status));
            let complaints = complaints(rpc, &place, value.as_ref(), &answer);
            let complete =
                |complaint| format!("{} {} = {}: {complaint}", rpc.path, place.path(), shown(value.as_ref()));
            report.complaints.extend(complaints.into_iter().map(complete));
        }
    }
    report
}

fn shown(value: Option<&Value>) -> String {
    let mut text = format!("{value:?}");
    text.truncate(text.floor_char_boundary(80));
    text
}

/// What is wrong with an answer.
fn complaints(rpc: &RpcOf, place: &Place, value: Option<&Value>, answer: &Result<Vec<u8>, Status>) -> Vec<String> {
    // A line's quantity and cost, the quantity of an adjustment and the amount of a charge are required; other
    // decimals may be left out.
    let message = place.field().parent_message().name().to_owned();
    let required = matches!(
        (&*message, place.field().name()),
        ("NewLine", "quantity" | "unit_cost") | ("AdjustInventoryRequest", "quantity") | ("Charge", "amount")
    );
    let required =
        required || is_unlisted(place) && (names_line(place) || !["gtin", "pack_size"].contains(&place.field().name()));
    let admitted = value.map_or(!required, |value| admits(place, value));
    match answer {
        Ok(_) if admitted => Vec::new(),
        Ok(_) => vec!["is accepted".to_owned()],
        Err(status) => misspoken(rpc, status).into_iter().chain(misjudged(place, admitted, status)).collect(),
    }
}

/// What every refusal owes its caller.
fn misspoken(rpc: &RpcOf, status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let Some(info) = details.error_info() else { return vec![format!("no reason: {status:?}")] };
    let mut wrong = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("{what}: {status:?}"))
        }
    };
    let code = code_name(status.code());
    check(!["INTERNAL", "UNKNOWN", "UNAVAILABLE"].contains(&&*code), "a fault");
    check(rpc.documented.contains(&code) && rpc.documented.contains(&info.reason), "undocumented");
    check(info.domain == "purchasing.v1", "the domain");
    check((1..=1_000).contains(&status.message().len()) && !status.message().ends_with("..."), "the message's length");
    let insides = ["SQL", "sqlite", "diesel", "constraint", "relation ", "src/", "panic"];
    // What the caller sent may be repeated, whatever it holds.
    let own = status.message().replace("DROP TABLE", "");
    check(insides.iter().all(|word| !own.contains(word)), "tells of its insides");
    for violation in details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default() {
        let rule = &violation.description;
        check((1..=120).contains(&rule.len()) && !rule.ends_with("..."), "a rule's length");
        check(status.message().contains(rule.as_str()), "the message lacks a rule");
    }
    wrong
}

/// `InvalidArgument` as the contract writes it.
fn code_name(code: Code) -> String {
    let mut name = String::new();
    for (index, c) in format!("{code:?}").chars().enumerate() {
        let _ = write!(name, "{}{}", if index > 0 && c.is_uppercase() { "_" } else { "" }, c.to_ascii_uppercase());
    }
    name
}

/// Whether the field is refused that should be, and no other.
fn misjudged(place: &Place, admitted: bool, status: &Status) -> Option<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    let named: BTreeSet<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let blamed = blamed(place);
    let is_blamed = |field: &str| {
        let within = |path: &String| field == path || place.is_list() && field.starts_with(path.as_str());
        blamed.iter().any(within) || blamed_with(place).contains(&field)
    };
    match (admitted, reason.as_str()) {
        (true, "INVALID_REQUEST") => Some(format!("is refused: {status:?}")),
        (false, "INVALID_REQUEST") | (true, "INVALID_FOR_STORED_DATA") => {
            let well = !named.is_empty() && named.iter().all(|field| is_blamed(field));
            (!well).then(|| format!("blames {named:?}, not {blamed:?}"))
        }
        (false, _) => Some(format!("is refused, but for something else: {status:?}")),
        (true, _) => None,
    }
}

/// What else may be blamed where two fields contradict each other.
fn blamed_with(place: &Place) -> &'static [&'static str] {
    match place.path().as_str() {
        // A disposition concerns both quantities and the line.
        "lines[0].back_order" | "lines[0].cancel" => &["lines[0]"],
        // Cancelling needs a reason, which is this field.
        "rest" => &["cancel_reason"],
        _ => &[],
    }
}
