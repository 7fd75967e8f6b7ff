//! Parses the fields of a request and collects the violations of all of them, so that a caller learns
//! everything that is wrong with a request from one refusal.
//!
//! The limits of texts, quantities and lists are the domain's; this module reports which field broke one,
//! and in which words. Every list is looped over through [`FieldParser::capped`], which bounds the work.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use prost_types::{FieldMask, Timestamp as ProtoTimestamp};
use uuid::Uuid;

use super::caps::{self, Cap};
use crate::domain::code::{Code, PrincipalId, ProductId, RoleId, StoreId};
use crate::domain::decimal;
use crate::domain::money::{Amount, Currency, UnitCost};
use crate::domain::order::tolerance::Tolerance;
use crate::domain::order::{OrderId, OrderKey};
use crate::domain::pack::StatedQuantity;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, Violations};
use crate::domain::text;
use crate::domain::time::{Date, TimeZone, Timestamp};

/// What a list over stores is sent for a store: all stores of its caller. No store has this id.
const ALL_STORES: &str = "-";

/// The violations found so far. A field that breaks its rule yields a placeholder (empty text, zero, or what
/// was sent), so that the fields after it are judged too. [`FieldParser::finish`] must be called before a
/// parsed value is used: it refuses the request if any value is a placeholder.
#[derive(Debug, Default)]
pub struct FieldParser {
    violations: Violations,
}

impl FieldParser {
    /// Adds a violation. Only the first 20 are kept as text, so pass `format_args!` and not `format!`: the
    /// text of the others is never made.
    pub fn violation(&mut self, field: impl Display, rule: impl Display) {
        self.violations.add(field, rule);
    }

    /// Refuses the request if there are violations.
    pub fn finish(self) -> Result<(), Refusal> {
        self.violations.or_refuse(Refusal::Invalid)
    }

    /// The same for a value that has no placeholder: it is `None` only if it was a violation.
    pub fn finish_with<T>(self, parsed: Option<T>) -> Result<T, Refusal> {
        match parsed {
            Some(parsed) if self.violations.total == 0 => Ok(parsed),
            _ => Err(Refusal::Invalid(self.violations)),
        }
    }
}

/// Lists and update masks.
impl FieldParser {
    /// As many elements of a list as its cap allows. More, or too few, are a violation. The guard has counted
    /// long lists before decoding; this is the second line of defence, so loop over what it returns and
    /// not over the list.
    pub fn capped<'l, T>(&mut self, cap: Cap, list: &'l [T]) -> &'l [T] {
        if !cap.allows(list.len()) {
            self.violation(cap.path, cap.rule(list.len()));
        }
        list.get(..cap.most).unwrap_or(list)
    }

    /// The fields that an update changes: at least one, and only ones named in `fields`.
    pub fn mask<'m>(&mut self, mask: Option<&'m FieldMask>, fields: &[&str]) -> BTreeSet<&'m str> {
        let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
        if paths.is_empty() {
            self.violation("update_mask", format_args!("must name what changes: {}", fields.join(", ")));
        }
        let paths = self.capped(caps::MASK_PATHS, paths);
        for (index, path) in paths.iter().enumerate() {
            if !fields.contains(&path.as_str()) {
                let rule = format_args!("must be one of {}", fields.join(", "));
                self.violation(format_args!("update_mask.paths[{index}]"), rule);
            }
        }
        paths.iter().map(String::as_str).collect()
    }
}

/// Texts, codes and ids.
impl FieldParser {
    /// Text of one line and at most `max` bytes; may be empty.
    pub fn text(&mut self, field: impl Display, value: &str, max: usize) -> String {
        self.checked(field, text::line(value, max))
    }

    /// Text of one line and at most `max` bytes; `None` if it is empty.
    pub fn optional_text(&mut self, field: impl Display, value: &str, max: usize) -> Option<String> {
        Some(self.text(field, value, max)).filter(|text| !text.is_empty())
    }

    /// Text of one line and at most `max` bytes that says something.
    pub fn required_text(&mut self, field: impl Display, value: &str, max: usize) -> String {
        let text = text::line(value, max).and_then(|text| match text::is_blank(&text) {
            true => Err("must not be blank".to_owned()),
            false => Ok(text),
        });
        self.checked(field, text)
    }

