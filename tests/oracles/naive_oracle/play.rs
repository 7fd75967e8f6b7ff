//! One store's game: each call is drawn, sent and judged by the model. The two must agree, and so must
//! what can be read now and then.

use std::collections::BTreeMap;
use std::fmt::Debug;

use purchase_order_service::proto::v1::*;
use tonic::Status;
use tonic::transport::Channel;

use crate::naive_oracle::access::OPERATOR;
use crate::naive_oracle::answer::Answer;
use crate::naive_oracle::command::{Call, Command, Name, Time};
use crate::naive_oracle::generator::Generator;
use crate::naive_oracle::model::{Made, Model};
use crate::naive_oracle::refused::{Reason, Refused, told};
use crate::naive_oracle::shown::{Before, Shown};
use crate::naive_oracle::wire::Wire;
use crate::support::Caller;

/// How often each kind of command came to each end.
pub type Counts = BTreeMap<(Reason, Name), u64>;
/// The ends that are no refusals.
pub const DONE: Reason = "(done)";
pub const REPLAYED: Reason = "(replayed)";

pub struct Play {
    seed: u64,
    pub(super) model: Model,
    pub(super) wire: Wire,
    pub(super) generator: Generator,
    /// The calls so far: what a failure shows the end of.
    pub(super) calls: Vec<Call>,
    pub counts: Counts,
}

impl Play {
    /// A store of alice's with a manager, a receiver and the feature on.
    pub async fn begin(channel: Channel, seed: u64, number: u64, now: Time) -> Self {
        let store = format!("store-{number}");
        Caller::of(channel.clone(), OPERATOR, &store).create_store("alice").ok().await;
        let model = Model { created: now, now, events: 1, ..Model::default() };
        let wire = Wire { channel, store, ids: Vec::new(), deliveries: Vec::new() };
        let generator = Generator::new(seed.wrapping_mul(1_000).wrapping_add(number));
        let mut play = Self { seed, model, wire, generator, calls: Vec::new(), counts: Counts::new() };
        for (caller, command) in [
            (OPERATOR, Command::SetBackOrders(true)),
            ("alice", Command::CreateRole { role: "keys", permissions: vec![Permission::ManageAccess] }),
            ("alice", Command::GrantRole { principal: "bob", role: "receiver" }),
            ("alice", Command::GrantRole { principal: "carol", role: "manager" }),
        ] {
            play.call(Call { caller, id: None, command }).await;
        }
        play
    }

    /// Plays on, so many calls at this time.
    pub async fn play(mut self, calls: u64, now: Time) -> Self {
        self.model.now = now;
        for _ in 0..calls {
            let call = self.generator.next(&self.model, &self.calls);
            self.call(call).await;
            if self.generator.one_in(6) {
                self.look().await;
            }
        }
        self
    }

    pub(super) fn shown(&self) -> Shown<'_> {
        Shown { model: &self.model, wire: &self.wire }
    }

    async fn call(&mut self, call: Call) {
        self.calls.push(call.clone());
        let is_new = call.id.is_none_or(|id| !self.model.answered.contains_key(&(call.caller, id)));
        let preview = if is_new && self.generator.one_in(4) { self.preview(&call).await } else { None };
        let got = self.wire.send(&call).await;
        let judged = self.model.judge(&call);
        self.learn(got.as_ref().ok());
        let end = judged.as_ref().err().map(|refused| refused.reason);
        let end = end.unwrap_or(if is_new { DONE } else { REPLAYED });
        *self.counts.entry((end, call.command.kind())).or_default() += 1;
        for notable in judged.iter().filter(|_| is_new).flat_map(|made| self.model.notable(&call, made)) {
            *self.counts.entry((notable, call.command.kind())).or_default() += 1;
        }
        if let Some((before, preview)) = preview {
            self.compare_preview(&call, before, judged.clone(), preview);
        }
        self.compare("its answer", judged.map(|made| self.shown().answer(&call, made)), got);
    }

    /// The id of a new order or delivery is told by the answer that made it.
    fn learn(&mut self, answer: Option<&Answer>) {
        if self.wire.deliveries.len() < self.model.deliveries {
            self.wire.deliveries.push(answer.map(|answer| answer.delivery_id.clone()).unwrap_or_default());
        }
        if self.wire.ids.len() < self.model.orders.len() {
            let made = answer.and_then(|answer| match (&answer.back_order, &answer.order) {
                (Some(back_order), _) => Some(back_order.purchase_order_id.clone()),
                (None, order) => order.as_ref().map(|order| order.purchase_order_id.clone()),
            });
            self.wire.ids.push(made.unwrap_or_default());
        }
    }

    /// Asks for the preview of a completion, and remembers how things were.
    async fn preview(&self, call: &Call) -> Option<(Option<Before>, Result<PreviewCompletionResponse, Status>)> {
        let preview = self.wire.preview(call).await?;
        let Command::Change { order, .. } = &call.command else { return None };
        Some((self.shown().before(*order, call.caller), preview))
    }

    /// A preview tells what the completion comes to; or why it would be refused, in the first of its blockers
    /// or by being refused.
    fn compare_preview(
        &self,
        call: &Call,
        before: Option<Before>,
        judged: Result<Made, Refused>,
        got: Result<PreviewCompletionResponse, Status>,
    ) {
        let Err(refused) = judged else {
            let before = before.expect("what is completed was there");
            let shown = judged.map(|made| self.shown().preview(&before, made.place, call.caller));
            return self.compare("its preview", shown, got);
        };
        let got = match got {
            Ok(preview) => preview.blockers.first().map(|blocker| blocker.reason.clone()).unwrap_or_default(),
            Err(status) => told(&status, &[]).0,
        };
        // An order of which nothing was accepted is not completed, whatever is asked; its preview says so
        // beside the list, and so looks first at what is asked.
        let looks_on = ["LINE_NOT_FOUND", "INVALID_FOR_STORED_DATA"].contains(&&*got);
        if refused.reason != "NOTHING_RECEIVED" || !looks_on {
            self.agree("its preview", &refused.reason, &got.as_str());
        }
    }

    pub(super) fn compare<T: Debug + PartialEq>(
        &self,
        what: &str,
        expected: Result<T, Refused>,
        got: Result<T, Status>,
    ) {
        let says = expected.as_ref().err().map(|refused| refused.says.clone()).unwrap_or_default();
        let expected = expected.map_err(|refused| (refused.reason.to_owned(), refused.says));
        self.agree(what, &expected, &got.map_err(|status| told(&status, &says)));
    }

    fn agree<T: Debug + PartialEq>(&self, what: &str, expected: &T, got: &T) {
        if expected == got {
            return;
        }
        let (seed, store, last) = (self.seed, &self.wire.store, self.calls.len() - 1);
        let difference = difference(&format!("{expected:#?}"), &format!("{got:#?}"));
        let calls = self.calls.iter().enumerate().skip(last.saturating_sub(9));
        let calls: Vec<String> = calls.map(|(index, call)| format!("{index}: {call:?}")).collect();
        let calls = calls.join("\n");
        panic!("ORACLE_SEED={seed} {store}, call {last}, {what}:\n{difference}\nthe last calls:\n{calls}");
    }
}

/// The lines in which two texts differ.
fn difference(expected: &str, got: &str) -> String {
    if expected.lines().count() != got.lines().count() {
        return format!("expected {expected}\ngot {got}");
    }
    let differ = expected.lines().zip(got.lines()).filter(|(expected, got)| expected != got);
    let differences = differ.map(|(expected, got)| format!("expected {}\ngot      {}", expected.trim(), got.trim()));
    differences.collect::<Vec<_>>().join("\n")
}
