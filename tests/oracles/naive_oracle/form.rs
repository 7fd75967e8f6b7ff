//! The form that a command must have, whatever is stored.

use std::collections::BTreeSet;

use purchase_order_service::proto::v1::{AdjustmentKind, RejectReason};

use crate::naive_oracle::command::{
    Adjustment, Amended, Amendment, Command, Confirmation, Day, Delivery, Goods, Name, NewItem, NewLine, NewLot,
    Settings, Verb, admits, same_gtin,
};
use crate::naive_oracle::numbers::{DEAREST, part_of_pack, stated};

pub fn is_well_formed(command: &Command) -> bool {
    match command {
        Command::Create(new) => !new.lines.is_empty() && new.lines.iter().all(is_line),
        Command::Change { verb, .. } => is_verb(verb),
        Command::Adjust(adjustment) => is_adjustment(adjustment),
        Command::Deliver(lorry) => {
            let orders: BTreeSet<usize> = lorry.etags.iter().map(|(order, _)| *order).collect();
            let named =
                |item: &NewItem| item.order.is_some() || !matches!(item.goods, Goods::Line(_) | Goods::Unlisted(_));
            let items = lorry.delivery.items.as_deref().unwrap_or_default();
            orders.len() == lorry.etags.len() && are_items(items) && items.iter().all(named)
        }
        Command::UpdateStore(settings) => *settings != Settings::default(),
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
        Verb::Receive(Delivery { items: Some(items), .. })
        | Verb::Correct { delivery: Delivery { items: Some(items), .. }, .. } => {
            are_items(items) && items.iter().all(|item| item.order.is_none())
        }
        Verb::Reopen { reason } => !reason.is_empty(),
        Verb::Amend(amendment) => are_named_once(verb) && is_amendment(amendment),
        Verb::Confirm(Confirmation { lines, rest, .. }) => are_named_once(verb) && (*rest || !lines.is_empty()),
        _ => are_named_once(verb),
    }
}

fn are_named_once(verb: &Verb) -> bool {
    verb.lines().iter().collect::<BTreeSet<_>>().len() == verb.lines().len()
}

/// Something changes; a line that goes does not change, and has no two costs.
fn is_amendment(amendment: &Amendment) -> bool {
    let is_amended = |amended: &Amended| {
        let kept = Amended { line: amended.line, is_removed: true, ..Amended::default() };
        let has_two_costs = amended.unit_cost.is_some() && amended.pack_cost.is_some();
        !has_two_costs && (!amended.is_removed || *amended == kept)
    };
    *amendment != Amendment::default()
        && amendment.lines.iter().all(is_amended)
        && amendment.new_lines.iter().all(is_line)
}

/// Something came, and nothing is named twice.
fn are_items(items: &[NewItem]) -> bool {
    let is_twice = |at: usize| items[..at].iter().any(|earlier| names_same(earlier, &items[at]));
    items.iter().any(NewItem::says_something) && items.iter().all(is_item) && !(0..items.len()).any(is_twice)
}

/// Whether two items name the same in the same way.
pub fn names_same(one: &NewItem, other: &NewItem) -> bool {
    let is_same = match (one.goods, other.goods) {
        (Goods::Line(one), Goods::Line(other)) => one == other,
        (Goods::Product(one), Goods::Product(other)) => one == other,
        (Goods::Gtin(one), Goods::Gtin(other)) => same_gtin(one, other),
        (Goods::Unlisted(one), Goods::Unlisted(other)) => one.product == other.product,
        _ => false,
    };
    is_same && one.order == other.order
}

fn is_item(item: &NewItem) -> bool {
    let has_reason = item.reject_reason != RejectReason::Unspecified;
    let has_text = item.reject_reason != RejectReason::Other || !item.reject_note.is_empty();
    let size_is_right = match item.goods {
        Goods::Unlisted(unlisted) => unlisted.pack_size.is_none_or(|size| size > 0),
        _ => true,
    };
    // Lots of nothing are no empty row of a form.
    let has_goods = item.says_something() || item.lots.iter().all(|lot| lot.quantity.unwrap_or(0) == 0);
    size_is_right && has_goods && (!item.rejects() || has_reason && has_text) && are_lots(&item.lots)
}

/// Each has a code, and no two are the same. One without a quantity is passed over.
fn are_lots(lots: &[NewLot]) -> bool {
    let named = lots.iter().filter(|lot| lot.quantity.unwrap_or(0) > 0);
    let named: Vec<(Name, Option<Day>)> = named.map(|lot| (lot.lot.code, lot.lot.expires)).collect();
    named.iter().all(|(code, _)| !code.is_empty()) && named.iter().collect::<BTreeSet<_>>().len() == named.len()
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
