//! PreviewCompletion: what a completion would do, from the same plan and the same decision.

use std::collections::BTreeMap;

use super::complete::{CompleteOrder, MissingReason, Plan, Settlement};
use super::{Line, Order};
use crate::domain::Ids;
use crate::domain::access::Authorization;
use crate::domain::code::ProductId;
use crate::domain::draft::Draft;
use crate::domain::inventory::Level;
use crate::domain::mutation::{Mutation, Request};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::workspace::Workspace;

/// What a completion would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The order as it stands.
    pub order: Order,
    /// Lines with a pending quantity and what would become of it.
    pub pending: Vec<(Line, Settlement)>,
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

/// Judges on the header alone whether there is anything to preview: what [`gate`](super::super::mutation::gate)
/// judges of a completion, but that an order of which nothing was accepted has a preview too, which
/// says so.
pub fn gate(workspace: &Workspace, request: &Request, complete: &CompleteOrder) -> Result<Authorization, Refusal> {
    let authorization = workspace.authorize(&request.store, &request.principal, complete.requires())?;
    if let Some(target) = complete.target() {
        let order = workspace.order(&request.order_key(target.order))?;
        target.check_existence_and_etag(order)?;
        target.action.check_state(order.ok_or(Refusal::OrderNotFound)?)?;
    }
    Ok(authorization)
}

/// Previews `complete`, as `request` names its store and caller. `workspace` holds what
/// `complete` needs.
pub fn preview(
    workspace: &Workspace,
    request: &Request,
    complete: &CompleteOrder,
    wall_clock: Timestamp,
    ids: &dyn Ids,
) -> Result<Preview, Refusal> {
    let authorization = gate(workspace, request, complete)?;
    let draft = Draft::new(workspace, request, authorization, wall_clock, ids)?;
    let Plan { order, lines, mut blockers } = complete.plan(&draft, MissingReason::Blocks)?;
    let stock = resulting_stock(&draft, &order, &lines)?;
    if blockers.is_empty() {
        // Nothing known stands in the way: whatever is left would show when it is really decided.
        let mut trial = draft;
        let outcome = complete.decide(&mut trial)?;
        blockers.extend(trial.finish(&outcome).err());
    }
    let back_ordered = lines.iter().filter(|(_, settlement)| settlement.back_order.is_positive()).count();
    let back_order = (back_ordered > 0).then(|| (order.next_number(), back_ordered));
    let pending = lines.into_iter().filter(|(line, _)| line.quantities.pending.is_positive()).collect();
    Ok(Preview { order, pending, stock, back_order, blockers })
}

fn resulting_stock(
    draft: &Draft<'_>,
    order: &Order,
    lines: &[(Line, Settlement)],
) -> Result<Vec<ResultingStock>, Refusal> {
    let mut stock: BTreeMap<ProductId, ResultingStock> = BTreeMap::new();
    for (line, settlement) in lines {
        if !stock.contains_key(&line.product) {
            let level = draft.level(&line.product)?;
            let before = level.ok_or_else(|| Refusal::Internal("a line without a level".to_owned()))?;
            let back_ordered_after = before.outlook.back_ordered;
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
