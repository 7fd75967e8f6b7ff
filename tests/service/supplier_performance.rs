//! GetSupplierPerformance over random histories, held against the same figures worked out one by one from what the other
//! rpcs show: chains, lines, receipts and histories.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use purchase_order_service::proto::v1::PurchaseOrderState::{Cancelled, Completed};
use purchase_order_service::proto::v1::event::Change;
use purchase_order_service::proto::v1::*;
use rstest::rstest;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, STORE, World, line};

const SUPPLIERS: [&str; 3] = ["acme", "bolt", "corn"];
const ORDERS: usize = 30;

/// A decimal in units of its last place, of which it has so many.
fn scaled(text: &str, places: usize) -> i128 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{rest:0<places$}").parse().unwrap()
}

fn quantity(text: &str) -> i128 {
    scaled(text, 4)
}

fn unscaled(value: i128, places: usize) -> String {
    let (sign, value) = (if value < 0 { "-" } else { "" }, value.abs());
    let one = 10_i128.pow(places as u32);
    let text = format!("{sign}{}.{:0places$}", value / one, value % one);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn half_even(value: i128, divisor: i128) -> i128 {
    let (low, rest) = (value.div_euclid(divisor), value.rem_euclid(divisor));
    low + i128::from(2 * rest > divisor || 2 * rest == divisor && low % 2 != 0)
}

/// The day in Amsterdam.
fn day(time: &prost_types::Timestamp) -> Date {
    let instant = Timestamp::new(time.seconds, time.nanos).unwrap();
    instant.to_zoned(TimeZone::get("Europe/Amsterdam").unwrap()).date()
}

/// Rates of lines.
#[derive(Default)]
struct Rates(Vec<i128>);

impl Rates {
    /// `part` of `whole`, at most all of it.
    fn add(&mut self, part: i128, whole: i128) {
        self.0.push(part.min(whole) * 1_000_000_000 / whole);
    }

    fn told(&self) -> Option<LineRate> {
        let count = self.0.len() as i128;
        let mean = if count == 0 { None } else { Some(half_even(self.0.iter().sum(), count * 100_000)) };
        let mean = mean.map(|mean| unscaled(mean, 4)).unwrap_or_default();
        Some(LineRate { mean, line_count: count as i32 })
    }
}

/// A supplier's figures as they are worked out here.
#[derive(Default)]
struct Figures {
    orders: i32,
    back_orders: i32,
    lines: i32,
    first_fill: Rates,
    final_fill: Rates,
    on_time: Rates,
    days: Vec<i32>,
    /// The items, and the lines by chain and number.
    rejected: BTreeMap<i32, (i32, BTreeSet<(String, i32)>)>,
    cancelled: BTreeMap<i32, BTreeSet<(String, i32)>>,
    variance: i128,
    outstanding: i128,
}

impl Figures {
    async fn add_chain(&mut self, caller: &Caller, original: &PurchaseOrder, today: Date) {
        let chain = caller.chain(original).with(|request| request.page_size = 1_000).ok().await;
        let root = original.purchase_order_id.clone();
        let is_open = chain.purchase_orders.iter().any(|order| ![Completed, Cancelled].contains(&order.state()));
        self.orders += 1;
        self.back_orders += chain.purchase_orders.len() as i32 - 1;
        self.lines += chain.lines.len() as i32;
        let mut promises: BTreeMap<i32, Date> = BTreeMap::new();
        let mut accepted: Vec<(i32, Date, i128)> = Vec::new();
        let mut first_received: BTreeMap<i32, i128> = BTreeMap::new();
        for order in &chain.purchase_orders {
            self.outstanding += quantity(order.pending_cost());
            let lines = caller.lines(order).await;
            for line in &lines {
                if !line.first_expected_date.is_empty() {
                    promises.entry(line.line_number).or_insert(line.first_expected_date.parse().unwrap());
                }
                if order.back_order_sequence == 0 && order.state() == Completed {
                    let received = quantity(&line.received) - quantity(&line.excess);
                    first_received.insert(line.line_number, received);
                }
            }
            for receipt in receipts(caller, order).await {
                for item in &receipt.items {
                    accepted.push((item.line_number, day(&receipt.receive_time.unwrap()), quantity(&item.accepted)));
                    let line = lines.iter().find(|line| line.line_number == item.line_number).unwrap();
                    self.variance += quantity(item.value()) - at_line_cost(line, quantity(&item.accepted));
                    if item.rejected != "0" {
                        let (items, lines) = self.rejected.entry(item.reject_reason).or_default();
                        *items += 1;
                        lines.insert((root.clone(), item.line_number));
                    }
                }
            }
            for (code, line) in cancellations(caller, order).await {
                self.cancelled.entry(code).or_default().insert((root.clone(), line));
            }
        }
        for line in &chain.lines {
            let number = line.line_number;
            let (first_ordered, ordered) = (quantity(&line.first_ordered), quantity(&line.ordered));
            let received = quantity(&line.received) - quantity(&line.excess);
            if let Some(at_first) = first_received.get(&number).filter(|_| first_ordered > 0) {
                self.first_fill.add(*at_first, first_ordered);
            }
            if !is_open && first_ordered > 0 {
                self.final_fill.add(received, first_ordered);
            }
            if let Some(promise) = promises.get(&number)
                && ordered > 0
                && (*promise < today || line.pending == "0")
            {
                let in_time = accepted.iter().filter(|(line, day, _)| *line == number && day <= promise);
                self.on_time.add(in_time.map(|(.., accepted)| accepted).sum::<i128>().min(received), ordered);
            }
            self.days.extend(line.days_to_last_receipt);
        }
    }

    fn told(&self, supplier: &str) -> SupplierPerformance {
        let lead_time = self.days.iter().min().zip(self.days.iter().max()).map(|(least, most)| LeadTime {
            mean_days: unscaled(
                half_even(self.days.iter().map(|days| i128::from(*days) * 10_000).sum(), self.days.len() as i128),
                4,
            ),
            least_days: *least,
            most_days: *most,
            line_count: self.days.len() as i32,
        });
        let rejected = self.rejected.iter().map(|(reason, (items, lines))| RejectedLines {
            reason: *reason,
            item_count: *items,
            line_count: lines.len() as i32,
        });
        let cancelled = self.cancelled.iter();
        let cancelled =
            cancelled.map(|(reason, lines)| CancelledLines { reason: *reason, line_count: lines.len() as i32 });
        SupplierPerformance {
            store_id: STORE.to_owned(),
            supplier_id: supplier.to_owned(),
            order_count: self.orders,
            back_order_count: self.back_orders,
            line_count: self.lines,
            first_fill_rate: self.first_fill.told(),
            final_fill_rate: self.final_fill.told(),
            on_time_rate: self.on_time.told(),
            lead_time,
            rejected: rejected.collect(),
            cancelled: cancelled.collect(),
            price_variance: Some(unscaled(self.variance, 4)),
            outstanding_cost: Some(unscaled(self.outstanding, 4)),
            currency: "EUR".to_owned(),
        }
    }
}

/// What a quantity is worth at the cost of a line.
fn at_line_cost(line: &PurchaseOrderLine, accepted: i128) -> i128 {
    match (line.pack_cost.as_deref(), line.pack_size.as_str()) {
        (Some(cost), size) if accepted % quantity(size) == 0 => {
            half_even(accepted / quantity(size) * scaled(cost, 6), 100)
        }
        _ => half_even(accepted * scaled(line.unit_cost(), 6), 1_000_000),
    }
}

/// The receipts of an order that are active, with their items.
async fn receipts(caller: &Caller, order: &PurchaseOrder) -> Vec<Receipt> {
    let listed = caller.list_receipts(order).with(|r| (r.active_only, r.page_size) = (true, 1_000)).ok().await.receipts;
    let mut receipts = Vec::new();
    for receipt in listed {
        receipts.push(caller.receipt(order, receipt.receipt_number).ok().await.receipt.unwrap());
    }
    receipts
}

/// The reason code and line of each part that is cancelled of an order, according to its history.
async fn cancellations(caller: &Caller, order: &PurchaseOrder) -> Vec<(i32, i32)> {
    let events = caller.history(order).with(|request| request.page_size = 1_000).ok().await.events;
    let (mut for_good, mut by_completion) = (Vec::new(), Vec::new());
    for entry in events {
        match entry.change {
            Some(Change::LinesCancelled(change)) => {
                let parts = change.lines.iter();
                for_good.extend(parts.map(|part| (part.reason_code, part.line_number, quantity(&part.quantity))));
            }
            Some(Change::Completed(change)) => {
                let cancelled = change.lines.iter().filter(|line| line.cancelled != "0");
                let with_code = cancelled.map(|line| {
                    let is_own = line.cancel_reason_code != 0 || !line.cancel_reason.is_empty();
                    let code = if is_own { line.cancel_reason_code } else { change.cancel_reason_code };
                    (code, line.line_number)
                });
                by_completion = with_code.collect();
            }
            Some(Change::Reopened(_)) => by_completion.clear(),
            Some(Change::Cancelled(change)) => {
                let lines = caller.lines(order).await;
                // What is not explained by what was cancelled before.
                for line in &lines {
                    let before = for_good.iter().filter(|(_, number, _)| *number == line.line_number);
                    let rest = quantity(&line.cancelled) - before.map(|(.., part)| part).sum::<i128>();
                    if rest > 0 {
                        for_good.push((change.reason_code, line.line_number, rest));
                    }
                }
            }
            _ => {}
        }
    }
    for_good.into_iter().map(|(code, line, _)| (code, line)).chain(by_completion).collect()
}

/// Somebody who does anything that comes to mind. What is refused is refused.
struct Buyer<'w> {
    world: &'w World,
    alice: Caller,
    rng: Rng,
    now: Timestamp,
}

