//! The form that a command must have, whatever is stored.

use std::collections::BTreeSet;

use purchase_order_service::proto::v1::{AdjustmentKind, RejectReason};

use crate::naive_oracle::command::{Adjustment, Command, Delivery, Name, NewItem, NewLine, NewLot, Verb, admits};
use crate::naive_oracle::numbers::{DEAREST, part_of_pack, stated};

pub fn is_well_formed(command: &Command) -> bool {
    match command {
        Command::Create(new) => !new.lines.is_empty() && new.lines.iter().all(is_line),
        Command::Change { verb, .. } => is_verb(verb),
        Command::Adjust(adjustment) => is_adjustment(adjustment),
        Command::UpdateStore { tolerance, negative_stock } => tolerance.is_some() || negative_stock.is_some(),
        _ => true,
    }
}

/// A quantity in some form, a cost in exactly one, and packs only with a size.
fn is_line(new: &NewLine) -> bool {
    let has_quantity = new.quantity.is_some() || new.packs.is_some();
    let quantity = stated(new.quantity, new.packs, new.pack_size);
    let has_one_cost = new.unit_cost.is_some() != new.pack_cost.is_some();
    let size_is_right = new.pack_size.is_none_or(|size| size > 0);
    let pack_is_priced = new.pack_cost.is_none_or(|pack_cost| match new.pack_size {
        Some(size) if size > 0 => part_of_pack(pack_cost, size) <= DEAREST,
        _ => false,
    });
    let fits_unit = quantity.is_some_and(|quantity| admits(new.unit, quantity));
    has_quantity && fits_unit && has_one_cost && size_is_right && pack_is_priced
}

fn is_verb(verb: &Verb) -> bool {
    match verb {
        Verb::Receive(Delivery { items: Some(items), .. }) => {
            items.iter().any(NewItem::says_something)
                && items.iter().all(is_item)
                && items.iter().map(|item| item.line).collect::<BTreeSet<_>>().len() == items.len()
        }
        _ => verb.lines().iter().collect::<BTreeSet<_>>().len() == verb.lines().len(),
    }
}

fn is_item(item: &NewItem) -> bool {
    let has_reason = item.reject_reason != RejectReason::Unspecified;
    let has_text = item.reject_reason != RejectReason::Other || !item.reject_note.is_empty();
    (!item.rejects() || has_reason && has_text) && are_lots(&item.lots)
}

/// Each has a code, and no two have the same. One without a quantity is passed over.
fn are_lots(lots: &[NewLot]) -> bool {
    let codes: Vec<Name> = lots.iter().filter(|lot| lot.quantity.unwrap_or(0) > 0).map(|lot| lot.lot.code).collect();
    codes.iter().all(|code| !code.is_empty()) && codes.iter().collect::<BTreeSet<_>>().len() == codes.len()
}

fn is_adjustment(adjustment: &Adjustment) -> bool {
    use AdjustmentKind::{Count, CustomerReturn, ReturnToSupplier, Unspecified};
    let Adjustment { kind, quantity, unit_cost, reason, source, lot, .. } = adjustment;
    let moves = *quantity > 0 || *kind == Count;
    let may_cost = unit_cost.is_none() || [CustomerReturn, Count].contains(kind);
    let may_have_source = source.is_none() || *kind == ReturnToSupplier;
    let lot_has_code = lot.is_none_or(|lot| !lot.code.is_empty());
    *kind != Unspecified && lot_has_code && moves && may_cost && may_have_source && !reason.is_empty()
}