    /// A note: text that may have line feeds and tabs; `None` if it is empty.
    pub fn note(&mut self, field: impl Display, value: &str) -> Option<String> {
        Some(self.checked(field, text::note(value, text::MAX_NOTE))).filter(|text| !text.is_empty())
    }

    /// A reason: a note that is not blank; `None` if it is empty. A caller that requires one must test the
    /// text of the request and not this result, or a reason that breaks a rule would be reported as missing
    /// as well.
    pub fn reason(&mut self, field: impl Display, value: &str) -> Option<String> {
        match text::note(value, text::MAX_NOTE) {
            Ok(reason) if reason.is_empty() => return None,
            Ok(reason) if !text::is_blank(&reason) => return Some(reason),
            Ok(_) => self.violation(field, "must not be blank"),
            Err(rule) => self.violation(field, rule),
        }
        None
    }

    /// A reason that must not be empty.
    pub fn required_reason(&mut self, field: impl Display, value: &str) -> String {
        if value.is_empty() {
            self.violation(&field, "is required");
        }
        self.reason(field, value).unwrap_or_default()
    }

    /// A code (see `text::code`) of at most `max` bytes that must not be empty.
    fn code(&mut self, field: impl Display, value: &str, max: usize) -> String {
        // Empty text breaks no rule of `text::code`, so it is one violation and not two.
        if value.is_empty() {
            self.violation(&field, "is required");
        }
        self.checked(field, text::code(value, max))
    }

    fn optional_code(&mut self, field: impl Display, value: &str, max: usize) -> Option<String> {
        Some(self.checked(field, text::code(value, max))).filter(|code| !code.is_empty())
    }

    fn checked(&mut self, field: impl Display, text: Result<String, String>) -> String {
        text.unwrap_or_else(|rule| {
            self.violation(field, rule);
            String::new()
        })
    }

    fn label<K>(&mut self, field: impl Display, value: &str) -> Code<K> {
        if !text::is_label(value) {
            self.violation(field, "must be 1 to 63 of the characters a-z, 0-9 and -");
        }
        Code::new(value)
    }

    /// The id of the store that the request is about.
    pub fn store_id(&mut self, value: &str) -> StoreId {
        self.store_id_of("store_id", value)
    }

    /// The id of one of the stores that a request is about.
    pub fn store_id_of(&mut self, field: impl Display, value: &str) -> StoreId {
        // A label by its characters, so it must be refused by itself.
        if value == ALL_STORES {
            self.violation(&field, "must not be \"-\", which stands for all stores where a list says so");
        }
        self.label(field, value)
    }

    /// The id of the store that a list over stores is about; `None` for all stores of the caller.
    pub fn store_selection(&mut self, value: &str) -> Option<StoreId> {
        (value != ALL_STORES).then(|| self.store_id(value))
    }

    /// The id of a role of that store.
    pub fn role_id(&mut self, value: &str) -> RoleId {
        self.label("role_id", value)
    }

    /// A product's code, which must not be empty.
    pub fn product_id(&mut self, field: impl Display, value: &str) -> ProductId {
        ProductId::new(self.code(field, value, text::MAX_CODE))
    }

    /// A product's code; `None` if it is empty, as in a filter that is not set.
    pub fn optional_product_id(&mut self, field: impl Display, value: &str) -> Option<ProductId> {
        self.optional_code(field, value, text::MAX_CODE).map(ProductId::new)
    }

    /// The code of a lot, which must not be empty.
    pub fn lot_code(&mut self, field: impl Display, value: &str) -> String {
        self.code(field, value, text::MAX_CODE)
    }

    /// A supplier's code, which must not be empty.
    pub fn supplier_id(&mut self, field: impl Display, value: &str) -> String {
        self.code(field, value, text::MAX_CODE)
    }

    /// A supplier's code; `None` if it is empty, as in a filter that is not set.
    pub fn optional_supplier_id(&mut self, field: impl Display, value: &str) -> Option<String> {
        self.optional_code(field, value, text::MAX_CODE)
    }

    /// A code of the caller's or the supplier's own; `None` if it is empty.
    pub fn optional_own_code(&mut self, field: impl Display, value: &str) -> Option<String> {
        self.optional_code(field, value, text::MAX_CODE)
    }

