//! Parsing requests: every field is judged by itself, and all violations are collected before the
//! first is reported.

use std::collections::BTreeSet;

use prost_types::{FieldMask, Timestamp as ProtoTimestamp};
use uuid::Uuid;

use crate::domain::code::{Code, PrincipalId, ProductId, RoleId, StoreId};
use crate::domain::decimal;
use crate::domain::money::{Currency, UnitCost};
use crate::domain::order::OrderId;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, Violation};
use crate::domain::text;
use crate::domain::time::{Date, TimeZone, Timestamp};

/// Violations found so far. A field that breaks its rule yields a stand-in, so that the others are
/// judged too; [`Form::finish`] refuses before anybody uses it.
#[derive(Debug, Default)]
pub struct Form {
    violations: Vec<Violation>,
}

impl Form {
    /// Notes a violation.
    pub fn violation(&mut self, field: impl Into<String>, rule: impl Into<String>) {
        self.violations.push(Violation::new(field, rule));
    }

    /// Refuses if anything was noted.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.violations.is_empty() { Ok(()) } else { Err(Refusal::Invalid(self.violations)) }
    }

    /// Refuses if anything was noted; otherwise `parsed`, which is there unless something was.
    pub fn finish_with<T>(self, parsed: Option<T>) -> Result<T, Refusal> {
        match parsed {
            Some(parsed) if self.violations.is_empty() => Ok(parsed),
            _ => Err(Refusal::Invalid(self.violations)),
        }
    }
}

/// Updates.
impl Form {
    /// The fields that an update changes: at least one, and none but these.
    pub fn mask<'m>(&mut self, mask: Option<&'m FieldMask>, fields: &[&str]) -> BTreeSet<&'m str> {
        let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
        if paths.is_empty() {
            self.violation("update_mask", format!("must name what changes: {}", fields.join(", ")));
        }
        for (index, path) in paths.iter().enumerate() {
            if !fields.contains(&path.as_str()) {
                self.violation(format!("update_mask.paths[{index}]"), format!("must be one of {}", fields.join(", ")));
            }
        }
        paths.iter().map(String::as_str).collect()
    }
}

/// Text.
impl Form {
    /// Text of at most `max` bytes; may be empty.
    pub fn text(&mut self, field: &str, value: &str, max: usize) -> String {
        text::bounded(value, max).unwrap_or_else(|rule| {
            self.violation(field, rule);
            String::new()
        })
    }

    /// Text of at most `max` bytes that must be there.
    pub fn required_text(&mut self, field: &str, value: &str, max: usize) -> String {
        if value.is_empty() {
            self.violation(field, "is required");
        }
        self.text(field, value, max)
    }

    /// Text of at most `max` bytes, if there is any.
    pub fn optional_text(&mut self, field: &str, value: &str, max: usize) -> Option<String> {
        Some(self.text(field, value, max)).filter(|text| !text.is_empty())
    }

    fn label<K>(&mut self, field: &str, value: &str) -> Code<K> {
        if !text::is_label(value) {
            self.violation(field, "must be 1 to 63 of the characters a-z, 0-9 and -");
        }
        Code::new(value)
    }

    /// A store's id.
    pub fn store_id(&mut self, value: &str) -> StoreId {
        self.label("store_id", value)
    }

    /// A role's id.
    pub fn role_id(&mut self, value: &str) -> RoleId {
        self.label("role_id", value)
    }

    /// A product's code.
    pub fn product_id(&mut self, field: &str, value: &str) -> ProductId {
        ProductId::new(self.required_text(field, value, text::MAX_CODE))
    }

    /// A principal's name.
    pub fn principal(&mut self, field: &str, value: &str) -> PrincipalId {
        PrincipalId::new(self.required_text(field, value, text::MAX_DESCRIPTION))
    }

