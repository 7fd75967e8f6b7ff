//! Which line each delivered item is booked on, and with how much.
//!
//! An item that names a line is booked on it. One that names a product is spread over the lines of that
//! product: first over what is pending, then over what the tolerance allows beyond it, each time in the order
//! in which the goods were ordered. So a delivery closes the oldest order first, and nothing is booked as too
//! much while another line still waits for it. All items that name a line come first, because these can go
//! nowhere else.
//!
//! A line has at most one item in a receipt. Items that meet on a line become one, and are refused where they
//! contradict each other in cost or in the reason of a rejection. The lots of an item go with its quantity, in the
//! order in which they were given.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::items::{ItemTarget, NewItem, ProductSelector};
use crate::domain::code::ProductId;
use crate::domain::gtin::Gtin;
use crate::domain::inventory::lot::LotQuantity;
use crate::domain::order::receipt::{ItemCosts, ReceiptItem, Rejection};
use crate::domain::order::{Line, Order, OrderId};
use crate::domain::pack::StatedQuantity;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, TruncatedList, Violations};
use crate::domain::store::Store;
use crate::domain::time::Timestamp;

/// What a delivery brought of one line.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    /// The line as it was before, without any quantity if the receipt adds it to its order.
    pub line: Line,
    /// Whether the receipt adds the line.
    pub is_new: bool,
    /// The item to book.
    pub item: ReceiptItem,
}

impl Delivered {
    /// What the line would have received with this item.
    fn total(&self) -> Quantity {
        self.line.quantities.received + self.item.accepted
    }

    /// By how much that is more than may be received of the line; not positive if it is not.
    fn beyond(&self, store: &Store) -> Quantity {
        self.total() - self.line.most_receivable(store)
    }
}

/// A line that goods may be booked on, and what was booked on it so far.
struct Candidate {
    line: Line,
    is_new: bool,
    booked: Option<Booked>,
}

struct Booked {
    /// The indexes of the items that are booked here, in the order in which they came; at least one.
    items: Vec<usize>,
    accepted: Quantity,
    rejected: Quantity,
    rejection: Option<Rejection>,
    costs: ItemCosts,
    lots: Vec<LotQuantity>,
}

impl Candidate {
    fn accepted(&self) -> Quantity {
        self.booked.as_ref().map_or(Quantity::ZERO, |booked| booked.accepted)
    }

    /// How much of what is pending is not booked yet. It takes a store only to be called in the same way as
    /// [`Candidate::room`].
    fn pending_room(&self, _: &Store) -> Quantity {
        (self.line.quantities.pending - self.accepted()).or_nothing()
    }

    /// How much more may be received of it, beside what is booked already.
    fn room(&self, store: &Store) -> Quantity {
        (self.line.still_receivable(store) - self.accepted()).or_nothing()
    }
}

/// The quantities of an item in units, or a part of them.
struct Portion {
    accepted: Quantity,
    rejected: Quantity,
    /// The lots of what is accepted, which add up to it; or none.
    lots: VecDeque<LotQuantity>,
}

impl Portion {
    /// Takes so much of what is accepted, which is not more than there is, with all that is rejected.
    fn take(&mut self, accepted: Quantity) -> Self {
        self.accepted -= accepted;
        let rejected = std::mem::replace(&mut self.rejected, Quantity::ZERO);
        let mut lots = VecDeque::new();
        let mut left = accepted;
        // From the front, so that an item with many lots is not looked through once for each line.
        while left.is_positive()
            && let Some(mut next) = self.lots.pop_front()
        {
            let part = next.quantity.min(left);
            left -= part;
            lots.push_back(LotQuantity { lot: next.lot.clone(), quantity: part });
            next.quantity -= part;
            if next.quantity.is_positive() {
                self.lots.push_front(next);
            }
        }
        Self { accepted, rejected, lots }
    }
}

/// What came of all items of a delivery.
pub(super) struct Allocated {
    /// What is booked on each line, in the order of the request.
    pub delivered: Vec<Delivered>,
    /// Why some goods are on no line: there is none of their product, or no room. What breaks a rule by itself is
    /// refused before.
    pub unplaced: Option<Refusal>,
}

/// The lines that a delivery may be booked on, in the order in which a product is spread over them.
pub(super) struct Allocation<'a> {
    store: &'a Store,
    candidates: Vec<Candidate>,
    by_line: BTreeMap<(OrderId, i32), usize>,
    by_product: BTreeMap<ProductId, Vec<usize>>,
    by_gtin: BTreeMap<Gtin, Vec<usize>>,
    /// The indexes of the items of which some goods found no room.
    without_room: BTreeSet<usize>,
}

