//! Amounts and counts that are text: plain numbers at once, others as people write them.
//!
//! What can mean one thing only is read in any format: a currency's sign or code before or after the number, `(5.00)`, `9.03-`, the minus of
//! typesetters. What separates thousands in one country and decimals in another needs to be said ([`NumberFormat`]); a number that does not
//! fit the format, as `1,23` in `1,234.56`, is none.

use super::currencies::without_currency;
use super::id_forms::{count_of, parse_count};
use crate::base::money::{Amount, AmountError};
use crate::model::note::{Notes, Topic};
use crate::model::read_options::{AmountUnit, NumberFormat};

/// How numbers are written, and what was noticed of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    format: NumberFormat,
    unit: AmountUnit,
    /// Plain amounts with a point and three decimals, as thousands have them elsewhere.
    three_decimals: u64,
    /// Whether there was one with one or two decimals.
    cents: bool,
    /// Amounts by the currency that they name.
    currencies: Vec<(&'static str, u64)>,
}

impl Numbers {
    pub(super) fn new(format: NumberFormat, unit: AmountUnit) -> Self {
        Numbers { format, unit, ..Numbers::default() }
    }

    /// Reads an amount of money.
    ///
    /// # Errors
    /// When it is none, has a fraction where the unit is a part of a currency, or is 10¹⁵ or more.
    #[inline]
    pub(crate) fn amount(&mut self, text: &[u8]) -> Result<Amount, AmountError> {
        let amount = match Amount::parse_cents(text) {
            // All formats read digits alone alike.
            Some(amount) if self.format == NumberFormat::Plain => {
                if !self.cents {
                    self.cents = has_cents(text);
                }
                amount
            }
            _ => self.any_amount(text)?,
        };
        self.in_units(amount)
    }

    /// Reads a quantity, a number without a unit.
    ///
    /// # Errors
    /// When it is none, or is 10¹⁵ or more.
    #[inline]
    pub(crate) fn quantity(&mut self, text: &[u8]) -> Result<Amount, AmountError> {
        match Amount::parse_cents(text) {
            Some(quantity) if self.format == NumberFormat::Plain => Ok(quantity),
            _ => written(text, self.format).map(|(quantity, _)| quantity),
        }
    }

    /// Reads a count, a whole number; `3.0` and `3e0` too, as data frames write counts in a column with gaps.
    #[inline]
    pub(crate) fn count(&self, text: &[u8]) -> Option<i64> {
        parse_count(text).or_else(|| if self.format == NumberFormat::Plain { None } else { self.written_count(text) })
    }

    #[cold]
    fn written_count(&self, text: &[u8]) -> Option<i64> {
        written(text, self.format).ok().and_then(|(number, _)| count_of(number))
    }

    /// A number of the unit as an amount.
    ///
    /// # Errors
    /// As [`Numbers::amount`].
    #[inline]
    pub(crate) fn in_units(&self, number: Amount) -> Result<Amount, AmountError> {
        if self.unit == AmountUnit::Units { Ok(number) } else { self.of_parts(number) }
    }

    /// Whether numbers are amounts as they are.
    pub(crate) fn are_units(&self) -> bool {
        self.unit == AmountUnit::Units
    }

    #[cold]
    fn of_parts(&self, number: Amount) -> Result<Amount, AmountError> {
        let scale = if self.unit == AmountUnit::Cents { 2 } else { 6 };
        let Amount { cents, fraction } = number;
        if fraction != 0 || cents % 100 != 0 {
            return Err(AmountError::NotANumber);
        }
        Amount::from_decimal(i128::from(cents / 100), scale)
    }

    #[cold]
    fn any_amount(&mut self, text: &[u8]) -> Result<Amount, AmountError> {
        let (amount, currency) = written(text, self.format)?;
        if self.format == NumberFormat::Plain {
            let decimals = text.trim_ascii().rsplit(|&b| b == b'.').next().unwrap_or_default();
            let digits = decimals.len() < text.trim_ascii().len() && decimals.iter().all(u8::is_ascii_digit);
            self.three_decimals += u64::from(digits && decimals.len() == 3);
            self.cents |= digits && decimals.len() != 3;
        }
        if let Some(currency) = currency {
            match self.currencies.iter_mut().find(|(known, _)| *known == currency) {
                Some((_, count)) => *count += 1,
                None => self.currencies.push((currency, 1)),
            }
        }
        Ok(amount)
    }