impl Buyer<'_> {
    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(..of.len())].clone()
    }

    fn code(&mut self) -> i32 {
        self.rng.i32(0..=i32::from(CancelReason::Other))
    }

    fn some_day(&mut self) -> String {
        let today = self.now.to_zoned(TimeZone::get("Europe/Amsterdam").unwrap()).date();
        today.saturating_add(self.rng.i64(0..6).days()).to_string()
    }

    async fn order(&mut self) {
        let names = ["apples", "pears", "plums", "figs"];
        let lines: Vec<(&str, String)> =
            names[..self.rng.usize(1..=4)].iter().map(|name| (*name, self.rng.u32(1..12).to_string())).collect();
        let supplier = self.one_of(&SUPPLIERS);
        let mut request = self.alice.create(&[]).request;
        for (product, quantity) in &lines {
            let mut new = line(product, quantity);
            new.unit_cost = Some(self.one_of(&["2.5", "0.33335", "7", "0"]).to_owned());
            if self.rng.u8(..3) == 0 {
                (new.unit_cost, new.pack_size, new.pack_cost) = (None, Some("2".into()), Some("0.33335".into()));
            }
            if self.rng.bool() {
                new.expected_date = self.some_day();
            }
            request.lines.push(new);
        }
        request.supplier_id = supplier.to_owned();
        let draft = self.alice.call(request).ok().await.purchase_order.unwrap();
        if self.rng.u8(..8) > 0 {
            self.alice.place(&draft).ok().await;
        }
    }

    async fn act(&mut self, order: &PurchaseOrder) {
        let lines = self.alice.lines(order).await;
        let line = self.one_of(&lines);
        let pending = line.pending.parse::<u32>().unwrap_or(0);
        let part = self.rng.u32(0..=pending).to_string();
        match self.rng.u8(..20) {
            0..8 => self.receive(order, &lines).await,
            8 => drop(self.alice.void(order, 1).await),
            9 => {
                let amended = self.rng.u32(1..14).to_string();
                drop(self.alice.amend(order, &[(line.line_number, amended.as_str())]).await);
            }
            10 => {
                let code = self.code();
                let cancel = self.alice.cancel_lines(order, &[(line.line_number, part.as_str())]);
                drop(cancel.with(|request| request.lines[0].reason_code = code).await);
            }
            11 => {
                let code = self.code();
                drop(self.alice.cancel(order).with(|request| request.reason_code = code).await);
            }
            12 => drop(self.alice.reopen(order).await),
            13 => {
                let date = self.some_day();
                let confirm = self.alice.confirm(order, &[(line.line_number, "")]);
                drop(confirm.with(|request| request.lines[0].expected_date = date).await);
            }
            _ => self.complete(order, &lines).await,
        }
    }

    async fn receive(&mut self, order: &PurchaseOrder, lines: &[PurchaseOrderLine]) {
        let mut call = self.alice.receive(order);
        for line in lines {
            let pending = line.pending.parse::<u32>().unwrap_or(0);
            let mut item = NewReceiptItem { line_number: line.line_number, ..NewReceiptItem::default() };
            let most = if self.rng.u8(..4) == 0 { pending * 3 / 2 } else { pending };
            item.accepted = Some(self.rng.u32(0..=most).to_string());
            if self.rng.u8(..4) == 0 {
                item.rejected = Some(self.rng.u32(1..4).to_string());
                item.reject_reason = self.rng.i32(1..6);
            }
            if self.rng.u8(..3) == 0 {
                item.unit_cost = Some(self.one_of(&["3", "0.111111", "0"]).to_owned());
            }
            call.request.items.push(item);
        }
        drop(call.await);
    }

    async fn complete(&mut self, order: &PurchaseOrder, lines: &[PurchaseOrderLine]) {
        let rest = self.one_of(&[PendingDisposition::BackOrder, PendingDisposition::Cancel]);
        let mut call = self.alice.complete(order).rest(rest).because("enough");
        call.request.cancel_reason_code = self.code();
        for line in lines.iter().filter(|line| line.pending != "0") {
            if self.rng.u8(..3) == 0 {
                let cancel = self.rng.u32(0..=line.pending.parse::<u32>().unwrap_or(0));
                let back_order = line.pending.parse::<u32>().unwrap_or(0) - cancel;
                call = call.line(line.line_number, &back_order.to_string(), &cancel.to_string());
                let disposition = call.request.lines.last_mut().unwrap();
                disposition.cancel_reason_code = if self.rng.bool() { 0 } else { self.rng.i32(1..=8) };
                disposition.cancel_reason = if self.rng.bool() { String::new() } else { "gone".to_owned() };
                if self.rng.bool() {
                    disposition.expected_date = self.some_day();
                }
            }
        }
        drop(call.await);
    }

    async fn play(&mut self) {
        for _ in 0..ORDERS {
            self.order().await;
            for _ in 0..8 {
                self.now += self.rng.i64(1..14).hours();
                self.world.clock.set(&self.now.to_string());
                let orders = self.alice.list().with(|request| request.page_size = 1_000).ok().await.purchase_orders;
                // The newest are worked at most.
                let among = orders.len().min(8);
                let order = self.one_of(&orders[..among]);
                self.act(&order).await;
            }
        }
    }
}