    /// An order's id.
    pub fn order_id(&mut self, value: &str) -> OrderId {
        OrderId(parse_uuid(value).unwrap_or_else(|| {
            self.violation(
                "purchase_order_id",
                "must be a purchase order's id, a UUID; its number (PO-000001) is found with ListPurchaseOrders",
            );
            Uuid::nil()
        }))
    }

    /// A trade item number, if there is one.
    pub fn gtin(&mut self, field: &str, value: &str) -> Option<String> {
        if !value.is_empty() && !text::is_gtin(value) {
            self.violation(field, "must be 8, 12, 13 or 14 digits, the last of which is the right check digit");
        }
        Some(value.to_owned()).filter(|gtin| !gtin.is_empty())
    }
}

/// Numbers.
impl Form {
    /// A quantity that must be there.
    pub fn quantity(&mut self, field: &str, value: Option<&str>) -> Quantity {
        if value.is_none() {
            self.violation(field, "is required");
        }
        self.quantity_or_zero(field, value)
    }

    /// A quantity; unset means zero.
    pub fn quantity_or_zero(&mut self, field: &str, value: Option<&str>) -> Quantity {
        let Some(text) = value else { return Quantity::ZERO };
        Quantity::parse(text).unwrap_or_else(|| {
            self.violation(field, decimal_rule("999,999,999.9999"));
            Quantity::ZERO
        })
    }

    /// A unit cost that must be there.
    pub fn unit_cost(&mut self, field: &str, value: Option<&str>) -> UnitCost {
        match value.map(UnitCost::parse) {
            Some(Some(cost)) => return cost,
            Some(None) => self.violation(field, decimal_rule("1,000,000,000")),
            None => self.violation(field, "is required"),
        }
        UnitCost::default()
    }

    /// A line's number.
    pub fn line_number(&mut self, field: &str, value: i32) -> i32 {
        if value < 1 {
            self.violation(field, "must be the number of a line: 1 or more");
        }
        value
    }

    /// A receipt's number.
    pub fn receipt_number(&mut self, value: i32) -> i32 {
        if value < 1 {
            self.violation("receipt_number", "must be the number of a receipt: 1 or more");
        }
        value
    }

    /// An enum value that must be a known one and not unspecified.
    pub fn known<T>(&mut self, field: &str, value: Option<T>, what: &str) -> Option<T> {
        if value.is_none() {
            self.violation(field, format!("must be {what}"));
        }
        value
    }
}

fn decimal_rule(max: &str) -> String {
    format!("must be {}, up to {max}", decimal::FORM)
}

/// Dates, times, currencies.
impl Form {
    /// A date, if there is one.
    pub fn date(&mut self, field: &str, value: &str) -> Option<Date> {
        let date = Date::parse(value);
        if date.is_none() && !value.is_empty() {
            self.violation(field, "must be a date that exists, as YYYY-MM-DD");
        }
        date
    }

    /// An instant, if there is one; nanoseconds are cut to microseconds.
    pub fn time(&mut self, field: &str, value: Option<&ProtoTimestamp>) -> Option<Timestamp> {
        let value = value?;
        // From 0001-01-01 to 9999-12-31, as google.protobuf.Timestamp says.
        let in_range = (-62_135_596_800..=253_402_300_799).contains(&value.seconds);
        if !in_range || !(0..1_000_000_000).contains(&value.nanos) {
            self.violation(field, "must be a time between the years 1 and 9999");
            return None;
        }
        Some(Timestamp::from_micros(value.seconds * 1_000_000 + i64::from(value.nanos) / 1_000))
    }

    /// A currency that must be there.
    pub fn currency(&mut self, field: &str, value: &str) -> Option<Currency> {
        self.known(field, Currency::parse(value), "an ISO 4217 code such as EUR")
    }

    /// A time zone that must be there.
    pub fn time_zone(&mut self, field: &str, value: &str) -> Option<TimeZone> {
        self.known(field, TimeZone::parse(value), "a zone of the IANA database such as Europe/Amsterdam")
    }
}

/// A UUID in its usual form, in either case.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}