/// An item that names a product, while it is spread over the product's lines.
struct Spread<'i> {
    item: &'i NewItem,
    /// The product's lines, by their places among the candidates.
    lines: Vec<usize>,
    /// What has found no line yet.
    left: Portion,
}

impl<'a> Allocation<'a> {
    /// For these lines, each with its order; a line may be given more than once.
    pub(super) fn new(store: &'a Store, lines: Vec<(&Order, Line)>) -> Self {
        // By the order in which a product is spread. A line that one item names and that is of the product of
        // another comes twice, and stays one.
        let mut sorted: BTreeMap<(Option<Timestamp>, &str, i32), Line> = BTreeMap::new();
        for (order, line) in lines {
            sorted.insert((order.original_order_time, &order.number, line.key.number), line);
        }
        let mut allocation = Self {
            store,
            candidates: Vec::new(),
            by_line: BTreeMap::new(),
            by_product: BTreeMap::new(),
            by_gtin: BTreeMap::new(),
            without_room: BTreeSet::new(),
        };
        for line in sorted.into_values() {
            allocation.add(line, false);
        }
        allocation
    }

    /// Adds a line that the receipt adds to its order.
    pub(super) fn add_new(&mut self, line: Line) {
        self.add(line, true);
    }

    fn add(&mut self, line: Line, is_new: bool) {
        let place = self.candidates.len();
        self.by_line.insert((line.key.order.order, line.key.number), place);
        self.by_product.entry(line.product.clone()).or_default().push(place);
        if let Some(gtin) = &line.gtin {
            self.by_gtin.entry(Gtin::of(gtin)).or_default().push(place);
        }
        self.candidates.push(Candidate { line, is_new, booked: None });
    }

    /// The line of a product on an order, if it has one: the first with an ordered quantity, or else the one
    /// that an earlier receipt added.
    pub(super) fn line_of_product(&self, order: OrderId, product: &ProductId) -> Option<&Line> {
        let lines = self.lines_of(Some(order), &ProductSelector::Product(product.clone()));
        let lines = lines.into_iter().map(|place| &self.candidates[place].line);
        lines.min_by_key(|line| (line.quantities.ordered == Quantity::ZERO, line.key.number))
    }

    /// Books the items on the lines. Violations are added; what an item that has one is booked with is of no
    /// use.
    pub(super) fn book(mut self, items: &[NewItem], violations: &mut Violations) -> Result<Allocated, Refusal> {
        let mut spread = Vec::new();
        for item in items {
            match &item.target {
                ItemTarget::Line(order, line) => self.book_on_line(item, (*order, *line), violations)?,
                // Its line was added to the candidates before.
                ItemTarget::Unlisted(order, unlisted) => {
                    let line = self.line_of_product(*order, &unlisted.product).map(|line| line.key.number);
                    // No line has the number 0, so one that was not added is reported as a bug.
                    self.book_on_line(item, (*order, line.unwrap_or_default()), violations)?;
                }
                ItemTarget::Product(order, selector) => spread.push((item, *order, selector)),
            }
        }
        let unplaced = self.spread(&spread, violations);
        let delivered = self.delivered(items, violations);
        Ok(Allocated { delivered, unplaced })
    }

    fn book_on_line(
        &mut self,
        item: &NewItem,
        line: (OrderId, i32),
        violations: &mut Violations,
    ) -> Result<(), Refusal> {
        let Some(index) = self.by_line.get(&line).copied() else {
            return Err(Refusal::Bug(format!("line {} is not among those to be received", line.1)));
        };
        // An unlisted item says itself how large its packs are. Its line may be of an earlier delivery in others.
        let own_pack_size = match &item.target {
            ItemTarget::Unlisted(_, unlisted) => unlisted.pack_size,
            ItemTarget::Line(..) | ItemTarget::Product(..) => None,
        };
        let line = &self.candidates[index].line;
        // Without its quantities an item cannot be judged further; the violation refuses all.
        if let Some(portion) = portion_of(item, line, own_pack_size.or(line.pack_size), violations) {
            self.put(index, item, portion, violations);
        }
        Ok(())
    }

