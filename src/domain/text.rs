//! What caller-given text may be: in normal form C, no longer than its field allows in bytes, and
//! without characters that hide or reorder what a person reads.
//!
//! There are three kinds. A *note* is text of several lines: notes and reasons. A *line* is text of one
//! line: descriptions, references, names. A *code* identifies something, so that two codes that look
//! the same must be the same: no invisible characters, and no blanks but single spaces between words.

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use unicode_normalization::UnicodeNormalization;

/// Bytes of a product, supplier or similar code.
pub const MAX_CODE: usize = 64;
/// Bytes of a description, reference or principal.
pub const MAX_DESCRIPTION: usize = 200;
/// Bytes of a note or reason.
pub const MAX_NOTE: usize = 1_000;
/// Bytes of the notes of an order's lines together: with them 5,000 lines still fit into one message.
pub const MAX_LINE_NOTES: usize = 500_000;

/// Text of several lines, which line feeds and tabs may be part of. Like [`line()`] and [`code()`] it
/// answers with the text in normal form C, or else with the rule that the text breaks. Text that is too
/// long is not normalised to its end: a message has room for megabytes of it.
pub fn note(text: &str, max: usize) -> Result<String, String> {
    checked(text, max, |c| forbidden(c).filter(|_| !matches!(c, '\n' | '\t')))
}

/// Text of one line.
pub fn line(text: &str, max: usize) -> Result<String, String> {
    checked(text, max, |c| match c {
        '\u{2028}' | '\u{2029}' => Some("line break"),
        _ => forbidden(c),
    })
}

/// An identifier. Empty text is none, but says nothing wrong either: whether one is required is judged
/// by the caller of this function.
pub fn code(text: &str, max: usize) -> Result<String, String> {
    // Bidirectional controls have the property of ignorable characters too. They are asked for first, because a
    // caller is helped more by the exact name.
    let text = checked(text, max, |c| match c {
        ' ' => None,
        _ if forbidden(c).is_some() => forbidden(c),
        _ if is_ignorable(c) => Some("invisible character"),
        _ if is_blank_character(c) => Some("blank"),
        _ => None,
    })?;
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err("begins or ends with a space".to_owned());
    }
    if text.contains("  ") {
        return Err("holds two spaces in a row".to_owned());
    }
    Ok(text)
}

/// Whether a reader sees nothing of a text: it is empty, or of blanks and invisible characters alone.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| is_blank_character(c) || is_ignorable(c))
}

fn checked(text: &str, max: usize, wrong: fn(char) -> Option<&'static str>) -> Result<String, String> {
    // In normal form, because that is what is stored: by it a text can become shorter or longer.
    let text = normalised(text, max).ok_or_else(|| format!("is longer than {max} bytes"))?;
    let found = text.chars().find_map(|c| Some((c, wrong(c)?)));
    found.map_or(Ok(text), |(c, what)| Err(format!("holds the {what} U+{:04X}", u32::from(c))))
}

/// What a character is that no text may hold. Direction marks (U+061C, U+200E, U+200F) and joiners
/// (U+200C, U+200D) are not among them: Arabic, Hebrew and Indic texts are written with them.
fn forbidden(c: char) -> Option<&'static str> {
    match c {
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => Some("bidirectional control character"),
        '\u{200B}' | '\u{FEFF}' => Some("invisible character"),
        _ => c.is_control().then_some("control character"),
    }
}

