//! Judging and booking a delivery, for one order or for several.

use std::collections::BTreeMap;

use super::allocate::{Allocated, Allocation, Delivered, check_tolerance};
use super::items::{ItemTarget, NewItem};
use super::unlisted;
use crate::domain::changeset::Changeset;
use crate::domain::event::{Detail, ItemQuantities};
use crate::domain::inventory::lot::LotQuantity;
use crate::domain::money::Amount;
use crate::domain::order::receipt::{DeliveryId, MAX_ITEMS_SIZE, Receipt, ReceiptItem, size_of_items};
use crate::domain::order::{Line, MAX_LINES, MAX_RECEIPT_ITEMS, Order, OrderId, ReceiptKey, State};
use crate::domain::outcome::{KnownReceipt, ReceiptChanged};
use crate::domain::refusal::{Refusal, Violations};
use crate::domain::time::{Date, TimeZone, Timestamp};

/// How far a `receive_time` may be ahead of the store's clock: the clocks of scanners are not exact,
/// and a delivery must not be refused for it.
const LEEWAY_MINUTES: i64 = 5;

/// What is said of a delivery as a whole.
#[derive(Clone, Debug, Default)]
pub struct DeliveryDetails {
    /// When the goods arrived, if not now.
    pub receive_time: Option<Timestamp>,
    /// The number of the supplier's delivery note, for people to find the delivery by.
    pub delivery_note: Option<String>,
    /// Refuses the delivery if an active receipt of the supplier bears the delivery note already.
    pub refuse_known_delivery_note: bool,
    /// Text for people; no rule reads it.
    pub note: Option<String>,
}

impl DeliveryDetails {
    /// The receipt of the supplier that bears the same delivery note, if there is one: most likely the same
    /// delivery is booked twice.
    pub(in crate::domain::order) fn same_delivery_note(
        &self,
        changeset: &Changeset<'_>,
        supplier: &str,
    ) -> Result<Option<KnownReceipt>, Refusal> {
        let Some(delivery_note) = &self.delivery_note else { return Ok(None) };
        match changeset.receipt_with_delivery_note(supplier, delivery_note)? {
            Some(known) if self.refuse_known_delivery_note => {
                Err(Refusal::DeliveryNoteKnown { delivery_note: delivery_note.clone(), known })
            }
            known => Ok(known),
        }
    }
}

/// A delivery that was judged: what it brought of each order, the order that was ordered first before the
/// others.
pub(in crate::domain::order) struct Judged {
    orders: Vec<(Order, Vec<Delivered>)>,
    receive_time: Timestamp,
}

/// Judges a delivery of `items`. `orders` are the orders that it may be for, and `lines` those of their lines
/// that it may be of.
pub(in crate::domain::order) fn judge(
    changeset: &mut Changeset<'_>,
    orders: &BTreeMap<OrderId, Order>,
    lines: Vec<Line>,
    items: &[NewItem],
    details: &DeliveryDetails,
    mut violations: Violations,
) -> Result<Judged, Refusal> {
    let store = changeset.store()?.clone();
    let mut with_orders = Vec::with_capacity(lines.len());
    for line in lines {
        let order = orders.get(&line.key.order.order);
        with_orders
            .push((order.ok_or_else(|| Refusal::Bug("a line is of no order of the delivery".to_owned()))?, line));
    }
    let mut allocation = Allocation::new(&store, with_orders);
    unlisted::add_lines(changeset, orders, items, &mut allocation, &mut violations)?;
    let Allocated { delivered, unplaced } = allocation.book(items, &mut violations)?;
    let booked = by_order(orders, delivered.clone());
    // The last day on which any of these goods were ordered is the first on which all can have arrived. Where nothing
    // is pending there are no such goods, and the time is judged all the same. Of goods that are on no line nobody
    // knows when they were ordered.
    let mut ordered = booked.iter().filter_map(|(order, _)| order.original_order_time).max();
    if unplaced.is_some() {
        ordered = None;
    } else if ordered.is_none() {
        ordered = orders.values().filter_map(|order| order.original_order_time).max();
    }
    let receive_time = receive_time(details.receive_time, changeset.now(), ordered, &store.time_zone, &mut violations);
    check_expiry_dates(items, store.time_zone.date_at(receive_time), &mut violations);
    // The form first: how much of a line is received means nothing while its quantity is malformed.
    violations.or_refuse(Refusal::InvalidForStoredData)?;
    if let Some(unplaced) = unplaced {
        return Err(unplaced);
    }
    // Then what is allowed: whether such goods may come at all, how much of them, and how much one order and one
    // answer can hold.
    unlisted::check_allowed(&store, items)?;
    check_tolerance(&store, &delivered)?;
    for (order, delivered) in &booked {
        check_item_count(order, rows_of(delivered))?;
        check_line_count(order, delivered)?;
        check_received_value(order, delivered)?;
    }
    check_size(&delivered)?;
    Ok(Judged { orders: booked, receive_time })
}

