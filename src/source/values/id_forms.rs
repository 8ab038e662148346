//! Ids as the options read them.

use crate::base::money::Amount;
use crate::model::read_options::IdFormat;
use std::borrow::Cow;

/// Blanks around an id, of any width, and signs that cannot be seen.
fn is_invisible(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// Whether an id has blanks around it, or signs that cannot be seen, or blanks that look like others.
pub(crate) fn has_invisible(id: &str) -> bool {
    let odd = |c: char| is_invisible(c) && c != ' ' || c.is_control();
    id.starts_with(' ') || id.ends_with(' ') || id.contains(odd)
}

/// The id of an order or a product; an empty one is none.
pub(super) fn any_id(id: &str, format: IdFormat) -> &str {
    match format {
        IdFormat::AsIs => id,
        IdFormat::Integer => without_point(id),
        IdFormat::Trim | IdFormat::Fold => id.trim_matches(is_invisible),
    }
}

/// The id of a customer; an empty one is none. None where it is a bad value.
pub(crate) fn customer_id(id: &str, format: IdFormat) -> Option<Cow<'_, str>> {
    match format {
        IdFormat::AsIs => Some(id.into()),
        IdFormat::Integer => whole(id),
        IdFormat::Trim => Some(id.trim_matches(is_invisible).into()),
        IdFormat::Fold => {
            let id = id.trim_matches(is_invisible);
            let is_folded = id.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
            Some(if is_folded { id.into() } else { id.to_lowercase().into() })
        }
    }
}

/// Whether an id is a number in scientific notation, which a spreadsheet writes where digits are lost.
pub(crate) fn is_scientific(id: &str) -> bool {
    let Some((mantissa, exponent)) = id.split_once(['e', 'E']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_number = |text: &str| text.contains(['.', ',']) && text.split(['.', ',']).all(digits);
    is_number(mantissa.trim_start_matches('-')) && digits(exponent.trim_start_matches(['+', '-']))
        || digits(mantissa) && exponent.strip_prefix('+').is_some_and(digits)
}

/// A whole number's digits, however it is written but in scientific notation; none where it is no whole number.
fn whole(id: &str) -> Option<Cow<'_, str>> {
    let plain = without_point(id.strip_prefix('-').unwrap_or(id)).as_bytes();
    // No number has two texts that are taken as they are.
    if plain.iter().all(u8::is_ascii_digit) && !matches!(plain, [] | [b'0', ..]) {
        let sign = usize::from(id.starts_with('-'));
        return Some(Cow::Borrowed(&id[..sign + plain.len()]));
    }
    if id.contains(['e', 'E']) {
        return None;
    }
    parse_count(id.as_bytes()).map(|number| Cow::Owned(number.to_string()))
}

/// An id of digits without the `.0` that data frames write after them; any other id as it is.
fn without_point(id: &str) -> &str {
    match id.split_once('.') {
        Some((digits, zeros))
            if !digits.is_empty()
                && digits.bytes().all(|b| b.is_ascii_digit())
                && !zeros.is_empty()
                && zeros.bytes().all(|b| b == b'0') =>
        {
            digits
        }
        _ => id,
    }
}

/// A whole number; `3.0` and `3e0` too, as spreadsheets and data frames write counts in a column with gaps.
#[inline]
pub(crate) fn parse_count(text: &[u8]) -> Option<i64> {
    // 18 digits cannot overflow.
    if !matches!(text.len(), 1..=18) {
        return parse_any_count(text);
    }
    let mut count = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return parse_any_count(text);
        }
        count = count * 10 + i64::from(digit);
    }
    Some(count)
}

fn parse_any_count(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let whole = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    whole.or_else(|| count_of(Amount::parse(text).ok()?))
}

/// A number as a count, if it is whole.
pub(super) fn count_of(number: Amount) -> Option<i64> {
    (number.fraction == 0 && number.cents % 100 == 0).then_some(number.cents / 100)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole() {
        let parse_count = |text: &str| super::parse_count(text.as_bytes());
        assert_eq!(parse_count("3"), Some(3));
        assert_eq!(parse_count(" 3.0 "), Some(3));
        assert_eq!(parse_count("-2"), Some(-2));
        assert_eq!(parse_count("9223372036854775807"), Some(i64::MAX));
        for text in ["3.5", "", "three", "9223372036854775808", "1e30"] {
            assert_eq!(parse_count(text), None, "{text}");
        }
    }

    #[test]
    fn ids_are_read_as_their_format_says() {
        let id = |id, format| customer_id(id, format).map(Cow::into_owned);
        for (text, integer, trim, fold) in [
            ("12923.0", Some("12923"), "12923.0", "12923.0"),
            (" 007 ", Some("7"), "007", "007"),
            ("1.23E+11", None, "1.23E+11", "1.23e+11"),
            ("12e3", None, "12e3", "12e3"),
            ("\u{a0}Zoë@X.com\u{200b}", None, "Zoë@X.com", "zoë@x.com"),
            ("ÄB ", None, "ÄB", "äb"),
            ("  ", None, "", ""),
        ] {
            assert_eq!(id(text, IdFormat::Integer).as_deref(), integer, "{text}");
            assert_eq!(id(text, IdFormat::Trim).unwrap(), trim, "{text}");
            assert_eq!(id(text, IdFormat::Fold).unwrap(), fold, "{text}");
            assert_eq!(id(text, IdFormat::AsIs).unwrap(), text);
        }
    }

    #[test]
    fn scientific_notation_is_told_from_names() {
        for id in ["1.23E+11", "1,23E+11", "4.5e10", "1E+05", "-1.5E+3"] {
            assert!(is_scientific(id), "{id}");
        }
        for id in ["12923", "e", "1e5", "4e7b2", "12e3", "1.5", "E+5", "1.2.E+3", "a1.2e3"] {
            assert!(!is_scientific(id), "{id}");
        }
    }
}