    /// Adds what was noticed to the notes.
    pub(crate) fn note(&mut self, notes: &Notes) {
        let (three, cents) = (std::mem::take(&mut self.three_decimals), std::mem::take(&mut self.cents));
        notes.add(Topic::ThreeDecimals, "", three);
        notes.add(Topic::OtherDecimals, "", cents.into());
        self.currencies.drain(..).for_each(|(currency, count)| notes.add(Topic::CurrencySign, currency, count));
    }
}

/// Whether a plain amount has one or two decimals.
#[cold]
fn has_cents(text: &[u8]) -> bool {
    matches!(text, [.., b'.', b'0'..=b'9'] | [.., b'.', b'0'..=b'9', b'0'..=b'9'])
}

/// Reads a number as it is written in a format, and the currency that it names.
///
/// # Errors
/// When it is none, or is 10¹⁵ or more.
pub(super) fn written(text: &[u8], format: NumberFormat) -> Result<(Amount, Option<&'static str>), AmountError> {
    if format == NumberFormat::Plain {
        match Amount::parse(text) {
            Err(AmountError::NotANumber) => {}
            amount => return amount.map(|amount| (amount, None)),
        }
    }
    let text = std::str::from_utf8(text).map_err(|_| AmountError::NotANumber)?;
    let Parts { negative, currency, number } = parts(text).ok_or(AmountError::NotANumber)?;
    let plain = plain(number, format).ok_or(AmountError::NotANumber)?;
    Amount::parse(format!("{}{plain}", if negative { "-" } else { "" }).as_bytes()).map(|amount| (amount, currency))
}

/// A number without what may stand around it.
struct Parts<'a> {
    negative: bool,
    currency: Option<&'static str>,
    number: &'a str,
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
    let (mut rest, mut sign, mut currency) = (text.trim_matches(is_blank), None, None);
    loop {
        let (first, last) = (rest.chars().next()?, rest.chars().next_back()?);
        if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            (rest, sign) = (inner, one(sign, true)?);
        } else if is_minus(first) {
            (rest, sign) = (&rest[first.len_utf8()..], one(sign, true)?);
        } else if first == '+' {
            (rest, sign) = (&rest[1..], one(sign, false)?);
        } else if is_minus(last) {
            (rest, sign) = (&rest[..rest.len() - last.len_utf8()], one(sign, true)?);
        } else if let Some((without, found)) = without_currency(rest) {
            (rest, currency) = (without, one(currency, found)?);
        } else {
            return Some(Parts { negative: sign == Some(true), currency, number: rest });
        }
        rest = rest.trim_matches(is_blank);
    }
}

/// The value, if there was none before.
fn one<T>(known: Option<T>, value: T) -> Option<Option<T>> {
    if known.is_some() { None } else { Some(Some(value)) }
}

