//! UpdateStore: a store's settings.

use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::Needs;
use crate::domain::order::tolerance::Tolerance;
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;
use crate::domain::store::Store;
use crate::domain::time::TimeZone;

/// Changes the settings of a store; what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UpdateStore {
    /// The new name that people read.
    pub display_name: Option<String>,
    /// The zone by which dates are judged from now on; what was judged before stays.
    pub time_zone: Option<TimeZone>,
    /// How much more than ordered may be received of a line from now on; what was booked before stays.
    pub over_receipt_tolerance: Option<Tolerance>,
    /// Whether stock may fall below zero from now on; stock that did stays there.
    pub allow_negative_stock: Option<bool>,
    /// Whether receipts may bring unlisted items from now on; what was booked before stays.
    pub allow_unlisted_items: Option<bool>,
}

impl Command for UpdateStore {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageStore)
    }

    fn needs(&self, _: &mut Needs) {}

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let before = changeset.store()?.clone();
        let after = Store {
            display_name: self.display_name.clone().unwrap_or_else(|| before.display_name.clone()),
            time_zone: self.time_zone.clone().unwrap_or_else(|| before.time_zone.clone()),
            over_receipt_tolerance: self.over_receipt_tolerance.unwrap_or(before.over_receipt_tolerance),
            allow_negative_stock: self.allow_negative_stock.unwrap_or(before.allow_negative_stock),
            allow_unlisted_items: self.allow_unlisted_items.unwrap_or(before.allow_unlisted_items),
            ..before.clone()
        };
        // Fields that are named with the value that they have do not count as a change.
        if after == before {
            return Ok(Outcome::store_changed(0));
        }
        let detail = Detail::StoreUpdated {
            display_name: self.display_name.clone().filter(|name| *name != before.display_name),
            time_zone: self
                .time_zone
                .as_ref()
                .filter(|zone| **zone != before.time_zone)
                .map(|zone| zone.name().to_owned()),
            over_receipt_tolerance: self
                .over_receipt_tolerance
                .filter(|tolerance| *tolerance != before.over_receipt_tolerance)
                .map(|tolerance| tolerance.to_string()),
            allow_negative_stock: self.allow_negative_stock.filter(|allow| *allow != before.allow_negative_stock),
            allow_unlisted_items: self.allow_unlisted_items.filter(|allow| *allow != before.allow_unlisted_items),
        };
        *changeset.store_mut()? = after;
        let event = changeset.record(detail)?;
        Ok(Outcome::store_changed(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::TestStore;

    fn update(display_name: Option<&str>, time_zone: Option<&str>) -> UpdateStore {
        UpdateStore {
            display_name: display_name.map(str::to_owned),
            time_zone: time_zone.map(|name| TimeZone::parse(name).unwrap()),
            over_receipt_tolerance: None,
            allow_negative_stock: None,
            allow_unlisted_items: None,
        }
    }

    #[test]
    fn only_what_is_named_and_differs_is_changed() {
        for (name, zone, detail) in [
            (None, None, ""),
            (Some("First"), Some("Europe/Amsterdam"), ""),
            (Some("Corner"), None, r#"{"display_name":"Corner","time_zone":null}"#),
            (Some("First"), Some("Asia/Tokyo"), r#"{"display_name":null,"time_zone":"Asia/Tokyo"}"#),
        ] {
            let mut store = TestStore::new();
            let event = store.accept(update(name, zone));
            assert_eq!(store.event_details().concat(), detail);
            assert_eq!(event, if detail.is_empty() { 0 } else { 11 });
            let row = store.row();
            assert_eq!(row.display_name, name.unwrap_or("First"));
            assert_eq!(row.time_zone.name(), zone.unwrap_or("Europe/Amsterdam"));
        }
    }

    #[test]
    fn a_tolerance_counts_from_now_on() {
        let mut store = TestStore::new();
        let twelve = Tolerance::parse("12.5");
        store.accept(UpdateStore { over_receipt_tolerance: twelve, ..update(None, None) });
        assert_eq!(
            store.event_details(),
            [r#"{"display_name":null,"time_zone":null,"over_receipt_tolerance":"12.5"}"#]
        );
        assert_eq!(Some(store.row().over_receipt_tolerance), twelve);
        assert_eq!(store.accept(UpdateStore { over_receipt_tolerance: twelve, ..update(None, None) }), 0);
    }

    #[test]
    fn negative_stock_is_allowed_and_forbidden_again() {
        let mut store = TestStore::new();
        for (allow, detail) in [
            (false, ""),
            (true, r#"{"display_name":null,"time_zone":null,"allow_negative_stock":true}"#),
            (true, ""),
            (false, r#"{"display_name":null,"time_zone":null,"allow_negative_stock":false}"#),
        ] {
            store.accept(UpdateStore { allow_negative_stock: Some(allow), ..update(None, None) });
            assert_eq!(store.event_details().concat(), detail);
            assert_eq!(store.row().allow_negative_stock, allow);
        }
    }

    #[test]
    fn unlisted_items_are_allowed_and_forbidden_again() {
        let mut store = TestStore::new();
        for (allow, detail) in [
            (false, ""),
            (true, r#"{"display_name":null,"time_zone":null,"allow_unlisted_items":true}"#),
            (true, ""),
            (false, r#"{"display_name":null,"time_zone":null,"allow_unlisted_items":false}"#),
        ] {
            store.accept(UpdateStore { allow_unlisted_items: Some(allow), ..update(None, None) });
            assert_eq!(store.event_details().concat(), detail);
            assert_eq!(store.row().allow_unlisted_items, allow);
        }
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::missing();
        assert_eq!(store.refuse(update(Some("Corner"), None)), "STORE_NOT_FOUND");
        store.call_as("ann");
        assert_eq!(store.refuse(update(Some("Corner"), None)), "NO_STORE_ACCESS");
        let mut store = TestStore::new();
        store.call_with(&[Permission::ManageAccess]);
        assert_eq!(store.refuse(update(Some("Corner"), None)), "PERMISSION_MISSING");
        store.call_as_operator();
        store.accept(update(Some("Corner"), None));
    }
}