    /// A principal's name, which must not be empty.
    pub fn principal(&mut self, field: impl Display, value: &str) -> PrincipalId {
        PrincipalId::new(self.code(field, value, text::MAX_DESCRIPTION))
    }

    /// A principal's name; `None` if it is empty, as in a filter that is not set.
    pub fn optional_principal(&mut self, field: impl Display, value: &str) -> Option<PrincipalId> {
        self.optional_code(field, value, text::MAX_DESCRIPTION).map(PrincipalId::new)
    }

    /// The id of the purchase order that a request is about.
    pub fn order_id(&mut self, value: &str) -> OrderId {
        self.order_id_at("purchase_order_id", value).unwrap_or(OrderId(Uuid::nil()))
    }

    /// A purchase order's id; `None` if it is a violation. Callers often send its number, so the violation says
    /// how to find the id.
    pub fn order_id_at(&mut self, field: impl Display, value: &str) -> Option<OrderId> {
        let id = parse_uuid(value);
        if id.is_none() {
            self.violation(
                field,
                "must be a purchase order's id, a UUID; to find it by number (PO-000001), use ListPurchaseOrders",
            );
        }
        id.map(OrderId)
    }

    /// Which order a request is about: its store and its id.
    pub fn order_key(&mut self, store_id: &str, purchase_order_id: &str) -> OrderKey {
        OrderKey { store: self.store_id(store_id), order: self.order_id(purchase_order_id) }
    }

    /// A global trade item number (the number under a bar code); `None` if it is empty.
    pub fn gtin(&mut self, field: impl Display, value: &str) -> Option<String> {
        if !value.is_empty() && !text::is_gtin(value) {
            self.violation(field, "must be 8, 12, 13 or 14 digits, the last of which is the right check digit");
        }
        Some(value.to_owned()).filter(|gtin| !gtin.is_empty())
    }
}

/// An element of a list in a request, such as `lines[3]`.
#[derive(Clone, Copy)]
pub struct Element {
    list: &'static str,
    index: usize,
}

impl Element {
    /// The element at `index` of the field `list`.
    pub fn new(list: &'static str, index: usize) -> Self {
        Self { list, index }
    }

    /// The path of one of its fields.
    pub fn field(self, field: &'static str) -> ElementField {
        ElementField { element: self, field }
    }

    /// The path of a field of an element of a list in it.
    pub fn nested(self, list: &'static str, index: usize, field: &'static str) -> NestedField {
        NestedField { element: self, nested: ElementField { element: Element { list, index }, field } }
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.list, self.index)
    }
}

/// The path of a field of an element, such as `lines[3].quantity`. Its text is made only when a violation
/// is reported: a request of 5,000 lines has tens of thousands of such paths.
#[derive(Clone, Copy)]
pub struct ElementField {
    element: Element,
    field: &'static str,
}

impl Display for ElementField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.element, self.field)
    }
}

/// The path of a field of an element of a list within a list, such as `items[3].lots[0].quantity`.
#[derive(Clone, Copy)]
pub struct NestedField {
    element: Element,
    nested: ElementField,
}

impl Display for NestedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.element, self.nested)
    }
}

/// Quantities, costs, numbers of lines and receipts, enums.
impl FieldParser {
    /// A quantity that must be set; it may be zero.
    pub fn quantity(&mut self, field: impl Display, value: Option<&str>) -> Quantity {
        if value.is_none() {
            self.violation(&field, "is required");
        }
        self.quantity_or_zero(field, value)
    }

    /// A quantity; unset means zero.
    pub fn quantity_or_zero(&mut self, field: impl Display, value: Option<&str>) -> Quantity {
        self.optional_quantity(field, value).unwrap_or(Quantity::ZERO)
    }

    /// A quantity; `None` if it is unset.
    pub fn optional_quantity(&mut self, field: impl Display, value: Option<&str>) -> Option<Quantity> {
        value.map(|text| {
            Quantity::parse(text).unwrap_or_else(|| {
                self.violation(field, decimal_rule(Quantity::PLACES, Quantity::MAX));
                Quantity::ZERO
            })
        })
    }

