//! Numbers that are text, in each of the formats: signs, brackets and currencies around them, marks in them.
//!
//! A group of thousands has three digits (in India two, before the last), and the first one is no zero: `0.500` is a half and never 500. A
//! dash after a decimal mark stands for no cents, `12,-`, and is no minus.

use super::currencies::without_currency;
use crate::base::money::{Amount, AmountError};
use crate::model::read_options::NumberFormat;

/// All formats; sets of them have a bit for each, in this order.
pub(crate) const FORMATS: [NumberFormat; 5] =
    [NumberFormat::Plain, NumberFormat::PointComma, NumberFormat::CommaPoint, NumberFormat::ApostrophePoint, NumberFormat::BlankComma];
/// The set of those with a comma before decimals.
pub(crate) const COMMAS: u8 = 0b1_0010;
/// The set of all.
pub(crate) const ALL: u8 = 0b1_1111;

/// The set of one format.
pub(crate) fn only(format: NumberFormat) -> u8 {
    FORMATS.iter().position(|known| *known == format).map_or(0, |at| 1 << at)
}

/// The formats that read a text.
pub(crate) fn readers(text: &[u8]) -> u8 {
    let read = |format: &NumberFormat| written(text, *format).is_ok();
    FORMATS.iter().enumerate().filter(|(_, format)| read(format)).fold(0, |set, (at, _)| set | 1 << at)
}

/// Reads a number as it is written in a format, and the currency that it names.
///
/// # Errors
/// When it is none, or is 10¹⁵ or more.
pub(crate) fn written(text: &[u8], format: NumberFormat) -> Result<(Amount, Option<&'static str>), AmountError> {
    if format == NumberFormat::Plain {
        match Amount::parse(text) {
            Err(AmountError::NotANumber) => {}
            amount => return amount.map(|amount| (amount, None)),
        }
    }
    let text = std::str::from_utf8(text).map_err(|_| AmountError::NotANumber)?;
    let Parts { negative, currency, number, dash } = parts(text).ok_or(AmountError::NotANumber)?;
    let plain = plain(number, dash, format).ok_or(AmountError::NotANumber)?;
    Amount::parse(format!("{}{plain}", if negative { "-" } else { "" }).as_bytes()).map(|amount| (amount, currency))
}

/// A number without what may stand around it.
struct Parts<'a> {
    negative: bool,
    currency: Option<&'static str>,
    number: &'a str,
    /// The mark before a dash that stands for no cents.
    dash: Option<char>,
}

/// Blanks of any width, and signs that cannot be seen.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// Hyphens, and what typesetters write for a minus.
fn is_minus(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}')
}

/// Takes off signs, brackets and a currency: each once, before or after the number.
fn parts(text: &str) -> Option<Parts<'_>> {
    let (mut rest, mut sign, mut currency, mut dash) = (text.trim_matches(is_blank), None, None, None);
    loop {
        let (first, last) = (rest.chars().next()?, rest.chars().next_back()?);
        if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            (rest, sign) = (inner, one(sign, true)?);
        } else if is_minus(first) {
            (rest, sign) = (&rest[first.len_utf8()..], one(sign, true)?);
        } else if first == '+' {
            (rest, sign) = (&rest[1..], one(sign, false)?);
        } else if let Some((without, mark)) = without_dash(rest) {
            (rest, dash) = (without, one(dash, mark)?);
        } else if is_minus(last) {
            (rest, sign) = (&rest[..rest.len() - last.len_utf8()], one(sign, true)?);
        } else if let Some((without, found)) = without_currency(rest) {
            (rest, currency) = (without, one(currency, found)?);
        } else {
            return Some(Parts { negative: sign == Some(true), currency, number: rest, dash });
        }
        rest = rest.trim_matches(is_blank);
    }
}

/// A number without a dash for no cents, and the mark before it: `12,-`, `12.–`.
fn without_dash(text: &str) -> Option<(&str, char)> {
    let rest = text.trim_end_matches(|c| is_minus(c) || c == '\u{2014}');
    let mark = rest.chars().next_back().filter(|c| matches!(c, ',' | '.') && rest.len() < text.len())?;
    let number = &rest[..rest.len() - 1];
    number.ends_with(|c: char| c.is_ascii_digit()).then_some((number, mark))
}

/// The value, if there was none before.
fn one<T>(known: Option<T>, value: T) -> Option<Option<T>> {
    if known.is_some() { None } else { Some(Some(value)) }
}

/// A number of a format with a point before decimals and nothing between thousands.
fn plain(number: &str, dash: Option<char>, format: NumberFormat) -> Option<String> {
    let (point, separates): (char, fn(char) -> bool) = match format {
        NumberFormat::Plain => ('.', |c| is_blank(c) || matches!(c, '\'' | '\u{2019}' | '\u{02bc}')),
        NumberFormat::PointComma => (',', |c| c == '.' || is_blank(c)),
        NumberFormat::CommaPoint => ('.', |c| c == ','),
        NumberFormat::ApostrophePoint => ('.', |c| matches!(c, '\'' | '\u{2019}' | '\u{02bc}')),
        NumberFormat::BlankComma => (',', is_blank),
    };
    let (whole, decimals) = number.split_once(point).map_or((number, None), |(whole, decimals)| (whole, Some(decimals)));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    // A dash stands where decimals would.
    if dash.is_some_and(|mark| decimals.is_some() || mark != point && !is_number(number)) {
        return None;
    }
    if !decimals.is_none_or(is_number) || !number.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let separators: Vec<char> = whole.chars().filter(|&c| separates(c)).collect();
    let groups: Vec<&str> = whole.split(separates).collect();
    let in_groups = match &groups[..] {
        [] | [_] => true,
        [first, between @ .., last] => {
            let indian = format == NumberFormat::CommaPoint && between.iter().all(|group| group.len() == 2);
            let alike = separators.windows(2).all(|pair| pair[0] == pair[1]);
            (1..=3).contains(&first.len())
                && !first.starts_with('0')
                && last.len() == 3
                && alike
                && (indian || between.iter().all(|group| group.len() == 3))
        }
    };
    if !in_groups || !groups.iter().all(|group| is_number(group)) {
        return None;
    }
    Some(format!("{}.{}", groups.concat(), decimals.unwrap_or("0")))
}