    /// Spreads items over the lines of their products; returns the refusal of goods that find no line, or no room.
    fn spread(
        &mut self,
        items: &[(&NewItem, Option<OrderId>, &ProductSelector)],
        violations: &mut Violations,
    ) -> Option<Refusal> {
        let mut missing = Vec::new();
        let mut open = Vec::new();
        for (item, order, selector) in items {
            let lines = self.lines_of(*order, selector);
            if lines.is_empty() {
                missing.push(selector.to_string());
                continue;
            }
            // Which lines count is not known otherwise, so nothing more is judged of the item.
            let Some(lines) = self.lines_of_one_product(item, lines, violations) else { continue };
            self.check_packs(item, &lines, violations);
            let first = &self.candidates[lines[0]].line;
            if let Some(left) = portion_of(item, first, first.pack_size, violations) {
                open.push(Spread { item, lines, left });
            }
        }
        let mut unplaced = TruncatedList::of_nonempty(missing).map(Refusal::ProductNotReceivable);
        // Two rounds over all items, so that none takes up the tolerance of a line that is pending for another.
        for spread in &mut open {
            self.fill(spread, Candidate::pending_room, violations);
        }
        for spread in &mut open {
            self.fill(spread, Candidate::room, violations);
        }
        for Spread { item, lines, left } in open {
            if left.accepted.is_positive() {
                self.without_room.insert(item.index);
                unplaced = unplaced.or_else(|| Some(self.no_room(item, &lines, left.accepted)));
            } else if left.rejected.is_positive() {
                // Nothing was accepted of it, so it has taken no line yet. What was sent back is still waited for where
                // something is pending.
                let is_pending = |place: &&usize| self.candidates[**place].line.quantities.pending.is_positive();
                let place = *lines.iter().find(is_pending).unwrap_or(&lines[0]);
                self.put(place, item, left, violations);
            }
        }
        unplaced
    }

    /// Books what is left of an item on the lines that have room for it, as far as it goes. What was rejected
    /// goes to the first line that takes anything.
    fn fill(&mut self, spread: &mut Spread<'_>, room: fn(&Candidate, &Store) -> Quantity, violations: &mut Violations) {
        for place in &spread.lines {
            let accepted = room(&self.candidates[*place], self.store).min(spread.left.accepted);
            if accepted.is_positive() {
                let portion = spread.left.take(accepted);
                self.put(*place, spread.item, portion, violations);
            }
        }
    }

    fn lines_of(&self, order: Option<OrderId>, selector: &ProductSelector) -> Vec<usize> {
        let places = match selector {
            ProductSelector::Product(product) => self.by_product.get(product),
            ProductSelector::Gtin(gtin) => self.by_gtin.get(gtin),
        };
        let is_of_order =
            |place: &usize| order.is_none_or(|order| self.candidates[*place].line.key.order.order == order);
        places.into_iter().flatten().copied().filter(is_of_order).collect()
    }

    /// Of lines that a bar code finds, which are at least one, those of the product that came: the one of which
    /// something is pending, or else of which more may be received. Where that is true of several products, nobody knows
    /// which of them came, and they need not be counted in the same unit.
    fn lines_of_one_product(
        &self,
        item: &NewItem,
        lines: Vec<usize>,
        violations: &mut Violations,
    ) -> Option<Vec<usize>> {
        let mut open = self.products(&lines, |line| line.quantities.pending.is_positive());
        if open.is_empty() {
            open = self.products(&lines, |line| line.still_receivable(self.store).is_positive());
        }
        let mut open = open.into_iter();
        let (first, second) = (open.next(), open.next());
        if let (Some(first), Some(second)) = (first, second) {
            let rule = format_args!("is on lines of {first} and of {second}: name the product or the line");
            violations.add(format_args!("items[{}].gtin", item.index), rule);
            return None;
        }
        // Where no product is open, the refusal names the first line.
        let product = first.unwrap_or(&self.candidates[lines[0]].line.product);
        let is_of_product = |place: &usize| self.candidates[*place].line.product == *product;
        Some(lines.into_iter().filter(is_of_product).collect())
    }

    /// The products of those lines for which `is_open` is true.
    fn products(&self, lines: &[usize], is_open: impl Fn(&Line) -> bool) -> BTreeSet<&ProductId> {
        let lines = lines.iter().map(|place| &self.candidates[*place].line);
        lines.filter(|line| is_open(line)).map(|line| &line.product).collect()
    }

