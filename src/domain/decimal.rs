//! Exact decimals with a fixed number of places, as integers of `10^-places`. The one place that reads
//! and writes their text form, and that rounds.

/// The integer of `10^-places` that makes one unit.
pub const fn scale(places: u32) -> i64 {
    10_i64.pow(places)
}

/// The accepted form in words, for messages to callers.
pub fn form(places: u32) -> String {
    format!("a plain decimal such as 12 or 2.5, with {places} places at most")
}

/// Reads `(0|[1-9][0-9]*)(\.[0-9]{1,places})?` into an integer of `10^-places`.
///
/// `None` if the text has another form or does not fit.
pub fn parse(text: &str, places: u32) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let canonical = whole == "0" || !whole.starts_with('0');
    if !canonical || !is_digits(whole) || !fraction.is_none_or(|f| is_digits(f) && f.len() <= places as usize) {
        return None;
    }
    // Read as an integer of the last place: a float would not hold every value exactly.
    let fraction = fraction.unwrap_or("0");
    // The fraction is filled up on the right: the 5 of 2.5 means 5,000 of the ten-thousandths.
    let padded = format!("{fraction:0<width$}", width = places as usize);
    whole.parse::<i64>().ok()?.checked_mul(scale(places))?.checked_add(padded.parse().ok()?)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Divides and rounds half to even, which favours neither direction over many roundings. The divisor is
/// above zero.
pub const fn divide_half_even(value: i128, divisor: i128) -> i128 {
    // Euclidean, so that the remainder is never below zero: it is compared with half of the divisor in the same
    // way for values below zero.
    let quotient = value.div_euclid(divisor);
    let twice_remainder = 2 * value.rem_euclid(divisor);
    if twice_remainder > divisor || (twice_remainder == divisor && quotient % 2 != 0) { quotient + 1 } else { quotient }
}

/// Writes an integer of `10^-places` canonically, without trailing zeros and without a bare point.
pub fn format(value: i128, places: u32) -> String {
    let scale = 10_u128.pow(places);
    // The sign is written apart, because a whole part of 0 cannot carry it.
    let sign = if value < 0 { "-" } else { "" };
    let whole = value.unsigned_abs() / scale;
    let fraction = value.unsigned_abs() % scale;
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:0width$}", width = places as usize);
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
            assert_eq!(parse(text, 4), Some(value), "{text}");
            assert_eq!(format(value.into(), 4), canonical);
        }
        assert_eq!(parse("0.000123", 6), Some(123));
        assert_eq!(format(-123, 6), "-0.000123");
    }

    #[test]
    fn halves_are_rounded_to_the_even_neighbour() {
        for (value, divisor, rounded) in [
            (10, 4, 2),
            (14, 4, 4),
            (11, 4, 3),
            (9, 4, 2),
            (-10, 4, -2),
            (-14, 4, -4),
            (-11, 4, -3),
            (5, 2, 2),
            (7, 2, 4),
            (0, 3, 0),
        ] {
            assert_eq!(divide_half_even(value, divisor), rounded, "{value} / {divisor}");
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
            assert_eq!(parse(text, 4), None, "{text:?}");
        }
    }
}
