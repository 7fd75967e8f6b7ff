//! How the detail of an event is written to and read from storage: its kind by itself, and its values as
//! JSON. Stored events are never rewritten, so what an earlier version has written must stay readable.

use serde::Deserialize;

use super::Detail;

/// A stored detail that this version cannot read: a later version has written it, or somebody has changed
/// it by hand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the kind {kind:?}: {cause}")]
pub struct UnreadableDetail {
    /// The kind under which the event is stored.
    pub kind: String,
    /// What is wrong with it, for the log.
    pub cause: String,
}

/// The version of the format, which stands beside the values.
#[derive(Deserialize)]
struct Version {
    v: i32,
}

impl Detail {
    /// The JSON that is stored: the version and the values, `{"v":1,"order_time":5}`. The kind is stored
    /// beside it, in a column that can be searched.
    pub fn to_stored(&self) -> String {
        // Texts and numbers always serialize. If they did not, the event would be stored as one that
        // nobody can read, which is found out when it is read.
        let tagged = serde_json::to_string(self).unwrap_or_default();
        // It is {"ORDER_PLACED":{"order_time":5}}. The values are cut out of it as text, because a large
        // order has very many of them.
        let values = tagged.split_once(":{").and_then(|(_, values)| values.strip_suffix("}}")).unwrap_or("null");
        let comma = if values.is_empty() { "" } else { "," };
        format!("{{\"v\":{}{comma}{values}}}", Self::VERSION)
    }