    /// A number of packs means something only where the lines agree on the size of one.
    fn check_packs(&self, item: &NewItem, lines: &[usize], violations: &mut Violations) {
        let size = self.candidates[lines[0]].line.pack_size;
        if lines.iter().all(|index| self.candidates[*index].line.pack_size == size) {
            return;
        }
        for (name, stated) in [("accepted_packs", &item.accepted), ("rejected_packs", &item.rejected)] {
            if stated.packs.is_some() {
                let rule = "is given, but the lines of the product have packs of different sizes: give units";
                violations.add(format_args!("items[{}].{name}", item.index), rule);
            }
        }
    }

    fn no_room(&self, item: &NewItem, lines: &[usize], left: Quantity) -> Refusal {
        let numbers = lines.iter().map(|index| self.candidates[*index].line.key.number).collect();
        let line = &self.candidates[lines[0]].line;
        let first = format!("items[{}] would bring {left} more of {} than may be received", item.index, line.product);
        Refusal::OverReceipt { lines: TruncatedList::of(numbers), first }
    }

    /// Books a portion on a line, beside what other items booked on it.
    fn put(&mut self, index: usize, item: &NewItem, portion: Portion, violations: &mut Violations) {
        let candidate = &mut self.candidates[index];
        let number = candidate.line.key.number;
        let Portion { accepted, rejected, lots } = portion;
        // What was rejected is all on one line; the item's other lines have no reason for it.
        let rejection = item.rejection.clone().filter(|_| rejected.is_positive());
        let Some(booked) = &mut candidate.booked else {
            candidate.booked = Some(Booked {
                items: vec![item.index],
                accepted,
                rejected,
                rejection,
                costs: item.costs,
                lots: lots.into(),
            });
            return;
        };
        // A receipt has one item for a line, and that has one cost and one reason.
        let is_other_reason = booked.rejection.is_some() && rejection.is_some() && booked.rejection != rejection;
        if booked.costs != item.costs || is_other_reason {
            let rule = format_args!(
                "is booked on line {number} together with items[{}], which has another cost or reject reason: \
                 name the lines of both",
                booked.items[0]
            );
            violations.add(format_args!("items[{}]", item.index), rule);
        }
        booked.items.push(item.index);
        booked.accepted += accepted;
        booked.rejected += rejected;
        booked.rejection = booked.rejection.take().or(rejection);
        add_lots(&mut booked.lots, lots);
    }

    fn delivered(self, items: &[NewItem], violations: &mut Violations) -> Vec<Delivered> {
        let mut delivered = Vec::new();
        let mut excess_costs = BTreeMap::new();
        for Candidate { line, is_new, booked } in self.candidates {
            let Some(booked) = booked else { continue };
            let item = item_of(booked.items[0], &line, &booked, violations);
            if booked.costs.excess_unit_cost.is_some() {
                for index in &booked.items {
                    // Where a product is spread over lines, some of them may have no excess.
                    let has_excess: &mut bool = excess_costs.entry(*index).or_default();
                    *has_excess |= item.excess.is_positive();
                }
            }
            delivered.push(Delivered { line, is_new, item });
        }
        for (index, has_excess) in excess_costs {
            // Goods without room would be an excess too, and are refused for that.
            if !has_excess && !self.without_room.contains(&index) {
                let rule = "is given, but nothing goes beyond what is pending";
                violations.add(format_args!("items[{index}].excess_unit_cost"), rule);
            }
        }
        // By the order of the request, so that a refusal names what the caller finds first.
        let position = |delivered: &Delivered| (delivered.line.key.order.order, delivered.line.key.number);
        let mut order_of_request = BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            if let ItemTarget::Line(order, line) = item.target {
                order_of_request.insert((order, line), place);
            }
        }
        // Lines that no item names come last, in the order of the candidates.
        delivered.sort_by_key(|one| order_of_request.get(&position(one)).copied().unwrap_or(usize::MAX));
        delivered
    }
}

fn item_of(index: usize, line: &Line, booked: &Booked, violations: &mut Violations) -> ReceiptItem {
    let number = line.key.number;
    // Accepted quantities are limited by what was ordered; rejected ones would add up without end.
    if line.quantities.rejected + booked.rejected > Quantity::MAX {
        let rule = format_args!("would bring what was rejected on line {number} above {}", Quantity::MAX);
        violations.add(format_args!("items[{index}].rejected"), rule);
    }
    check_lots(index, line, booked, violations);
    let excess = (booked.accepted - line.quantities.pending).or_nothing();
    let costs =
        // A cost for an excess belongs only to the items that have one; the database has a CHECK for that.
        ItemCosts { excess_unit_cost: booked.costs.excess_unit_cost.filter(|_| excess.is_positive()), ..booked.costs };
    ReceiptItem {
        line: number,
        accepted: booked.accepted,
        excess,
        rejected: booked.rejected,
        rejection: booked.rejection.clone(),
        costs,
        value: costs.value_of(line, booked.accepted, excess),
        lots: booked.lots.clone(),
    }
}