    /// A quantity in units, in packs or in both. Whether the two agree is judged with the size of a pack.
    pub fn stated_quantity(
        &mut self,
        (units_field, units): (impl Display, Option<&str>),
        (packs_field, packs): (impl Display, Option<&str>),
    ) -> StatedQuantity {
        let units = self.optional_quantity(units_field, units);
        StatedQuantity { units, packs: self.optional_quantity(packs_field, packs) }
    }

    /// How many units are in a pack; `None` if it is unset, or a violation.
    pub fn pack_size(&mut self, field: impl Display, value: Option<&str>) -> Option<Quantity> {
        let size = self.optional_quantity(&field, value)?;
        // A size that could not be read is zero too, and a violation already.
        if !size.is_positive() && value.and_then(Quantity::parse).is_some() {
            self.violation(field, "must be above zero");
        }
        Some(size).filter(|size| size.is_positive())
    }

    /// The cost of a unit or a pack; `None` if it is unset. It may be zero.
    pub fn optional_cost(&mut self, field: impl Display, value: Option<&str>) -> Option<UnitCost> {
        value.map(|text| {
            UnitCost::parse(text).unwrap_or_else(|| {
                self.violation(field, decimal_rule(UnitCost::PLACES, UnitCost::MAX));
                UnitCost::default()
            })
        })
    }

    /// An amount that must be set; it may be zero.
    pub fn amount(&mut self, field: impl Display, value: Option<&str>) -> Amount {
        let Some(text) = value else {
            self.violation(field, "is required");
            return Amount::ZERO;
        };
        Amount::parse(text).unwrap_or_else(|| {
            self.violation(field, decimal_rule(Amount::PLACES, Amount::MAX));
            Amount::ZERO
        })
    }

    /// An over-receipt tolerance in per cent.
    pub fn tolerance(&mut self, field: impl Display, text: &str) -> Tolerance {
        Tolerance::parse(text).unwrap_or_else(|| {
            self.violation(field, decimal_rule(Tolerance::PLACES, Tolerance::MAX));
            Tolerance::default()
        })
    }

    /// A line's number. Whether the order has such a line is judged with the order.
    pub fn line_number(&mut self, field: impl Display, value: i32) -> i32 {
        if value < 1 {
            self.violation(field, "must be the number of a line: 1 or more");
        }
        value
    }

    /// A receipt's number. Whether the order has such a receipt is judged with the order.
    pub fn receipt_number(&mut self, value: i32) -> i32 {
        if value < 1 {
            self.violation("receipt_number", "must be the number of a receipt: 1 or more");
        }
        value
    }

    /// A value of a fixed set; `None` is a violation, and `what` says what the field must be.
    pub fn known<T>(&mut self, field: impl Display, value: Option<T>, what: &str) -> Option<T> {
        if value.is_none() {
            self.violation(field, format_args!("must be {what}"));
        }
        value
    }
}

/// The rule of a decimal field, for a value that breaks it.
fn decimal_rule(places: u32, max: impl Display) -> String {
    format!("must be {}, up to {max}", decimal::form(places))
}

/// Dates, times, currencies and time zones.
impl FieldParser {
    /// A date; `None` if it is empty.
    pub fn date(&mut self, field: impl Display, value: &str) -> Option<Date> {
        let date = Date::parse(value);
        if date.is_none() && !value.is_empty() {
            self.violation(field, "must be a date that exists, as YYYY-MM-DD");
        }
        date
    }

    /// An instant to be stored; `None` if it is unset. Databases keep microseconds, so nanoseconds are cut off.
    pub fn time(&mut self, field: impl Display, value: Option<&ProtoTimestamp>) -> Option<Timestamp> {
        self.micros(field, value).map(|(micros, _)| Timestamp::from_micros(micros))
    }

    /// A bound that stored instants are compared with (from, before); `None` if it is unset. It is rounded up
    /// to a whole microsecond: stored instants have whole microseconds, so each is on the same side of the
    /// rounded bound as of the exact one.
    pub fn time_bound(&mut self, field: impl Display, value: Option<&ProtoTimestamp>) -> Option<Timestamp> {
        let (micros, nanos_left) = self.micros(field, value)?;
        Some(Timestamp::from_micros(micros + i64::from(nanos_left > 0)))
    }