/// By Unicode's property Default_Ignorable_Code_Point: what is not shown where it is not supported.
fn is_ignorable(c: char) -> bool {
    // No ASCII character has the property, so the set need not be searched for one.
    !c.is_ascii() && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// White space, and the braille pattern without a dot, which looks like it.
fn is_blank_character(c: char) -> bool {
    c.is_whitespace() || c == '\u{2800}'
}

/// Text becomes shorter by normal form C, at most to a third of its bytes (a syllable of Hangul). What is
/// longer than this many times its bound is too long in any form.
const SHORTENED: usize = 4;

/// Text in normal form C; `None` if that has more than `max` bytes.
fn normalised(text: &str, max: usize) -> Option<String> {
    // ASCII is in normal form as it is.
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
    // From the right, because the check digit is the last one: then the weights are the same for every length.
    let weighted = text.bytes().rev().enumerate().map(|(i, b)| u32::from(b - b'0') * if i % 2 == 0 { 1 } else { 3 });
    weighted.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each kind says of a text, note, line and code in this order.
    fn said(text: &str) -> [Option<String>; 3] {
        [note, line, code].map(|kind| kind(text, 100).err())
    }

    #[test]
    fn text_is_brought_into_normal_form_before_it_is_measured() {
        for kind in [note, line, code] {
            assert_eq!(kind("e\u{301}", 2), Ok("é".to_owned()));
            assert!(kind("ééé", 5).is_err());
            assert_eq!(kind(&"\u{1112}\u{1161}\u{11ab}".repeat(10), 30), Ok("한".repeat(10)));
            for long in ["a".repeat(11), "\u{301}".repeat(1_000_000), "\u{1d161}".repeat(5)] {
                assert_eq!(kind(&long, 10), Err("is longer than 10 bytes".to_owned()));
            }
        }
    }

    #[test]
    fn no_character_is_more_than_three_times_as_long_in_parts() {
        // From U+30000 on no character has a decomposition.
        for c in (0..0x3_0000).filter_map(char::from_u32) {
            let parts: usize = c.nfd().map(char::len_utf8).sum();
            let composed: usize = c.nfd().nfc().map(char::len_utf8).sum();
            assert!(parts <= 3 * composed, "{c:?}: {parts} bytes become {composed}");
        }
    }

    #[test]
    fn what_hides_or_reorders_text_is_refused_everywhere() {
        for (text, what) in [
            ("a\0", "control character U+0000"),
            ("a\r\n", "control character U+000D"),
            ("\u{7f}", "control character U+007F"),
            ("\u{85}", "control character U+0085"),
            ("\u{202A}abc", "bidirectional control character U+202A"),
            ("\u{202E}abc", "bidirectional control character U+202E"),
            ("\u{2066}", "bidirectional control character U+2066"),
            ("a\u{2069}", "bidirectional control character U+2069"),
            ("a\u{200B}b", "invisible character U+200B"),
            ("\u{FEFF}a", "invisible character U+FEFF"),
        ] {
            let rule = Some(format!("holds the {what}"));
            assert_eq!(said(text), [rule.clone(), rule.clone(), rule], "{text:?}");
        }
    }

    #[test]
    fn notes_have_lines_and_other_texts_are_one() {
        for (text, what) in [("a\nb", "control character U+000A"), ("a\tb", "control character U+0009")] {
            let rule = Some(format!("holds the {what}"));
            assert_eq!(said(text), [None, rule.clone(), rule], "{text:?}");
        }
        for (text, c) in [("a\u{2028}b", "U+2028"), ("a\u{2029}b", "U+2029")] {
            let (broken, blank) = (format!("holds the line break {c}"), format!("holds the blank {c}"));
            assert_eq!(said(text), [None, Some(broken), Some(blank)], "{text:?}");
        }
    }

    #[test]
    fn direction_marks_and_joiners_are_text_and_no_part_of_a_code() {
        for c in ["\u{61C}", "\u{200E}", "\u{200F}", "\u{200C}", "\u{200D}", "\u{AD}", "\u{FE0F}", "\u{3164}"] {
            let hidden = format!("holds the invisible character U+{:04X}", u32::from(c.chars().next().unwrap()));
            assert_eq!(said(&format!("a{c}b")), [None, None, Some(hidden)]);
        }
    }

    #[test]
    fn a_code_has_no_blanks_but_single_spaces_between_words() {
        for good in ["", "a", "4006381333931", "oak table 7", "é-1", "\u{1f34e}", "名前"] {
            assert_eq!(said(good), [None, None, None], "{good:?}");
        }
        let ends = "begins or ends with a space";
        for (bad, rule) in [
            (" ", ends),
            (" a", ends),
            ("a ", ends),
            ("a  b", "holds two spaces in a row"),
            ("a\u{A0}b", "holds the blank U+00A0"),
            ("\u{3000}", "holds the blank U+3000"),
            ("a\u{2003}", "holds the blank U+2003"),
            ("a\u{202F}b", "holds the blank U+202F"),
            ("a\u{2800}b", "holds the blank U+2800"),
        ] {
            assert_eq!(said(bad), [None, None, Some(rule.to_owned())], "{bad:?}");
        }
    }

    #[test]
    fn a_text_that_shows_nothing_is_blank() {
        for blank in ["", " ", "\u{A0}", "\u{3000}", "\n\t ", "\u{200D}", "\u{3164}", "\u{2800}", " \u{200E} "] {
            assert!(is_blank(blank), "{blank:?}");
        }
        for text in ["a", " .", "\u{1f34e}", "\u{301}", "0"] {
            assert!(!is_blank(text), "{text:?}");
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
