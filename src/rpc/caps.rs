//! How many elements each repeated field of a request may have.
//!
//! The guard counts them in a request's bytes before anything is decoded, and the field parser checks them again
//! before a list is looped over. Both use this table and the same message, so the memory and time that a list
//! costs are bounded whatever is sent. A test walks the contract and fails if a repeated field is missing here.

use std::fmt;

use crate::domain::order::receive::delivery::MAX_ORDERS;
use crate::domain::order::{MAX_CHARGES, MAX_LINES};

/// The bounds of one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cap {
    /// The list's path in its request, as violations name it.
    pub path: &'static str,
    /// At least so many; judged where the list is parsed, because a list that an update does not name
    /// may be empty.
    pub least: usize,
    /// At most so many.
    pub most: usize,
}

/// The lines of a draft, in a create or update.
pub const LINES: Cap = Cap { path: "lines", least: 1, most: MAX_LINES };
/// What is paid for an order besides its lines.
pub const CHARGES: Cap = Cap { path: "charges", least: 0, most: MAX_CHARGES };
/// The charges that an amendment gives an order.
pub const CHARGE_LIST: Cap = Cap { path: "charges.charges", least: 0, most: MAX_CHARGES };
/// The lines of which a completion decides by itself what happens to their pending quantity.
pub const DISPOSITIONS: Cap = Cap { path: "lines", least: 0, most: MAX_LINES };
/// The lines that an amendment changes.
pub const AMENDMENTS: Cap = Cap { path: "lines", least: 0, most: MAX_LINES };
/// The lines that an amendment adds.
pub const NEW_LINES: Cap = Cap { path: "new_lines", least: 0, most: MAX_LINES };
/// The lines of which a supplier has confirmed something.
pub const CONFIRMATIONS: Cap = Cap { path: "lines", least: 0, most: MAX_LINES };
/// The lines of which a pending quantity is cancelled.
pub const CANCELLATIONS: Cap = Cap { path: "lines", least: 1, most: MAX_LINES };
/// The items of a receipt.
pub const ITEMS: Cap = Cap { path: "items", least: 0, most: MAX_LINES };
/// The lots of all items of a receipt together.
pub const LOTS: Cap = Cap { path: "items.lots", least: 0, most: MAX_LINES };
/// The orders of a delivery whose etags are compared.
pub const ETAGS: Cap = Cap { path: "etags", least: 0, most: MAX_ORDERS };
/// The products that a list of levels is filtered by.
pub const PRODUCTS: Cap = Cap { path: "product_ids", least: 0, most: 1_000 };
/// What a role allows: several times as many as there are permissions.
pub const PERMISSIONS: Cap = Cap { path: "permissions", least: 0, most: 100 };
/// The states that a list of orders is filtered by: several times as many as there are.
pub const STATES: Cap = Cap { path: "states", least: 0, most: 100 };
/// The stores whose events are followed.
pub const POSITIONS: Cap = Cap { path: "positions", least: 1, most: 1_000 };
/// The types of events that are followed: several times as many as there are.
pub const EVENT_TYPES: Cap = Cap { path: "types", least: 0, most: 100 };
/// The fields that an update names: several times as many as any update has.
pub const MASK_PATHS: Cap = Cap { path: "update_mask.paths", least: 0, most: 100 };
/// For a list that this table does not know: no element is allowed. A test shows that there is no such list.
pub const UNKNOWN: Cap = Cap { path: "a list without a limit", least: 0, most: 0 };

/// The cap of a repeated field, by the full name of its message and its own.
pub fn of(message: &str, field: &str) -> Option<Cap> {
    // Messages of other packages keep their full names, so that one of them cannot be taken for one of the contract.
    let message = message.strip_prefix("purchasing.v1.").unwrap_or(message);
    Some(match (message, field) {
        ("CreatePurchaseOrderRequest" | "UpdatePurchaseOrderRequest", "lines") => LINES,
        ("CreatePurchaseOrderRequest" | "UpdatePurchaseOrderRequest", "charges") => CHARGES,
        ("ChargeList", "charges") => CHARGE_LIST,
        ("AmendPurchaseOrderRequest", "lines") => AMENDMENTS,
        ("AmendPurchaseOrderRequest", "new_lines") => NEW_LINES,
        ("ConfirmPurchaseOrderRequest", "lines") => CONFIRMATIONS,
        ("PreviewCompletionRequest" | "CompletePurchaseOrderRequest", "lines") => DISPOSITIONS,
        ("CancelPurchaseOrderLinesRequest", "lines") => CANCELLATIONS,
        ("ReceivePurchaseOrderRequest" | "ReceiveDeliveryRequest" | "CorrectReceiptRequest", "items") => ITEMS,
        ("NewReceiptItem", "lots") => LOTS,
        ("ReceiveDeliveryRequest", "etags") => ETAGS,
        ("ListInventoryLevelsRequest", "product_ids") => PRODUCTS,
        ("CreateRoleRequest" | "UpdateRoleRequest", "permissions") => PERMISSIONS,
        ("ListPurchaseOrdersRequest", "states") => STATES,
        ("ListEventsRequest" | "WatchEventsRequest", "positions") => POSITIONS,
        ("ListEventsRequest" | "WatchEventsRequest", "types") => EVENT_TYPES,
        ("google.protobuf.FieldMask", "paths") => MASK_PATHS,
        _ => return None,
    })
}

impl Cap {
    /// Whether a list may have so many elements.
    pub fn allows(self, count: usize) -> bool {
        (self.least..=self.most).contains(&count)
    }

    /// The text of the violation for a list of `count` elements, made from the bounds.
    pub fn rule(self, count: usize) -> impl fmt::Display {
        Rule { cap: self, count }
    }
}

struct Rule {
    cap: Cap,
    count: usize,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cap: Cap { least, most, .. }, count } = self;
        match least {
            0 => write!(f, "must be at most {most}, not {count}"),
            _ => write!(f, "must be {least} to {most}, not {count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_tells_the_bounds_and_the_count() {
        assert_eq!(LINES.rule(5_001).to_string(), "must be 1 to 5000, not 5001");
        assert_eq!(PRODUCTS.rule(1_001).to_string(), "must be at most 1000, not 1001");
        for (count, lines, products) in [(0, false, true), (1, true, true), (1_001, true, false), (5_001, false, false)]
        {
            assert_eq!((LINES.allows(count), PRODUCTS.allows(count)), (lines, products), "{count}");
        }
    }
}