/// A number of a format with a point before decimals and nothing between thousands.
fn plain(number: &str, format: NumberFormat) -> Option<String> {
    let (point, separates): (char, fn(char) -> bool) = match format {
        NumberFormat::Plain => ('.', |c| is_blank(c) || matches!(c, '\'' | '\u{2019}' | '\u{02bc}')),
        NumberFormat::PointComma => (',', |c| c == '.' || is_blank(c)),
        NumberFormat::CommaPoint => ('.', |c| c == ','),
        NumberFormat::ApostrophePoint => ('.', |c| matches!(c, '\'' | '\u{2019}' | '\u{02bc}')),
        NumberFormat::BlankComma => (',', is_blank),
    };
    let (whole, decimals) = number.split_once(point).map_or((number, None), |(whole, decimals)| (whole, Some(decimals)));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
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
            (1..=3).contains(&first.len()) && last.len() == 3 && alike && (indian || between.iter().all(|group| group.len() == 3))
        }
    };
    if !in_groups || !groups.iter().all(|group| is_number(group)) {
        return None;
    }
    Some(format!("{}.{}", groups.concat(), decimals.unwrap_or("0")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use NumberFormat::{ApostrophePoint, BlankComma, CommaPoint, Plain, PointComma};

    fn read(text: &str, format: NumberFormat) -> Option<String> {
        Numbers::new(format, AmountUnit::Units).amount(text.as_bytes()).ok().map(|amount| amount.to_string())
    }

    #[test]
    fn amounts_that_mean_one_thing_need_no_format() {
        for (text, amount) in [
            ("12.5", "12.50"),
            ("$5", "5.00"),
            ("-$10.00", "-10.00"),
            ("$-10.00", "-10.00"),
            ("($5.00)", "-5.00"),
            ("$(5.00)", "-5.00"),
            ("( 5.00 )", "-5.00"),
            ("9.03-", "-9.03"),
            ("9.03 EUR", "9.03"),
            ("EUR 9.03-", "-9.03"),
            ("\u{2212}4.20", "-4.20"),
            ("\u{2013} 4.20 €", "-4.20"),
            ("199 kr.", "199.00"),
            ("kr 199.50", "199.50"),
            ("US$ 7", "7.00"),
            ("12.00\u{a0}zł", "12.00"),
            ("1 234.56", "1234.56"),
            ("1\u{202f}234\u{202f}567", "1234567.00"),
            ("1'234.56", "1234.56"),
            ("+3.1", "3.10"),
            ("1e3", "1000.00"),
        ] {
            assert_eq!(read(text, Plain).as_deref(), Some(amount), "{text}");
        }
        for text in [
            "1,234",
            "1.234,50",
            "12,5",
            "$1,234.50",
            "--5",
            "-(5)",
            "$5€",
            "5 apples",
            "$",
            "()",
            "",
            "1 23",
            "12 345 6",
            "0x5",
            "(5",
            "5)",
        ] {
            assert_eq!(read(text, Plain), None, "{text}");
        }
    }

    #[test]
    fn formats_read_what_they_say() {
        for (format, text, amount) in [
            (PointComma, "1.234,56", "1234.56"),
            (PointComma, "25,00", "25.00"),
            (PointComma, "1.234", "1234.00"),
            (PointComma, "1234", "1234.00"),
            (PointComma, "-1.234.567,5 €", "-1234567.50"),
            (PointComma, ",5", "0.50"),
            (CommaPoint, "$1,234.50", "1234.50"),
            (CommaPoint, "($5.00)", "-5.00"),
            (CommaPoint, "10,000", "10000.00"),
            (CommaPoint, "12,34,567.5", "1234567.50"),
            (ApostrophePoint, "CHF 1'234.56", "1234.56"),
            (ApostrophePoint, "1\u{2019}234", "1234.00"),
            (BlankComma, "1\u{a0}234,56", "1234.56"),
            (BlankComma, "1 234 567,8 kr", "1234567.80"),
        ] {
            assert_eq!(read(text, format).as_deref(), Some(amount), "{text}");
            assert_eq!(read("17", format).as_deref(), Some("17.00"));
        }
        for (format, text) in [
            (PointComma, "25.00"),
            (PointComma, "1.23"),
            (PointComma, "1,234.56"),
            (PointComma, "1.234 567"),
            (CommaPoint, "1,23"),
            (CommaPoint, "1.234,56"),
            (CommaPoint, "1,2345"),
            (CommaPoint, "1234,567"),
            (CommaPoint, ",123"),
            (BlankComma, "12.5"),
            (ApostrophePoint, "12,5"),
        ] {
            assert_eq!(read(text, format), None, "{text}");
        }
    }

    #[test]
    fn parts_of_a_unit_are_whole() {
        let read = |text: &str, unit| Numbers::new(Plain, unit).amount(text.as_bytes()).ok().map(|amount| amount.to_string());
        assert_eq!(read("1250", AmountUnit::Cents).as_deref(), Some("12.50"));
        assert_eq!(read("-5.0", AmountUnit::Cents).as_deref(), Some("-0.05"));
        assert_eq!(read("12500001", AmountUnit::Millionths).as_deref(), Some("12.500001"));
        assert_eq!(read("12.50", AmountUnit::Cents), None);
        assert_eq!(read("0.001", AmountUnit::Millionths), None);
        let quantity = Numbers::new(PointComma, AmountUnit::Cents).quantity(b"1,5").unwrap();
        assert_eq!(quantity.to_string(), "1.50");
        for text in ["1e15", "$1000000000000000"] {
            assert_eq!(Numbers::default().amount(text.as_bytes()), Err(AmountError::OutOfRange), "{text}");
        }
    }
}
