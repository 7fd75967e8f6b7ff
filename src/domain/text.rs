//! What caller-given text may be: in normal form C, without control or bidirectional control
//! characters, and no longer than its field allows, in bytes.

use unicode_normalization::UnicodeNormalization;

/// Bytes of a product, supplier or similar code.
pub const MAX_CODE: usize = 64;
/// Bytes of a description, reference or principal.
pub const MAX_DESCRIPTION: usize = 200;
/// Bytes of a note or reason.
pub const MAX_NOTE: usize = 1_000;

/// Brings text into normal form C and checks it; the error is the rule that it breaks. Text that is too
/// long is not normalised to its end: a message has room for megabytes of it.
pub fn bounded(text: &str, max: usize) -> Result<String, String> {
    let text = normalised(text, max).ok_or_else(|| format!("is longer than {max} bytes"))?;
    if let Some(c) = text.chars().find(|c| is_control(*c)) {
        return Err(format!("holds the control character U+{:04X}", u32::from(c)));
    }
    Ok(text)
}

/// Text becomes shorter by normal form C, at most to a third of its bytes (a syllable of Hangul). What is
/// longer than this many times its bound is too long in any form.
const SHORTENED: usize = 4;

/// Text in normal form C; `None` if that has more than `max` bytes.
fn normalised(text: &str, max: usize) -> Option<String> {
    if text.is_ascii() {
        return (text.len() <= max).then(|| text.to_owned());
    }
    if text.len() > max * SHORTENED {
        return None;
    }
    let mut normalised = String::with_capacity(text.len());
    for c in text.nfc() {
        normalised.push(c);
        if normalised.len() > max {
            return None;
        }
    }
    Some(normalised)
}

fn is_control(c: char) -> bool {
    let bidirectional =
        matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    c.is_control() || bidirectional
}

/// Whether text is `[a-z0-9-]{1,63}`, as store and role ids are.
pub fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether text is a GTIN of 8, 12, 13 or 14 digits whose last digit checks the others
/// (GS1 General Specifications, section 7.9).
pub fn is_gtin(text: &str) -> bool {
    if !matches!(text.len(), 8 | 12 | 13 | 14) || !text.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let weighted = text.bytes().rev().enumerate().map(|(i, b)| u32::from(b - b'0') * if i % 2 == 0 { 1 } else { 3 });
    weighted.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_brought_into_normal_form_before_it_is_measured() {
        assert_eq!(bounded("e\u{301}", 2), Ok("é".to_owned()));
        assert!(bounded("ééé", 5).is_err());
        assert_eq!(bounded(&"\u{1112}\u{1161}\u{11ab}".repeat(10), 30), Ok("한".repeat(10)));
        for long in ["a".repeat(11), "\u{301}".repeat(1_000_000), "\u{1d161}".repeat(5)] {
            assert_eq!(bounded(&long, 10), Err("is longer than 10 bytes".to_owned()));
        }
    }

    #[test]
    fn no_character_is_more_than_three_times_as_long_in_parts() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let parts: usize = c.nfd().map(char::len_utf8).sum();
            let composed: usize = c.nfd().nfc().map(char::len_utf8).sum();
            assert!(parts <= 3 * composed, "{c:?}: {parts} bytes become {composed}");
        }
    }

    #[test]
    fn controls_are_refused() {
        for text in ["a\0", "a\nb", "\u{202E}abc", "\u{2066}", "\u{85}", "\u{7f}"] {
            assert!(bounded(text, 100).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_gtin_checks_its_last_digit() {
        for good in ["96385074", "036000291452", "4006381333931", "10012345678902"] {
            assert!(is_gtin(good), "{good}");
        }
        for bad in ["4006381333932", "400638133393", "", "123", "400638133393a"] {
            assert!(!is_gtin(bad), "{bad}");
        }
    }

    #[test]
    fn a_label_is_lower_case_and_short() {
        assert!(is_label("store-1") && is_label(&"a".repeat(63)));
        for bad in ["", "Store", "a_b", "é", &"a".repeat(64)] {
            assert!(!is_label(bad), "{bad}");
        }
    }
}
