//! PreviewCompletion: what a completion would do. It uses the plan and the decision of the completion
//! itself and drops the result, so the two cannot contradict each other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::Order;
use super::actions::Action;
use super::complete::{CompleteOrder, DisposedLine, MissingReason, Plan};
use crate::domain::Ids;
use crate::domain::access::Authorization;
use crate::domain::changeset::Changeset;
use crate::domain::code::ProductId;
use crate::domain::command::{Command, Envelope};
use crate::domain::inventory::Level;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::working_set::WorkingSet;

/// What a completion would do to an order, its stock and its back order.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The order's header as it is now.
    pub order: Order,
    /// The lines with a pending quantity, each with what the completion would do with it.
    pub pending: Vec<DisposedLine>,
    /// The levels of the order's products, as they are and as they would be, by product.
    pub stock: Vec<ResultingStock>,
    /// The number and the count of lines of the back order that would be created, if one would be.
    pub back_order: Option<(String, usize)>,
    /// Why the completion would be refused as asked; empty if it would succeed.
    pub blockers: Vec<Refusal>,
}

/// What a completion would do to the level of one product.
#[derive(Clone, Debug)]
pub struct ResultingStock {
    /// The product's level as it is now.
    pub before: Level,
    /// The staged quantity that would go on hand.
    pub received: Quantity,
    /// What the level would have on back orders afterwards, those of other orders included.
    pub back_ordered_after: Quantity,
}

/// Judges on the header alone whether the order can be previewed. It refuses what
/// [`gate`](crate::domain::command::gate) refuses of the completion, with one exception: an order of
/// which nothing was accepted can be previewed, and its preview has that as a blocker.
pub fn gate(working_set: &WorkingSet, envelope: &Envelope, complete: &CompleteOrder) -> Result<Authorization, Refusal> {
    let authorization = envelope.authorize(working_set)?;
    for target in complete.targets() {
        let order = working_set.order(&envelope.order_key(target.order))?.ok_or(Refusal::OrderNotFound)?;
        order.check_etag(target.etag)?;
        Action::Complete.check_state(order)?;
    }
    Ok(authorization)
}

/// Previews `complete` for the store and the caller of `envelope`. `working_set` must hold what
/// `complete` needs. Nothing is changed: the trial decision is dropped.
pub fn preview(
    working_set: &WorkingSet,
    envelope: &Envelope,
    complete: &CompleteOrder,
    wall_clock: Timestamp,
    ids: &dyn Ids,
) -> Result<Preview, Refusal> {
    let authorization = gate(working_set, envelope, complete)?;
    let changeset = Changeset::new(working_set, envelope, authorization, wall_clock, ids)?;
    let Plan { order, lines, mut blockers } = complete.plan(&changeset, MissingReason::Blocks)?;
    let stock = resulting_stock(&changeset, &order, &lines)?;
    if blockers.is_empty() {
        // What only the complete decision shows, such as a level that would pass its limit.
        blockers.extend(refusal_of_trial(changeset, complete)?);
    }
    let back_ordered = lines.iter().filter(|disposed| disposed.disposition.back_order.is_positive()).count();
    let back_order = if back_ordered > 0 { Some((order.next_number(), back_ordered)) } else { None };
    let pending = lines.into_iter().filter(|disposed| disposed.line.quantities.pending.is_positive()).collect();
    Ok(Preview { order, pending, stock, back_order, blockers })
}

/// Decides the completion as if it were asked for; what it would be refused with, if it would be. A bug
/// is no blocker: it fails the preview, so that the caller gets INTERNAL and the log gets the cause.
fn refusal_of_trial(mut trial: Changeset<'_>, complete: &CompleteOrder) -> Result<Option<Refusal>, Refusal> {
    // There are no blockers, which would refuse it, so a refusal here is a bug.
    let outcome = complete.decide(&mut trial)?;
    match trial.finish(&outcome) {
        Ok(_) => Ok(None),
        Err(bug @ Refusal::Bug(_)) => Err(bug),
        Err(refusal) => Ok(Some(refusal)),
    }
}