    /// An instant as microseconds since 1970, and the nanoseconds beyond them.
    fn micros(&mut self, field: impl Display, value: Option<&ProtoTimestamp>) -> Option<(i64, i32)> {
        let value = value?;
        // From 0001-01-01 to 9999-12-31, the range of google.protobuf.Timestamp.
        let in_range = (-62_135_596_800..=253_402_300_799).contains(&value.seconds);
        if !in_range || !(0..1_000_000_000).contains(&value.nanos) {
            self.violation(field, "must be a time between the years 1 and 9999");
            return None;
        }
        // Within that range the product fits. Nanoseconds count forward before 1970 too, so cutting them off rounds
        // down.
        Some((value.seconds * 1_000_000 + i64::from(value.nanos) / 1_000, value.nanos % 1_000))
    }

    /// A currency that must be set; `None` is a violation that was added.
    pub fn currency(&mut self, field: impl Display, value: &str) -> Option<Currency> {
        self.known(field, Currency::parse(value), "an ISO 4217 code such as EUR")
    }

    /// A time zone that must be set; `None` is a violation that was added.
    pub fn time_zone(&mut self, field: impl Display, value: &str) -> Option<TimeZone> {
        self.known(field, TimeZone::parse(value), "a zone of the IANA database such as Europe/Amsterdam")
    }
}