/// What is worked out here of the orders of a period.
async fn worked_out(buyer: &Buyer<'_>, from: Date, before: Date) -> Vec<SupplierPerformance> {
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    let today = buyer.now.to_zoned(TimeZone::get("Europe/Amsterdam").unwrap()).date();
    let orders = buyer.alice.list().with(|request| request.page_size = 1_000).ok().await.purchase_orders;
    for order in orders.iter().filter(|order| order.back_order_sequence == 0) {
        let Some(time) = &order.original_order_time else { continue };
        if (from..before).contains(&day(time)) {
            let of_supplier = figures.entry(order.supplier_id.clone()).or_default();
            of_supplier.add_chain(&buyer.alice, order, today).await;
        }
    }
    figures.iter().map(|(supplier, figures)| figures.told(supplier)).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_those_that_are_worked_out_one_by_one(
    #[values(Sqlite, Postgres)] on: Engine,
    #[values(1, 2, 3)] seed: u64,
) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let tolerant = alice.update_store(&["over_receipt_tolerance"]);
    tolerant.with(|request| request.over_receipt_tolerance = "50".to_owned()).ok().await;
    let now: Timestamp = "2026-03-10T09:00:00Z".parse().unwrap();
    let mut buyer = Buyer { world: &world, alice, rng: Rng::with_seed(seed), now };
    world.clock.set(&now.to_string());
    buyer.play().await;

    let mut suppliers = 0;
    let first: Date = "2026-03-10".parse().unwrap();
    for (skipped, days) in [(0, 300), (0, 10), (19, 1), (20, 40)] {
        let from = first.saturating_add(skipped.days());
        let before = from.saturating_add(days.days());
        let reported = buyer.alice.performance().with(|request| {
            (request.order_date_from, request.order_date_before) = (from.to_string(), before.to_string());
        });
        let reported = reported.ok().await.suppliers;
        let expected = worked_out(&buyer, from, before).await;
        for (reported, expected) in reported.iter().zip(&expected) {
            assert_eq!(reported, expected, "seed {seed}, from {from} to {before}");
        }
        assert_eq!(reported.len(), expected.len(), "seed {seed}, from {from} to {before}");
        suppliers += reported.len();
        if days == 300 {
            // Nothing is compared that never happened.
            assert!(reported.iter().any(|found| found.back_order_count > 0 && !found.rejected.is_empty()));
            assert!(reported.iter().any(|found| found.cancelled.len() > 2 && found.price_variance() != "0"));
            assert!(reported.iter().any(|found| found.outstanding_cost() != "0"));
        }
    }
    assert!(suppliers >= 8, "{suppliers}");
    world.verify().await;
}
