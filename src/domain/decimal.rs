//! Exact decimals with at most 4 places, as ten-thousandths in an integer. The one place that reads
//! and writes their text form.

/// How many of the stored integers make one unit: quantities and costs are stored in ten-thousandths.
pub const SCALE: i64 = 10_000;

/// How many decimal places fit into [`SCALE`].
const PLACES: usize = 4;

/// The accepted form in words, for messages to callers.
pub const FORM: &str = "a plain decimal such as 12 or 2.5, with 4 places at most";

/// Reads `(0|[1-9][0-9]*)(\.[0-9]{1,4})?` into ten-thousandths.
///
/// `None` if the text has another form or does not fit.
pub fn parse(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let canonical = whole == "0" || !whole.starts_with('0');
    if !canonical || !is_digits(whole) || !fraction.is_none_or(|f| is_digits(f) && f.len() <= PLACES) {
        return None;
    }
    // Read as an integer of ten-thousandths: a float would not hold every value exactly.
    let fraction = fraction.unwrap_or("0");
    let padded = format!("{fraction:0<PLACES$}");
    whole.parse::<i64>().ok()?.checked_mul(SCALE)?.checked_add(padded.parse().ok()?)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Writes ten-thousandths canonically, without trailing zeros and without a bare point.
pub fn format(value: i64) -> String {
    format_scaled(i128::from(value), PLACES)
}

/// Writes an integer of `10^-places` canonically, for products that have more places than a quantity.
pub fn format_scaled(value: i128, places: usize) -> String {
    let scale = 10_u128.pow(places as u32);
    let sign = if value < 0 { "-" } else { "" };
    let whole = value.unsigned_abs() / scale;
    let fraction = value.unsigned_abs() % scale;
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:0places$}");
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// Writes a whole number with commas between groups of three digits, as limits are told in messages.
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = if value < 0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_accepted_form_and_writes_it_canonically() {
        for (text, value, canonical) in [
            ("0", 0, "0"),
            ("12", 120_000, "12"),
            ("2.5", 25_000, "2.5"),
            ("2.5000", 25_000, "2.5"),
            ("0.0001", 1, "0.0001"),
            ("999999999.9999", 9_999_999_999_999, "999999999.9999"),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
            assert_eq!(format(value), canonical);
        }
    }

    #[test]
    fn whole_numbers_are_grouped_by_three_digits() {
        for (value, text) in
            [(0, "0"), (100, "100"), (-1_000, "-1,000"), (20_000, "20,000"), (900_000_000_000, "900,000,000,000")]
        {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn the_form_told_to_callers_names_the_places_that_are_read() {
        assert!(FORM.ends_with(&format!("with {PLACES} places at most")));
    }

    #[test]
    fn refuses_every_other_form() {
        for text in [
            "",
            " ",
            "-1",
            "+1",
            "1e3",
            "1,5",
            ".5",
            "5.",
            "05",
            "00",
            "1.00001",
            "1.",
            "٣",
            "1 ",
            "0x1",
            "NaN",
            "922337203685477.5808",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
