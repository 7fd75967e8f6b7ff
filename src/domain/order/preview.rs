//! PreviewCompletion: what a completion would do, from the same plan and the same decision.

use std::collections::BTreeMap;

use super::complete::{CompleteOrder, LineDisposition, MissingReason, Plan};
use super::{Line, Order};
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

/// What a completion would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The order as it stands.
    pub order: Order,
    /// Lines with a pending quantity and what would become of it.
    pub pending: Vec<(Line, LineDisposition)>,
    /// What the order's products would stand at, by product.
    pub stock: Vec<ResultingStock>,
    /// The back order that would be made: its number and how many lines it would have.
    pub back_order: Option<(String, usize)>,
    /// What stands in the way.
    pub blockers: Vec<Refusal>,
}

/// What one product would stand at.
#[derive(Clone, Debug)]
pub struct ResultingStock {
    /// Its level as it stands.
    pub before: Level,
    /// What would go on hand.
    pub received: Quantity,
    /// What would be on back orders.
    pub back_ordered_after: Quantity,
}

/// Judges on the header alone whether there is anything to preview: what [`gate`](super::super::command::gate)
/// judges of a completion, but that an order of which nothing was accepted has a preview too, which
/// says so.
pub fn gate(working_set: &WorkingSet, envelope: &Envelope, complete: &CompleteOrder) -> Result<Authorization, Refusal> {
    let authorization = working_set.authorize(&envelope.store, &envelope.principal, complete.requires())?;
    if let Some(target) = complete.target() {
        let order = working_set.order(&envelope.order_key(target.order))?;
        target.check_existence_and_etag(order)?;
        target.action.check_state(order.ok_or(Refusal::OrderNotFound)?)?;
    }
    Ok(authorization)
}

/// Previews `complete`, as `request` names its store and caller. `working_set` holds what
/// `complete` needs.
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
        // Nothing known stands in the way: whatever is left would show when it is really decided.
        let mut trial = changeset;
        let outcome = complete.decide(&mut trial)?;
        blockers.extend(trial.finish(&outcome).err());
    }
    let back_ordered = lines.iter().filter(|(_, settlement)| settlement.back_order.is_positive()).count();
    let back_order = (back_ordered > 0).then(|| (order.next_number(), back_ordered));
    let pending = lines.into_iter().filter(|(line, _)| line.quantities.pending.is_positive()).collect();
    Ok(Preview { order, pending, stock, back_order, blockers })
}

fn resulting_stock(
    changeset: &Changeset<'_>,
    order: &Order,
    lines: &[(Line, LineDisposition)],
) -> Result<Vec<ResultingStock>, Refusal> {
    let mut stock: BTreeMap<ProductId, ResultingStock> = BTreeMap::new();
    for (line, settlement) in lines {
        if !stock.contains_key(&line.product) {
            let level = changeset.level(&line.product)?;
            let before = level.ok_or_else(|| Refusal::Bug("a line without a level".to_owned()))?;
            let back_ordered_after = before.inbound.back_ordered;
            let fresh = ResultingStock { before, received: Quantity::ZERO, back_ordered_after };
            stock.insert(line.product.clone(), fresh);
        }
        if let Some(entry) = stock.get_mut(&line.product) {
            entry.received += line.quantities.received;
            entry.back_ordered_after += settlement.back_order;
            if order.parent.is_some() {
                entry.back_ordered_after -= line.quantities.pending;
            }
        }
    }
    Ok(stock.into_values().collect())
}