/// A UUID in its usual form with hyphens, in upper or lower case. The parser would also take the braced, URN and
/// plain forms; one form keeps ids comparable as text.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    if text.len() != 36 {
        return None;
    }
    Uuid::try_parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(parse: impl FnOnce(&mut FieldParser)) -> Vec<String> {
        let mut fields = FieldParser::default();
        parse(&mut fields);
        fields.violations.first.iter().map(|violation| format!("{} {}", violation.field, violation.rule)).collect()
    }

    #[test]
    fn a_bound_within_a_microsecond_is_its_end() {
        for (nanos, stored, bound) in
            [(0, 0, 0), (1, 0, 1), (999, 0, 1), (1_000, 1, 1), (999_999_999, 999_999, 1_000_000)]
        {
            for seconds in [-1, 0, 1_772_442_000] {
                let (at, mut fields) = (ProtoTimestamp { seconds, nanos }, FieldParser::default());
                let micros = |extra: i64| Some(Timestamp::from_micros(seconds * 1_000_000 + extra));
                assert_eq!(fields.time("t", Some(&at)), micros(stored), "{seconds} {nanos}");
                assert_eq!(fields.time_bound("t", Some(&at)), micros(bound), "{seconds} {nanos}");
            }
        }
    }

    #[test]
    fn one_mistake_is_one_violation() {
        for text in ["", " ", "\u{A0}", "\u{3000}", "a\u{202E}b", "\u{1}"] {
            assert_eq!(violations(|fields| drop(fields.required_reason("reason", text))).len(), 1, "{text:?}");
            assert_eq!(violations(|fields| drop(fields.product_id("product_id", text))).len(), 1, "{text:?}");
            assert_eq!(violations(|fields| drop(fields.principal("principal", text))).len(), 1, "{text:?}");
        }
        assert_eq!(violations(|fields| drop(fields.required_reason("reason", "\tlate,\nsorry"))), Vec::<String>::new());
        assert_eq!(violations(|fields| drop(fields.reason("reason", "\n"))), ["reason must not be blank"]);
        assert_eq!(violations(|fields| drop(fields.reason("reason", ""))), Vec::<String>::new());
    }

    /// Parses a decimal, which may be unset; what it became.
    type ParseDecimal = fn(&mut FieldParser, Option<&str>) -> String;
    /// Parses a text; what it became is `None` if that is unset.
    type ParseText = fn(&mut FieldParser, &str) -> Option<String>;

    /// The kinds of texts, each with the bytes that it may have at most and whether it is required.
    const TEXTS: [(&str, ParseText, usize, bool); 12] = [
        ("optional text", |fields, text| fields.optional_text("f", text, 10), 10, false),
        ("note", |fields, text| fields.note("f", text), 1_000, false),
        ("reason", |fields, text| fields.reason("f", text), 1_000, false),
        ("required reason", |fields, text| Some(fields.required_reason("f", text)), 1_000, true),
        ("store", |fields, text| Some(fields.store_id(text).to_string()), 63, true),
        ("role", |fields, text| Some(fields.role_id(text).to_string()), 63, true),
        ("product", |fields, text| Some(fields.product_id("f", text).to_string()), 64, true),
        ("product filter", |fields, text| fields.optional_product_id("f", text).map(|id| id.to_string()), 64, false),
        ("supplier", |fields, text| Some(fields.supplier_id("f", text)), 64, true),
        ("supplier filter", |fields, text| fields.optional_supplier_id("f", text), 64, false),
        ("principal", |fields, text| Some(fields.principal("f", text).to_string()), 200, true),
        ("principal filter", |fields, text| fields.optional_principal("f", text).map(|id| id.to_string()), 200, false),
    ];

    #[test]
    fn a_text_is_as_long_as_its_field_allows() {
        for (kind, parse, most, _) in TEXTS {
            let (longest, mut fields) = ("a".repeat(most), FieldParser::default());
            assert_eq!(parse(&mut fields, &longest), Some(longest), "{kind}");
            assert_eq!(fields.finish(), Ok(()), "{kind}");
            let too_long = "a".repeat(most + 1);
            assert_eq!(violations(|fields| drop(parse(fields, &too_long))).len(), 1, "{kind}");
        }
        let mut fields = FieldParser::default();
        assert_eq!((fields.text("f", "0123456789", 10), fields.text("f", "", 10)), ("0123456789".into(), "".into()));
        assert_eq!(fields.text("f", "01234567890", 10), "", "a placeholder");
        assert_eq!(fields.violations.total, 1);
    }

    #[test]
    fn an_empty_text_is_unset_or_a_violation() {
        for (kind, parse, _, required) in TEXTS {
            let mut fields = FieldParser::default();
            let parsed = parse(&mut fields, "");
            assert_eq!(parsed.unwrap_or_default(), "", "{kind}");
            assert_eq!(fields.violations.total, usize::from(required), "{kind}");
        }
    }

    #[test]
    fn numbers_of_lines_and_receipts_begin_at_one() {
        for (number, allowed) in [(i32::MIN, false), (-1, false), (0, false), (1, true), (i32::MAX, true)] {
            let mut fields = FieldParser::default();
            assert_eq!((fields.line_number("line", number), fields.receipt_number(number)), (number, number));
            assert_eq!(fields.violations.total, if allowed { 0 } else { 2 }, "{number}");
        }
    }

    #[test]
    fn decimals_that_are_not_set_are_zero_or_a_violation() {
        for (value, quantity, or_zero, amount) in [
            (None, None, Some("0"), None),
            (Some(""), None, None, None),
            (Some("0"), Some("0"), Some("0"), Some("0")),
            (Some("2.50"), Some("2.5"), Some("2.5"), Some("2.5")),
            (Some("-1"), None, None, None),
            (Some("999999999.9999"), Some("999999999.9999"), Some("999999999.9999"), Some("999999999.9999")),
            (Some("1000000000"), None, None, Some("1000000000")),
            (Some("100000000000"), None, None, Some("100000000000")),
            (Some("100000000000.0001"), None, None, None),
        ] {
            let kinds: [(ParseDecimal, Option<&str>); 3] = [
                (|fields, value| fields.quantity("f", value).to_string(), quantity),
                (|fields, value| fields.quantity_or_zero("f", value).to_string(), or_zero),
                (|fields, value| fields.amount("f", value).to_string(), amount),
            ];
            for (index, (parse, expected)) in kinds.into_iter().enumerate() {
                let mut fields = FieldParser::default();
                let parsed = parse(&mut fields, value);
                assert_eq!(fields.finish_with(Some(parsed)).ok().as_deref(), expected, "{value:?}, kind {index}");
            }
        }
    }

    #[test]
    fn times_are_of_the_years_1_to_9999() {
        for (seconds, nanos, allowed) in [
            (-62_135_596_801, 0, false),
            (-62_135_596_800, 0, true),
            (253_402_300_799, 999_999_999, true),
            (253_402_300_800, 0, false),
            (0, -1, false),
            (0, 1_000_000_000, false),
        ] {
            let (at, mut fields) = (ProtoTimestamp { seconds, nanos }, FieldParser::default());
            assert_eq!(fields.time("t", Some(&at)).is_some(), allowed, "{seconds} {nanos}");
            assert_eq!(fields.time_bound("t", Some(&at)).is_some(), allowed, "{seconds} {nanos}");
            assert_eq!(fields.violations.total, if allowed { 0 } else { 2 }, "{seconds} {nanos}");
        }
        let mut fields = FieldParser::default();
        assert_eq!((fields.time("t", None), fields.time_bound("t", None)), (None, None));
        assert_eq!(fields.finish(), Ok(()), "an unset time is none");
    }

    #[test]
    fn dates_item_numbers_currencies_and_zones_are_real() {
        let kinds: [(ParseText, &[(&str, bool)]); 4] = [
            (
                |fields, text| fields.date("f", text).map(|date| date.to_string()),
                &[("2026-02-28", true), ("2026-02-29", false), ("28.2.2026", false)],
            ),
            (|fields, text| fields.gtin("f", text), &[("4006381333931", true), ("4006381333932", false), ("1", false)]),
            (
                |fields, text| fields.currency("f", text).map(|currency| currency.code().to_owned()),
                &[("EUR", true), ("eur", false), ("", false)],
            ),
            (
                |fields, text| fields.time_zone("f", text).map(|_| text.to_owned()),
                &[("Europe/Amsterdam", true), ("Europe/Utopia", false), ("", false)],
            ),
        ];
        for (parse, cases) in kinds {
            for (text, allowed) in cases {
                let mut fields = FieldParser::default();
                let parsed = parse(&mut fields, text);
                let result = fields.finish_with(parsed);
                assert_eq!(result.ok().as_deref(), allowed.then_some(*text), "{text:?}");
            }
        }
        assert_eq!(
            violations(|fields| assert_eq!((fields.date("f", ""), fields.gtin("f", "")), (None, None))),
            [""; 0]
        );
    }

    #[test]
    fn an_id_is_a_uuid_in_its_form_with_hyphens() {
        let id = Uuid::from_u128(0x0193_7B5C_0000_7000_8000_0000_0000_00AB);
        for (text, allowed) in [
            (id.hyphenated().to_string(), true),
            (id.hyphenated().to_string().to_uppercase(), true),
            (id.simple().to_string(), false),
            (id.braced().to_string(), false),
            (id.urn().to_string(), false),
            (id.hyphenated().to_string().replace('a', "g"), false),
            ("PO-000001".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(parse_uuid(&text), allowed.then_some(id), "{text}");
            let mut fields = FieldParser::default();
            let key = fields.order_key("north", &text);
            assert_eq!((key.store.as_str(), key.order.0), ("north", if allowed { id } else { Uuid::nil() }));
            assert_eq!(fields.violations.total, usize::from(!allowed), "{text}");
        }
    }

    #[test]
    fn no_more_of_a_list_is_looped_over_than_its_cap() {
        let cap = Cap { path: "list", least: 1, most: 3 };
        for (count, looped, broken) in [(0, 0, 1), (1, 1, 0), (3, 3, 0), (4, 3, 1)] {
            let (list, mut fields) = (vec![(); count], FieldParser::default());
            assert_eq!(fields.capped(cap, &list).len(), looped, "{count}");
            assert_eq!(fields.violations.total, broken, "{count}");
        }
    }

    #[test]
    fn an_update_mask_names_something_and_nothing_unknown() {
        for (paths, expected) in [
            (None, vec!["update_mask must name what changes: note, lines"]),
            (Some(&[][..]), vec!["update_mask must name what changes: note, lines"]),
            (Some(&["note"]), vec![]),
            (Some(&["lines", "note", "lines"]), vec![]),
            (Some(&["note", "state"]), vec!["update_mask.paths[1] must be one of note, lines"]),
        ] {
            let mask = paths.map(|paths| FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() });
            let named = paths.into_iter().flatten().copied().collect();
            let told = violations(|fields| assert_eq!(fields.mask(mask.as_ref(), &["note", "lines"]), named));
            assert_eq!(told, expected, "{paths:?}");
        }
    }

    #[test]
    fn a_request_with_a_violation_is_refused_whatever_was_parsed() {
        for (violated, parsed, accepted) in
            [(false, Some(1), true), (true, Some(1), false), (false, None, false), (true, None, false)]
        {
            let mut fields = FieldParser::default();
            if violated {
                fields.violation("f", "is wrong");
            }
            assert_eq!(fields.finish_with(parsed).is_ok(), accepted, "{violated} {parsed:?}");
        }
    }
}
