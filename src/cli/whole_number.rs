//! Options that are whole numbers within a range: a wrong one is named with the range.

use std::ops::RangeInclusive;

/// Parses a whole number of the range.
pub fn within<N>(range: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static
where
    N: TryFrom<u64> + Into<u64> + Copy + Send + Sync + 'static,
{
    move |text| {
        let (least, most) = ((*range.start()).into(), (*range.end()).into());
        let number: Option<u64> = text.parse().ok().filter(|number| (least..=most).contains(number));
        let number = number.and_then(|number| N::try_from(number).ok());
        number.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_number_out_of_range_is_refused_with_the_range() {
        let parse = within::<u16>(1..=64);
        assert_eq!((parse("1"), parse("64")), (Ok(1), Ok(64)));
        for wrong in ["0", "65", "-1", "x", "", "1.5", "99999999999999999999"] {
            assert_eq!(parse(wrong), Err("must be a whole number from 1 to 64".to_owned()), "{wrong}");
        }
    }
}
