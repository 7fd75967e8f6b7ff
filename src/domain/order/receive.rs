//! ReceivePurchaseOrder: a delivery is booked in. What it brings is staged, not on hand.

use super::actions::Action;
use super::receipt::{Receipt, ReceiptItem};
use super::{Line, MAX_RECEIPT_ITEMS, Order, OrderId, ReceiptKey, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{Outcome, ReceiptChanged};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, TruncatedList, Violations};
use crate::domain::time::{TimeZone, Timestamp};

/// How far ahead of the store's clock a scanner's clock may be.
const LEEWAY_MINUTES: i64 = 5;

/// A delivery to book in.
#[derive(Clone, Debug)]
pub struct Receive {
    /// Of which order.
    pub order: OrderId,
    /// Its etag as the caller saw it, or empty.
    pub etag: String,
    /// What came.
    pub items: Items,
    /// When the goods arrived, if not now.
    pub receive_time: Option<Timestamp>,
    /// The supplier's delivery note.
    pub delivery_note: Option<String>,
    /// Free text.
    pub note: Option<String>,
}

/// What came.
#[derive(Clone, Debug)]
pub enum Items {
    /// These; each line once.
    Listed(Vec<ReceiptItem>),
    /// Everything that is pending, accepted.
    AllPending,
}

impl Command for Receive {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Receive.permission())
    }

    fn target(&self) -> Option<Target<'_>> {
        Some(Target::order(self.order, &self.etag, Action::Receive))
    }

    fn needs(&self, needs: &mut Needs) {
        match &self.items {
            Items::Listed(items) => needs.extend(items.iter().map(|item| Need::Line(self.order, item.line))),
            Items::AllPending => needs.add(Need::AllLines(self.order)),
        }
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        let received = self.received(changeset, &order)?;
        if received.is_empty() {
            return Err(Refusal::NothingPending(order.number));
        }
        let receive_time = self.check_form(changeset, &order, &received)?;
        check_tolerance(&received)?;
        check_item_count(&order, received.len())?;
        self.book(changeset, order, received, receive_time)
    }
}

impl Receive {
    /// Each item with its line. Listed items keep their order, so that paths in refusals are right.
    fn received(&self, changeset: &Changeset<'_>, order: &Order) -> Result<Vec<(ReceiptItem, Line)>, Refusal> {
        match &self.items {
            Items::Listed(items) => {
                let lines = changeset.lines(order, items.iter().map(|item| item.line))?;
                Ok(items.iter().cloned().zip(lines).collect())
            }
            Items::AllPending => {
                let pending =
                    changeset.all_lines(order)?.into_iter().filter(|line| line.quantities.pending.is_positive());
                Ok(pending.map(|line| (everything_of(&line), line)).collect())
            }
        }
    }

    /// What the request must fit in what is stored; the time to book.
    fn check_form(
        &self,
        changeset: &Changeset<'_>,
        order: &Order,
        received: &[(ReceiptItem, Line)],
    ) -> Result<Timestamp, Refusal> {
        let mut violations = Violations::default();
        for (index, (item, line)) in received.iter().enumerate() {
            for (quantity, name) in [(item.accepted, "accepted"), (item.rejected, "rejected")] {
                if !line.admits(quantity) {
                    let rule = format_args!("is {quantity}, but {} is counted in whole units", line.product);
                    violations.add(format_args!("items[{index}].{name}"), rule);
                }
            }
            if line.quantities.rejected + item.rejected > Quantity::MAX {
                let rule = format_args!("would bring what was rejected on line {} above {}", item.line, Quantity::MAX);
                violations.add(format_args!("items[{index}].rejected"), rule);
            }
        }
        let time = receive_time(
            self.receive_time,
            changeset.now(),
            order.original_order_time,
            &changeset.store()?.time_zone,
            &mut violations,
        );
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        Ok(time)
    }

    fn book(
        &self,
        changeset: &mut Changeset<'_>,
        order: Order,
        received: Vec<(ReceiptItem, Line)>,
        receive_time: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let number = order.counters.last_receipt + 1;
        let mut items: Vec<ReceiptItem> = received.iter().map(|(item, _)| item.clone()).collect();
        items.sort_by_key(|item| item.line);
        for (item, line) in received {
            changeset.put_line(with_item(line, &item, receive_time));
        }
        let receipt = Receipt {
            key: ReceiptKey { order: order.key.clone(), number },
            receive_time,
            book_time: changeset.now(),
            booked_by: changeset.caller().clone(),
            delivery_note: self.delivery_note.clone(),
            note: self.note.clone(),
            voided: None,
            items,
        };
        let lines = receipt.items.iter().map(|item| item.line).collect();
        let items = receipt.quantities();
        changeset.put_receipt(receipt);
        let detail = Detail::ReceiptBooked { receipt: number, receive_time: receive_time.micros(), items };
        let event = changeset.put_order(Order { state: State::Receiving, ..order }, detail)?;
        Ok(Outcome::ReceiptBooked(ReceiptChanged { event, order: self.order, receipt: number, lines }))
    }
}