/// A lot that is there already gets more, so that an item has each lot once.
fn add_lots(lots: &mut Vec<LotQuantity>, more: VecDeque<LotQuantity>) {
    for LotQuantity { lot, quantity } in more {
        match lots.iter_mut().find(|known| known.lot == lot) {
            Some(known) => known.quantity += quantity,
            None => lots.push(LotQuantity { lot, quantity }),
        }
    }
}

/// What is accepted on a line is in lots as a whole or not at all, and in lots where the line requires it.
fn check_lots(index: usize, line: &Line, booked: &Booked, violations: &mut Violations) {
    let number = line.key.number;
    if booked.lots.is_empty() {
        if line.lot_required && booked.accepted.is_positive() {
            let rule = format_args!("is required: line {number} is received in lots");
            violations.add(format_args!("items[{index}].lots"), rule);
        }
        return;
    }
    let in_lots: Quantity = booked.lots.iter().map(|lot| lot.quantity).sum();
    if in_lots != booked.accepted {
        let rule = format_args!(
            "has {in_lots} of the {} that are accepted on line {number}: give lots with all items of the line, or \
             with none",
            booked.accepted
        );
        violations.add(format_args!("items[{index}].lots"), rule);
    }
}

/// The whole of an item of packs of this size, in the units of a line; `None` if it has violations.
fn portion_of(
    item: &NewItem,
    line: &Line,
    pack_size: Option<Quantity>,
    violations: &mut Violations,
) -> Option<Portion> {
    let accepted = resolve(item.index, "accepted", item.accepted, line, pack_size, violations);
    let rejected = resolve(item.index, "rejected", item.rejected, line, pack_size, violations);
    let (accepted, rejected) = (accepted?, rejected?);
    let in_lots: Quantity = item.lots.iter().map(|lot| lot.quantity).sum();
    if !item.lots.is_empty() && in_lots != accepted {
        let rule = format_args!("adds up to {in_lots}, but {accepted} are accepted");
        violations.add(format_args!("items[{}].lots", item.index), rule);
        return None;
    }
    if let Some(LotQuantity { lot, quantity }) = item.lots.iter().find(|lot| !line.admits(lot.quantity)) {
        let rule = format_args!("has {quantity} of {lot}, but {} is counted in whole units", line.product);
        violations.add(format_args!("items[{}].lots", item.index), rule);
        return None;
    }
    Some(Portion { accepted, rejected, lots: item.lots.iter().cloned().collect() })
}

fn resolve(
    index: usize,
    name: &str,
    stated: StatedQuantity,
    line: &Line,
    pack_size: Option<Quantity>,
    violations: &mut Violations,
) -> Option<Quantity> {
    match stated.resolve(pack_size) {
        Ok(quantity) if line.admits(quantity) => Some(quantity),
        Ok(quantity) => {
            let rule = format_args!("is {quantity}, but {} is counted in whole units", line.product);
            violations.add(format_args!("items[{index}].{name}"), rule);
            None
        }
        Err(violation) => {
            violations.add(format_args!("items[{index}].{name}_packs"), violation);
            None
        }
    }
}

/// What is accepted stays within the tolerance, line by line: what one line has too much never makes up for
/// what another has too little. Goods that are all rejected are of no line too much. It is judged when goods are
/// received and not again at completion, so a tolerance that is lowered later does not lock up goods that are in
/// the building.
pub(super) fn check_tolerance(store: &Store, delivered: &[Delivered]) -> Result<(), Refusal> {
    let over = delivered.iter().filter(|one| one.item.accepted.is_positive() && one.beyond(store).is_positive());
    let over: Vec<&Delivered> = over.collect();
    let Some(first) = over.first() else { return Ok(()) };
    let first = format!(
        "line {} would have {}, {} more than the {} that may be received",
        first.line.key.number,
        first.total(),
        first.beyond(store),
        first.line.most_receivable(store)
    );
    let lines = TruncatedList::of(over.iter().map(|delivered| delivered.line.key.number).collect());
    Err(Refusal::OverReceipt { lines, first })
}