fn resulting_stock(
    changeset: &Changeset<'_>,
    order: &Order,
    lines: &[DisposedLine],
) -> Result<Vec<ResultingStock>, Refusal> {
    let mut stock: BTreeMap<ProductId, ResultingStock> = BTreeMap::new();
    for DisposedLine { line, disposition } in lines {
        let entry = match stock.entry(line.product.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let level = changeset.level(&line.product)?;
                let before = level.ok_or_else(|| Refusal::Bug("a line without a level".to_owned()))?;
                let back_ordered_after = before.inbound.back_ordered;
                entry.insert(ResultingStock { before, received: Quantity::ZERO, back_ordered_after })
            }
        };
        entry.received += line.quantities.received;
        entry.back_ordered_after += disposition.back_order;
        // What is pending on a back order counts as back-ordered already, and is settled now.
        if order.parent.is_some() {
            entry.back_ordered_after -= line.quantities.pending;
        }
    }
    Ok(stock.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::order::complete::{Disposition, LineDisposition};
    use crate::domain::order::{OrderId, State};
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore, quantity};

    fn complete(order: OrderId, default_disposition: Option<Disposition>) -> CompleteOrder {
        CompleteOrder {
            order,
            etag: String::new(),
            lines: Vec::new(),
            default_disposition,
            cancel_reason: None,
            cancel_reason_code: None,
            expected_date: None,
        }
    }

    fn previewed(store: &TestStore, complete: &CompleteOrder) -> Result<Preview, Refusal> {
        /// No id is needed of a preview but that of the back order that is never saved.
        struct NilIds;
        impl Ids for NilIds {
            fn next(&self, _: &crate::domain::code::StoreId) -> uuid::Uuid {
                uuid::Uuid::nil()
            }
        }
        let envelope = store.envelope(complete.clone());
        preview(&store.load(&envelope), &envelope, complete, store.now, &NilIds)
    }

    fn reasons(preview: &Preview) -> Vec<&'static str> {
        preview.blockers.iter().map(Refusal::reason).collect()
    }

    #[test]
    fn a_preview_tells_what_the_completion_then_does() {
        for default in [Disposition::BackOrder, Disposition::Cancel] {
            let mut store = TestStore::new();
            let order = store.on_order(&["oak 10", "ash 5", "oak 1"]);
            store.receipt(order, &[(1, "4", "0"), (2, "5", "0")]);
            let mut command = complete(order, Some(default));
            command.cancel_reason = Some("too late".to_owned());
            let preview = previewed(&store, &command).unwrap();
            assert_eq!(reasons(&preview), [""; 0]);
            let pending: Vec<i32> = preview.pending.iter().map(|disposed| disposed.line.key.number).collect();
            assert_eq!(pending, [1, 3]);

            store.accept(command);
            let child = store.header(order).child.map(|child| store.header(child));
            let child = child.map(|child| (child.number.clone(), child.counters.lines as usize));
            assert_eq!(preview.back_order, child);
            for stock in &preview.stock {
                let after = store.decided.levels.iter().find(|level| level.key == stock.before.key).unwrap();
                assert_eq!(stock.before.on_hand + stock.received, after.on_hand);
                assert_eq!(stock.back_ordered_after, after.inbound.back_ordered);
            }
            assert_eq!(preview.stock.len(), 2);
        }
    }

    #[test]
    fn what_a_back_order_has_pending_is_not_counted_twice() {
        let mut store = TestStore::new();
        let order = store.order_in(State::Receiving);
        store.accept(complete(order, Some(Disposition::BackOrder)));
        let child = store.header(order).child.unwrap();
        store.receipt(child, &[(1, "1", "0")]);
        let preview = previewed(&store, &complete(child, Some(Disposition::BackOrder))).unwrap();
        assert_eq!(preview.stock[0].back_ordered_after, quantity("5"));
        assert_eq!(preview.back_order, Some(("PO-000001-B2".to_owned(), 1)));
    }

    #[test]
    fn everything_that_prevents_the_completion_is_a_blocker() {
        let mut store = TestStore::new();
        store.row().back_orders_enabled = false;
        let order = store.on_order(&["oak 10", "ash 5"]);
        assert_eq!(
            reasons(&previewed(&store, &complete(order, None)).unwrap()),
            ["NOTHING_RECEIVED", "PENDING_UNSETTLED"]
        );
        let divided =
            LineDisposition { line: 1, back_order: quantity("4"), cancel: quantity("6"), ..LineDisposition::default() };
        let command = CompleteOrder { lines: vec![divided], ..complete(order, None) };
        assert_eq!(
            reasons(&previewed(&store, &command).unwrap()),
            ["INVALID_FOR_STORED_DATA", "NOTHING_RECEIVED", "PENDING_UNSETTLED", "BACK_ORDERS_DISABLED"]
        );
        store.receipt(order, &[(1, "4", "0")]);
        assert_eq!(
            reasons(&previewed(&store, &complete(order, Some(Disposition::BackOrder))).unwrap()),
            ["BACK_ORDERS_DISABLED"]
        );
        // What only the decision itself shows.
        store.change_level("oak", |level| level.on_hand = Quantity::MAX_LEVEL);
        let mut command = complete(order, Some(Disposition::Cancel));
        command.cancel_reason = Some("too late".to_owned());
        assert_eq!(reasons(&previewed(&store, &command).unwrap()), ["LEVEL_OUT_OF_RANGE"]);
    }

    #[test]
    fn what_no_choice_repairs_is_refused() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10"]);
        let mut command = complete(NO_SUCH_ORDER, None);
        command.etag = "9".to_owned();
        command.lines = vec![LineDisposition {
            line: 2,
            back_order: quantity("1"),
            cancel: quantity("1"),
            ..LineDisposition::default()
        }];
        let mut refused = Vec::new();
        store.call_with(&[Permission::View]);
        refused.push(previewed(&store, &command).unwrap_err().reason());
        store.call_as("ann");
        refused.push(previewed(&store, &command).unwrap_err().reason());
        command.order = order;
        refused.push(previewed(&store, &command).unwrap_err().reason());
        command.etag.clear();
        refused.push(previewed(&store, &command).unwrap_err().reason());
        store.change_order(order, |order| order.state = State::OnOrder);
        refused.push(previewed(&store, &command).unwrap_err().reason());
        command.lines[0].line = 1;
        refused.push(previewed(&store, &command).unwrap_err().reason());
        assert_eq!(
            refused,
            [
                "PERMISSION_MISSING",
                "PURCHASE_ORDER_NOT_FOUND",
                "ETAG_MISMATCH",
                "WRONG_STATE",
                "LINE_NOT_FOUND",
                "INVALID_FOR_STORED_DATA"
            ]
        );
    }
}
