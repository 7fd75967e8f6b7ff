//! Texts of others on a terminal: control characters could move its cursor, change what is shown or answer for the user.

use std::borrow::Cow;
use std::fmt::Write;

/// A text of several lines whose other control characters are shown as `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_harmless = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
    escaped(text, is_harmless, |shown, character| {
        let _ = write!(shown, "{}", character.escape_unicode());
    })
}

/// A text in JSON, whose control characters are escaped as JSON has it, those above ASCII too.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    let is_harmless = |character: char| !character.is_control() || character == '\n';
    escaped(text, is_harmless, |shown, character| {
        let _ = write!(shown, "\\u{:04x}", u32::from(character));
    })
}

fn escaped(text: &str, is_harmless: impl Fn(char) -> bool, escape: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if text.chars().all(&is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmless(character) { shown.push(character) } else { escape(&mut shown, character) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::{printable, printable_json};

    #[test]
    fn control_characters_are_shown_and_not_sent_to_the_terminal() {
        assert_eq!(printable("two\n\tlines, größer"), "two\n\tlines, größer");
        assert_eq!(printable("\u{1b}[2Jgone\r\u{9b}31m\u{7f}"), r"\u{1b}[2Jgone\u{d}\u{9b}31m\u{7f}");
    }

    #[test]
    fn json_stays_the_same_text_to_programs() {
        let text = serde_json::to_string_pretty(&["a\u{1b}b\u{9b}\u{7f}ü"]).unwrap();
        let shown = printable_json(&text);
        assert!(shown.contains(r"\u001bb\u009b\u007fü"), "{shown}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), ["a\u{1b}b\u{9b}\u{7f}ü"]);
    }
}