/// Groups what was delivered by order, in the order in which the orders were ordered.
fn by_order(orders: &BTreeMap<OrderId, Order>, delivered: Vec<Delivered>) -> Vec<(Order, Vec<Delivered>)> {
    let mut of_order: BTreeMap<OrderId, Vec<Delivered>> = BTreeMap::new();
    for one in delivered {
        of_order.entry(one.line.key.order.order).or_default().push(one);
    }
    let mut grouped = Vec::with_capacity(of_order.len());
    for (order, delivered) in of_order {
        grouped.extend(orders.get(&order).map(|order| (order.clone(), delivered)));
    }
    grouped.sort_by(|(a, _), (b, _)| (a.original_order_time, &a.number).cmp(&(b.original_order_time, &b.number)));
    grouped
}

impl Judged {
    /// How many orders it is for.
    pub(super) fn order_count(&self) -> usize {
        self.orders.len()
    }

    /// How many lines it is of.
    pub(super) fn line_count(&self) -> usize {
        self.orders.iter().map(|(_, delivered)| delivered.len()).sum()
    }

    /// Books a receipt for each order.
    pub(super) fn book(
        self,
        changeset: &mut Changeset<'_>,
        details: &DeliveryDetails,
        delivery: Option<DeliveryId>,
    ) -> Result<Vec<ReceiptChanged>, Refusal> {
        let mut receipts = Vec::with_capacity(self.orders.len());
        for (order, delivered) in self.orders {
            receipts.push(book_receipt(changeset, order, delivered, self.receive_time, details, delivery)?);
        }
        Ok(receipts)
    }

    /// Puts the one receipt in the place of another, which the caller voids, and records no event.
    pub(in crate::domain::order) fn put_correction(
        self,
        changeset: &mut Changeset<'_>,
        details: &DeliveryDetails,
        corrected: &Receipt,
    ) -> Result<Booked, Refusal> {
        // It belongs to the same delivery as the receipt in whose place it comes.
        let origin = Origin { delivery: corrected.delivery, corrects: Some(corrected.key.number) };
        let Some((order, delivered)) = self.orders.into_iter().next() else {
            return Err(Refusal::Bug("a correction brought nothing".to_owned()));
        };
        Ok(put_receipt(changeset, &order, delivered, self.receive_time, details, origin))
    }
}

/// A receipt that was put, of which the order has no event yet.
pub(in crate::domain::order) struct Booked {
    pub number: i32,
    pub receive_time: Timestamp,
    /// The lines that it has items of.
    pub lines: Vec<i32>,
    /// Those of them that it added to the order.
    pub lines_added: Vec<i32>,
    pub items: Vec<ItemQuantities>,
}

/// Where a receipt comes from.
#[derive(Clone, Copy, Default)]
struct Origin {
    delivery: Option<DeliveryId>,
    corrects: Option<i32>,
}

fn book_receipt(
    changeset: &mut Changeset<'_>,
    order: Order,
    delivered: Vec<Delivered>,
    receive_time: Timestamp,
    details: &DeliveryDetails,
    delivery: Option<DeliveryId>,
) -> Result<ReceiptChanged, Refusal> {
    let origin = Origin { delivery, corrects: None };
    let booked = put_receipt(changeset, &order, delivered, receive_time, details, origin);
    let id = order.key.order;
    let detail = Detail::ReceiptBooked {
        receipt: booked.number,
        receive_time: receive_time.micros(),
        delivery,
        lines_added: booked.lines_added,
        items: booked.items,
    };
    let event = changeset.put_order(Order { state: State::Receiving, ..order }, detail)?;
    Ok(ReceiptChanged { event, order: id, receipt: booked.number, lines: booked.lines, same_delivery_note: None })
}

fn put_receipt(
    changeset: &mut Changeset<'_>,
    order: &Order,
    delivered: Vec<Delivered>,
    receive_time: Timestamp,
    details: &DeliveryDetails,
    origin: Origin,
) -> Booked {
    // Free, because the row of the store is locked: nobody else books on its orders.
    let number = order.counters.last_receipt + 1;
    let mut items = Vec::with_capacity(delivered.len());
    let mut lines_added = Vec::new();
    for Delivered { line, is_new, item } in delivered {
        if is_new {
            lines_added.push(item.line);
        }
        changeset.put_line(with_item(line, &item, receive_time));
        items.push(item);
    }
    // `Receipt::item_of` searches them by their lines.
    items.sort_by_key(|item: &ReceiptItem| item.line);
    let receipt = Receipt {
        key: ReceiptKey { order: order.key.clone(), number },
        receive_time,
        book_time: changeset.now(),
        booked_by: changeset.caller().clone(),
        supplier: order.supplier.clone(),
        delivery_note: details.delivery_note.clone(),
        delivery: origin.delivery,
        note: details.note.clone(),
        corrects: origin.corrects,
        voided: None,
        items,
    };
    let lines = receipt.items.iter().map(|item| item.line).collect();
    let items = receipt.quantities();
    changeset.put_receipt(receipt);
    Booked { number, receive_time, lines, lines_added, items }
}