    /// Reads what [`Detail::to_stored`] has written of a detail of this kind.
    pub fn from_stored(kind: &str, json: &str) -> Result<Self, UnreadableDetail> {
        let unreadable = |cause: String| UnreadableDetail { kind: kind.to_owned(), cause };
        // This finds out as well that the text is one JSON value and nothing else, which is put together
        // with its kind below.
        let Version { v } = serde_json::from_str(json).map_err(|error| unreadable(error.to_string()))?;
        if v != Self::VERSION {
            return Err(unreadable(format!("its format has the version {v}; {} is known", Self::VERSION)));
        }
        // Written as JSON text, so that a kind that was changed by hand cannot end the text that it stands in.
        let kind = serde_json::Value::from(kind);
        serde_json::from_str(&format!("{{{kind}:{json}}}")).map_err(|error| unreadable(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::event::{
        AmendedLine, Amendment, CancelledLine, ChargeDetail, ConfirmedLine, ItemQuantities, LineQuantity, OrderChanges,
        SettledLine, UnsettledLine, ValueChange,
    };
    use crate::domain::inventory::MovementKind;
    use crate::domain::order::OrderId;
    use crate::domain::order::cancellation::CancelReason;
    use crate::domain::order::receipt::DeliveryId;

    const ID: &str = "01234567-89ab-7cde-8f01-23456789abcd";

    fn id() -> Uuid {
        ID.parse().unwrap()
    }

    fn lines() -> Vec<LineQuantity> {
        vec![LineQuantity { line: 2, quantity: "2.5".to_owned() }]
    }

    fn items() -> Vec<ItemQuantities> {
        vec![ItemQuantities { line: 2, accepted: "2.5".to_owned(), rejected: "0".to_owned() }]
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn corrected(lines_added: Vec<i32>) -> Detail {
        Detail::ReceiptCorrected {
            receipt: 3,
            reason: "miscounted".to_owned(),
            items_before: Vec::new(),
            replacement: 4,
            receive_time: 7,
            lines_added,
            items: items(),
        }
    }

    fn completed(reason: Option<String>, code: Option<CancelReason>, expected_date: Option<String>) -> Detail {
        let (back_ordered, cancelled) = ("2".to_owned(), "0.5".to_owned());
        Detail::OrderCompleted {
            settled: vec![SettledLine { line: 2, back_ordered, cancelled, reason, reason_code: code, expected_date }],
            back_order: Some(OrderId(id())),
            cancel_reason: some("late"),
            cancel_reason_code: code.and(Some(CancelReason::Late)),
        }
    }

    fn cancelled(reason_code: Option<CancelReason>) -> CancelledLine {
        CancelledLine { line: 2, quantity: "2.5".to_owned(), reason: "gone".to_owned(), reason_code }
    }

    /// Details of stores, roles and grants, with their JSON.
    fn of_stores() -> Vec<(&'static str, Detail)> {
        let (role, principal) = ("buyer".to_owned(), "dora".to_owned());
        vec![
            (
                r#"{"v":1,"owner":"alice","currency":"EUR","time_zone":"Europe/Paris"}"#,
                Detail::StoreCreated {
                    owner: "alice".to_owned(),
                    currency: "EUR".to_owned(),
                    time_zone: "Europe/Paris".to_owned(),
                },
            ),
            (
                r#"{"v":1,"display_name":"North","time_zone":null,"allow_negative_stock":true}"#,
                Detail::StoreUpdated {
                    display_name: some("North"),
                    time_zone: None,
                    over_receipt_tolerance: None,
                    allow_negative_stock: Some(true),
                    allow_unlisted_items: None,
                },
            ),
            (r#"{"v":1}"#, Detail::BackOrdersEnabled {}),
            (r#"{"v":1}"#, Detail::BackOrdersDisabled {}),
            (
                r#"{"v":1,"role":"buyer","permissions":["VIEW","COMPLETE_PURCHASE_ORDERS"]}"#,
                Detail::RoleCreated {
                    role: role.clone(),
                    permissions: vec![Permission::View, Permission::CompletePurchaseOrders],
                },
            ),
            (
                r#"{"v":1,"role":"buyer","added":["EDIT"],"removed":[]}"#,
                Detail::RoleUpdated { role: role.clone(), added: vec![Permission::Edit], removed: Vec::new() },
            ),
            (r#"{"v":1,"role":"buyer"}"#, Detail::RoleDeleted { role: role.clone() }),
            (
                r#"{"v":1,"principal":"dora","role":"buyer"}"#,
                Detail::RoleGranted { principal: principal.clone(), role: role.clone() },
            ),
            (r#"{"v":1,"principal":"dora","role":"buyer"}"#, Detail::RoleRevoked { principal, role }),
        ]
    }

    /// Details of orders, with their JSON.
    fn of_orders() -> Vec<(&'static str, Detail)> {
        vec![
            (
                r#"{"v":1,"number":"PO-000001","lines":[{"line":2,"quantity":"2.5"}]}"#,
                Detail::OrderCreated { number: "PO-000001".to_owned(), copied_from: None, lines: lines() },
            ),
            (
                r#"{"v":1,"number":"PO-000001","copied_from":"01234567-89ab-7cde-8f01-23456789abcd","lines":[]}"#,
                Detail::OrderCreated {
                    number: "PO-000001".to_owned(),
                    copied_from: Some(OrderId(id())),
                    lines: Vec::new(),
                },
            ),
            (
                // The note was emptied; the reference is not named.
                r#"{"v":1,"supplier":"acme","note":null,"external_id":"E:{1}","charges":[{"description":"freight","amount":"5"}],"lines":[{"line":2,"quantity":"2.5"}]}"#,
                Detail::OrderUpdated(OrderChanges {
                    supplier: some("acme"),
                    note: Some(None),
                    external_id: Some(some("E:{1}")),
                    charges: Some(vec![ChargeDetail { description: "freight".to_owned(), amount: "5".to_owned() }]),
                    lines: Some(lines()),
                    ..OrderChanges::default()
                }),
            ),
            (
                r#"{"v":1,"supplier_reference":"S-1","charges":[],"expected_date":null}"#,
                Detail::OrderUpdated(OrderChanges {
                    supplier_reference: Some(some("S-1")),
                    charges: Some(Vec::new()),
                    expected_date: Some(None),
                    ..OrderChanges::default()
                }),
            ),
            (
                // The date of the order was removed; a line was changed, one added and one removed.
                r#"{"v":1,"expected_date":{"from":"2026-03-10"},"lines":[{"line":1,"ordered":{"from":"5","to":"6"},"unit_cost":{"from":"1","to":"1.5"},"is_note_changed":true},{"line":2,"is_added":true,"expected_date":{"to":"2026-03-11"},"pack_cost":{"to":"9"}},{"line":3,"is_removed":true}]}"#,
                Detail::OrderAmended(Amendment {
                    expected_date: ValueChange::between(some("2026-03-10"), None),
                    charges: None,
                    lines: vec![
                        AmendedLine {
                            line: 1,
                            ordered: ValueChange::between(some("5"), some("6")),
                            unit_cost: ValueChange::between(some("1"), some("1.5")),
                            is_note_changed: true,
                            ..AmendedLine::default()
                        },
                        AmendedLine {
                            line: 2,
                            is_added: true,
                            expected_date: ValueChange::between(None, some("2026-03-11")),
                            pack_cost: ValueChange::between(None, some("9")),
                            ..AmendedLine::default()
                        },
                        AmendedLine { line: 3, is_removed: true, ..AmendedLine::default() },
                    ],
                }),
            ),
            (
                r#"{"v":1,"charges":[{"description":"freight","amount":"5"}]}"#,
                Detail::OrderAmended(Amendment {
                    charges: Some(vec![ChargeDetail { description: "freight".to_owned(), amount: "5".to_owned() }]),
                    ..Amendment::default()
                }),
            ),
            (
                r#"{"v":1,"lines":[{"line":2,"confirmed":"2.5","expected_date":"2026-03-10"},{"line":3,"confirmed":"0"}]}"#,
                Detail::OrderConfirmed {
                    lines: vec![
                        ConfirmedLine { line: 2, confirmed: "2.5".to_owned(), expected_date: some("2026-03-10") },
                        ConfirmedLine { line: 3, confirmed: "0".to_owned(), expected_date: None },
                    ],
                },
            ),
            (r#"{"v":1,"order_time":-5}"#, Detail::OrderPlaced { order_time: -5 }),
            (
                r#"{"v":1,"receipt":3,"receive_time":7,"items":[{"line":2,"accepted":"2.5","rejected":"0"}]}"#,
                Detail::ReceiptBooked {
                    receipt: 3,
                    receive_time: 7,
                    delivery: None,
                    lines_added: Vec::new(),
                    items: items(),
                },
            ),
            (
                r#"{"v":1,"receipt":3,"receive_time":7,"delivery":"01234567-89ab-7cde-8f01-23456789abcd","lines_added":[2],"items":[{"line":2,"accepted":"2.5","rejected":"0"}]}"#,
                Detail::ReceiptBooked {
                    receipt: 3,
                    receive_time: 7,
                    delivery: Some(DeliveryId(id())),
                    lines_added: vec![2],
                    items: items(),
                },
            ),
            (
                r#"{"v":1,"receipt":3,"reason":"said \"no\":{}}","items":[{"line":2,"accepted":"2.5","rejected":"0"}]}"#,
                Detail::ReceiptVoided { receipt: 3, reason: r#"said "no":{}}"#.to_owned(), items: items() },
            ),
            (
                r#"{"v":1,"receipt":3,"reason":"miscounted","items_before":[],"replacement":4,"receive_time":7,"items":[{"line":2,"accepted":"2.5","rejected":"0"}]}"#,
                corrected(Vec::new()),
            ),
            (
                r#"{"v":1,"receipt":3,"reason":"miscounted","items_before":[],"replacement":4,"receive_time":7,"lines_added":[2],"items":[{"line":2,"accepted":"2.5","rejected":"0"}]}"#,
                corrected(vec![2]),
            ),
            (
                r#"{"v":1,"settled":[{"line":2,"back_ordered":"2","cancelled":"0.5"}],"back_order":"01234567-89ab-7cde-8f01-23456789abcd","cancel_reason":"late"}"#,
                completed(None, None, None),
            ),
            (
                r#"{"v":1,"settled":[{"line":2,"back_ordered":"2","cancelled":"0.5","reason":"gone","reason_code":"OUT_OF_STOCK","expected_date":"2026-03-10"}],"back_order":"01234567-89ab-7cde-8f01-23456789abcd","cancel_reason":"late","cancel_reason_code":"LATE"}"#,
                completed(some("gone"), Some(CancelReason::OutOfStock), some("2026-03-10")),
            ),
            (
                r#"{"v":1,"lines":[{"line":2,"quantity":"2.5","reason":"gone"},{"line":2,"quantity":"2.5","reason":"gone","reason_code":"DISCONTINUED"}]}"#,
                Detail::LinesCancelled { lines: vec![cancelled(None), cancelled(Some(CancelReason::Discontinued))] },
            ),
            (
                r#"{"v":1,"number":"PO-000001-B1","parent":"01234567-89ab-7cde-8f01-23456789abcd","lines":[{"line":2,"quantity":"2.5"}]}"#,
                Detail::BackOrderCreated { number: "PO-000001-B1".to_owned(), parent: OrderId(id()), lines: lines() },
            ),
            (r#"{"v":1,"reason":null}"#, Detail::OrderCancelled { reason: None, reason_code: None }),
            (
                r#"{"v":1,"reason":"late","reason_code":"LATE"}"#,
                Detail::OrderCancelled { reason: some("late"), reason_code: Some(CancelReason::Late) },
            ),
            (
                r#"{"v":1,"reason":"one box too few","folded_back":"01234567-89ab-7cde-8f01-23456789abcd","lines":[{"line":2,"back_ordered":"2","cancelled":"0.5"}]}"#,
                Detail::OrderReopened {
                    reason: "one box too few".to_owned(),
                    folded_back: Some(OrderId(id())),
                    lines: vec![UnsettledLine { line: 2, back_ordered: "2".to_owned(), cancelled: "0.5".to_owned() }],
                },
            ),
            (
                r#"{"v":1,"parent":"01234567-89ab-7cde-8f01-23456789abcd","reason":"one box too few","lines":[{"line":2,"quantity":"2.5"}]}"#,
                Detail::BackOrderFolded { parent: OrderId(id()), reason: "one box too few".to_owned(), lines: lines() },
            ),
            (
                r#"{"v":1,"product":"oil","kind":"RETURN_TO_SUPPLIER","quantity":"-1","unit_cost":"2.5","on_hand":"4","line":2,"reason":"leaks"}"#,
                Detail::StockAdjusted {
                    product: "oil".to_owned(),
                    kind: MovementKind::ReturnToSupplier,
                    quantity: "-1".to_owned(),
                    unit_cost: "2.5".to_owned(),
                    on_hand: "4".to_owned(),
                    line: Some(2),
                    reason: "leaks".to_owned(),
                },
            ),
        ]
    }

    /// The kinds that can be read, as the refusal of another one lists them.
    fn known_kinds() -> BTreeSet<String> {
        let refused = Detail::from_stored("NO_SUCH_KIND", r#"{"v":1}"#).unwrap_err();
        let (_, listed) = refused.cause.split_once("expected one of ").unwrap();
        listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_kind_is_written_and_read_back() {
        let mut tried = BTreeSet::new();
        for (json, detail) in of_stores().into_iter().chain(of_orders()) {
            assert_eq!(detail.to_stored(), json);
            assert_eq!(Detail::from_stored(detail.kind(), json).as_ref(), Ok(&detail), "{json}");
            tried.insert(detail.kind().to_owned());
        }
        assert_eq!(tried, known_kinds(), "each kind has a row in the table");
    }

    #[test]
    fn the_names_of_permissions_reasons_and_kinds_of_movements_are_those_they_are_stored_by() {
        for permission in Permission::ALL {
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.name());
        }
        for reason in CancelReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
        for kind in MovementKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn what_is_not_known_is_an_error_that_says_so() {
        for (kind, json, said) in [
            ("ORDER_LOST", r#"{"v":1}"#, "unknown variant `ORDER_LOST`"),
            ("", r#"{"v":1}"#, "unknown variant ``"),
            (r#"ORDER_PLACED":{"order_time":1}}"#, r#"{"v":1}"#, "unknown variant"),
            ("ORDER_PLACED", r#"{"v":2,"order_time":1}"#, "the version 2; 1 is known"),
            ("ORDER_PLACED", r#"{"order_time":1}"#, "missing field `v`"),
            ("ORDER_PLACED", r#"{"v":1}"#, "missing field `order_time`"),
            ("ORDER_PLACED", r#"{"v":1,"order_time":"noon"}"#, "invalid type"),
            ("ORDER_PLACED", r#"{"v":1,"order_time":1"#, "EOF"),
            ("ORDER_PLACED", r#"{"v":1,"order_time":1},"ORDER_CANCELLED":{}"#, "trailing characters"),
            ("ORDER_PLACED", "", "EOF"),
            ("ORDER_PLACED", "null", "invalid type"),
            ("ROLE_CREATED", r#"{"v":1,"role":"buyer","permissions":["FLY"]}"#, "unknown variant `FLY`"),
        ] {
            let error = Detail::from_stored(kind, json).unwrap_err();
            assert_eq!(error.kind, kind);
            assert!(error.to_string().contains(said), "{json}: {error}");
        }
    }

    #[test]
    fn values_that_a_later_version_adds_are_passed_over() {
        let read = Detail::from_stored("ORDER_PLACED", r#"{"v":1,"order_time":1,"by":"fax"}"#);
        assert_eq!(read, Ok(Detail::OrderPlaced { order_time: 1 }));
    }
}
