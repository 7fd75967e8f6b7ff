//! Global trade item numbers: the numbers under bar codes.

use std::fmt;

/// A global trade item number without its leading zeros, by which numbers are compared: one product bears 12,
/// 13 or 14 digits depending on who prints the label, and the longer forms are the shorter ones with zeros in
/// front.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gtin(String);

impl Gtin {
    /// The number that these digits are.
    pub fn of(digits: &str) -> Self {
        // Lookups compare with `ltrim` in SQL, which also makes an empty text of nothing but zeros.
        Self(digits.trim_start_matches('0').to_owned())
    }

    /// Its digits without leading zeros.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_is_found_in_each_of_its_forms() {
        let number = Gtin::of("036000291452");
        for form in ["0036000291452", "00036000291452"] {
            assert_eq!(Gtin::of(form), number, "{form}");
        }
        assert_ne!(Gtin::of("4006381333931"), number);
        assert_eq!(Gtin::of("4006381333931").as_str(), "4006381333931");
    }
}