fn with_item(mut line: Line, item: &ReceiptItem, receive_time: Timestamp) -> Line {
    line.quantities.received += item.accepted;
    line.quantities.rejected += item.rejected;
    line.quantities.balance();
    // Deliveries may be booked in another order than they arrived in.
    line.first_receive_time = Some(line.first_receive_time.map_or(receive_time, |first| first.min(receive_time)));
    line.last_receive_time = Some(line.last_receive_time.map_or(receive_time, |last| last.max(receive_time)));
    line
}

/// When the goods arrived. A time that is impossible is a violation, and what is returned then is not
/// used.
///
/// The lower bound is the local day on which the chain was ordered, not the moment: goods that are
/// ordered and delivered on one day often bear a time in whole minutes, from a clock that is a little
/// slow.
pub(super) fn receive_time(
    stated: Option<Timestamp>,
    now: Timestamp,
    ordered: Option<Timestamp>,
    zone: &TimeZone,
    violations: &mut Violations,
) -> Timestamp {
    let stated = stated.unwrap_or(now);
    if stated > now.plus_minutes(LEEWAY_MINUTES) {
        let rule = format_args!("is {stated}, more than {LEEWAY_MINUTES} minutes ahead of {now}");
        violations.add("receive_time", rule);
    } else if let Some(ordered) = ordered
        && zone.date_at(stated) < zone.date_at(ordered)
    {
        let day = zone.date_at(ordered);
        let rule = format_args!("is {stated}, before {day}, the day on which the goods were ordered");
        violations.add("receive_time", rule);
    }
    // Within the leeway it is the scanner's clock that is wrong: nothing arrives after it was booked.
    stated.min(now)
}

/// Goods that were past their date when they arrived are rejected, and not stock of any lot.
fn check_expiry_dates(items: &[NewItem], arrival: Date, violations: &mut Violations) {
    for item in items {
        for LotQuantity { lot, .. } in &item.lots {
            if lot.expiry_date.is_some_and(|expiry_date| expiry_date < arrival) {
                let rule = format_args!("has {lot}, before {arrival}, the day on which it arrived");
                violations.add(format_args!("items[{}].lots", item.index), rule);
            }
        }
    }
}

/// An item of a product that is spread over many lines may divide its lots, so what the request itself was
/// limited to is not the limit of what is booked.
fn check_size(delivered: &[Delivered]) -> Result<(), Refusal> {
    let items = delivered.iter().map(|delivered| &delivered.item);
    let size = size_of_items(items.map(|item| (item.rejection.as_ref(), item.lots.len())));
    if size <= MAX_ITEMS_SIZE {
        return Ok(());
    }
    Err(Refusal::ReceiptTooLarge { size })
}

/// How many items and lots a receipt would have.
fn rows_of(delivered: &[Delivered]) -> usize {
    delivered.len() + delivered.iter().map(|delivered| delivered.item.lots.len()).sum::<usize>()
}

/// Invoiced costs may be anything, so what was received may be worth more than what was ordered.
fn check_received_value(order: &Order, delivered: &[Delivered]) -> Result<(), Refusal> {
    let more: Amount = delivered.iter().map(|delivered| delivered.item.value).sum();
    let value = order.counters.received_cost + more;
    if value <= Amount::MAX {
        return Ok(());
    }
    Err(Refusal::ReceivedValueOutOfRange { number: order.number.clone() })
}

pub(super) fn check_item_count(order: &Order, more: usize) -> Result<(), Refusal> {
    // Voided ones count too: they stay stored, and are read with the order's receipts.
    let items = i64::from(order.counters.receipt_items) + more as i64;
    if items <= MAX_RECEIPT_ITEMS {
        return Ok(());
    }
    Err(Refusal::TooManyReceiptItems { number: order.number.clone(), items })
}

fn check_line_count(order: &Order, delivered: &[Delivered]) -> Result<(), Refusal> {
    let added = delivered.iter().filter(|delivered| delivered.is_new).count();
    let lines = order.counters.lines as usize + added;
    if added == 0 || lines <= MAX_LINES {
        return Ok(());
    }
    Err(Refusal::TooManyLines { number: order.number.clone(), lines })
}

/// The lines of an order that items may be booked on: those that they name, and those of the products that they name.
/// Items of other orders are passed over.
pub(super) fn lines_for(changeset: &Changeset<'_>, order: &Order, items: &[NewItem]) -> Result<Vec<Line>, Refusal> {
    let (mut numbers, mut selectors) = (Vec::new(), Vec::new());
    for item in items.iter().filter(|item| item.target.order() == Some(order.key.order)) {
        match &item.target {
            ItemTarget::Line(_, number) => numbers.push(*number),
            ItemTarget::Product(_, selector) => selectors.push(selector.clone()),
            ItemTarget::Unlisted(_, unlisted) => selectors.push(unlisted.selector()),
        }
    }
    let mut lines = changeset.lines(order, numbers)?;
    lines.extend(changeset.lines_of_products(order, &selectors)?);
    Ok(lines)
}