/// When the goods arrived. A time that cannot be is a violation, and what is answered for it is not
/// used.
///
/// The lower bound is the local day on which the chain was ordered, not the moment: goods that are
/// ordered and delivered on one day often bear a time in whole minutes, from a clock that is a little
/// slow.
fn receive_time(
    told: Option<Timestamp>,
    now: Timestamp,
    ordered: Option<Timestamp>,
    zone: &TimeZone,
    violations: &mut Violations,
) -> Timestamp {
    let told = told.unwrap_or(now);
    if told > now.plus_minutes(LEEWAY_MINUTES) {
        let rule = format_args!("is {told}, more than {LEEWAY_MINUTES} minutes ahead of {now}");
        violations.add("receive_time", rule);
    } else if let Some(ordered) = ordered
        && zone.date_at(told) < zone.date_at(ordered)
    {
        let day = zone.date_at(ordered);
        violations
            .add("receive_time", format_args!("is {told}, before {day}, the day on which the goods were ordered"));
    }
    told.min(now)
}

fn everything_of(line: &Line) -> ReceiptItem {
    ReceiptItem {
        line: line.key.number,
        accepted: line.quantities.pending,
        rejected: Quantity::ZERO,
        reject_reason: None,
    }
}

fn with_item(mut line: Line, item: &ReceiptItem, receive_time: Timestamp) -> Line {
    line.quantities.received += item.accepted;
    line.quantities.rejected += item.rejected;
    line.quantities.balance();
    line.first_receive_time = Some(line.first_receive_time.map_or(receive_time, |first| first.min(receive_time)));
    line.last_receive_time = Some(line.last_receive_time.map_or(receive_time, |last| last.max(receive_time)));
    line
}

/// Nothing may be accepted beyond what was ordered, line by line: what one line has too much never
/// makes up for what another has too little.
fn check_tolerance(received: &[(ReceiptItem, Line)]) -> Result<(), Refusal> {
    let would_be = |(item, line): &(ReceiptItem, Line)| line.quantities.received + item.accepted;
    let over = received.iter().filter(|each| would_be(each) > each.1.quantities.ordered);
    let Some(first) = over.clone().next() else { return Ok(()) };
    let lines = TruncatedList::of(over.map(|(_, line)| line.key.number).collect());
    let (line, received) = (&first.1, would_be(first));
    let first = format!("{} would have {received} of {}", line.key.number, line.quantities.ordered);
    Err(Refusal::OverReceipt { lines, first })
}

fn check_item_count(order: &Order, more: usize) -> Result<(), Refusal> {
    let items = i64::from(order.counters.receipt_items) + more as i64;
    if items <= MAX_RECEIPT_ITEMS {
        return Ok(());
    }
    Err(Refusal::TooManyReceiptItems { number: order.number.clone(), items })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goods_arrive_from_the_local_day_of_the_order_to_a_few_minutes_ahead() {
        let (amsterdam, utc) = (TimeZone::parse("Europe/Amsterdam").unwrap(), TimeZone::parse("UTC").unwrap());
        let at = |text: &str| Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let ordered = at("2026-03-02T23:30:00.5Z");
        for (zone, now, told, taken) in [
            // In Amsterdam the order was made on the third, half an hour after midnight.
            (&amsterdam, "2026-03-03T09:00:00Z", "2026-03-02T22:59:59.999999Z", None),
            (&amsterdam, "2026-03-03T09:00:00Z", "2026-03-02T23:00:00Z", Some("2026-03-02T23:00:00Z")),
            (&utc, "2026-03-03T09:00:00Z", "2026-03-01T23:59:59.999999Z", None),
            (&utc, "2026-03-03T09:00:00Z", "2026-03-02T00:00:00Z", Some("2026-03-02T00:00:00Z")),
            (&utc, "2026-03-02T23:30:00.5Z", "2026-03-02T23:30:00Z", Some("2026-03-02T23:30:00Z")),
            (&utc, "2026-03-02T23:30:00.5Z", "2026-03-02T23:35:00.5Z", Some("2026-03-02T23:30:00.5Z")),
            (&utc, "2026-03-02T23:30:00.5Z", "2026-03-02T23:35:00.500001Z", None),
        ] {
            let mut violations = Violations::default();
            let time = receive_time(Some(at(told)), at(now), Some(ordered), zone, &mut violations);
            assert_eq!(taken.map(at), (violations.total == 0).then_some(time), "{told} at {now} in {zone:?}");
        }
    }
}
