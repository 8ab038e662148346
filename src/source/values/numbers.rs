//! Amounts and counts that are text: plain numbers at once, others as people write them.
//!
//! What can mean one thing only is read in any format: a currency's sign or code before or after the number, `(5.00)`, `9.03-`, the minus of
//! typesetters. What separates thousands in one country and decimals in another needs to be said ([`NumberFormat`]); a number that does not
//! fit the format, as `1,23` in `1,234.56`, is none.

use super::id_forms::{count_of, parse_count};
use super::number_forms::{ALL, COMMAS, FORMATS, only, readers, written};
use crate::base::money::{Amount, AmountError};
use crate::model::note::{Notes, OF, Topic};
use crate::model::read_options::{AmountUnit, NumberFormat};

/// How numbers are written, and what was noticed of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    format: NumberFormat,
    /// Whether a comma is before decimals.
    comma: bool,
    unit: AmountUnit,
    /// Amounts with three decimals, which are thousands where marks mean the opposite.
    three_decimals: u64,
    /// Whether there was one whose decimals can be nothing else.
    cents: bool,
    /// Quantities with a mark of thousands and three zeros, as decimals are written elsewhere.
    round_thousands: u64,
    /// The formats that do not read all amounts, and not all quantities and counts.
    unread: [u8; 2],
    /// Amounts by the currency that they name.
    currencies: Vec<(&'static str, u64)>,
}

impl Numbers {
    pub(super) fn new(format: NumberFormat, unit: AmountUnit) -> Self {
        Numbers { format, unit, comma: only(format) & COMMAS != 0, ..Numbers::default() }
    }

    /// Reads an amount of money.
    ///
    /// # Errors
    /// When it is none, has a fraction where the unit is a part of a currency, or is 10¹⁵ or more.
    #[inline]
    pub(crate) fn amount(&mut self, text: &[u8]) -> Result<Amount, AmountError> {
        let amount = match Amount::parse_cents(text) {
            // Where a point is before decimals, all formats read it alike.
            Some(amount) if !self.comma => {
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
            Some(quantity) if !self.comma => {
                if quantity.cents % 100 != 0 {
                    self.unread[COUNTS] |= COMMAS;
                }
                Ok(quantity)
            }
            _ => {
                let read = written(text, self.format);
                self.weigh(COUNTS, text, read.is_ok());
                let (quantity, _) = read?;
                // Blanks and apostrophes can be nothing else than marks of thousands.
                let mark = if self.comma { b'.' } else { b',' };
                self.round_thousands += u64::from(text.trim_ascii().ends_with(&[mark, b'0', b'0', b'0']));
                Ok(quantity)
            }
        }
    }

    /// Reads a count, a whole number; `3.0` and `3e0` too, as data frames write counts in a column with gaps.
    #[inline]
    pub(crate) fn count(&mut self, text: &[u8]) -> Option<i64> {
        match parse_count(text) {
            Some(count) => Some(count),
            None => self.written_count(text),
        }
    }

    #[cold]
    fn written_count(&mut self, text: &[u8]) -> Option<i64> {
        let read = written(text, self.format);
        self.weigh(COUNTS, text, read.is_ok());
        let number = read.ok().filter(|_| self.format != NumberFormat::Plain);
        number.and_then(|(number, _)| count_of(number))
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
        let read = written(text, self.format);
        self.weigh(AMOUNTS, text, read.is_ok());
        let (amount, currency) = read?;
        match decimals(text, if self.comma { b',' } else { b'.' }) {
            Decimals::Three => self.three_decimals += 1,
            Decimals::Others => self.cents = true,
            Decimals::None => {}
        }
        if let Some(currency) = currency {
            match self.currencies.iter_mut().find(|(known, _)| *known == currency) {
                Some((_, count)) => *count += 1,
                None => self.currencies.push((currency, 1)),
            }
        }
        Ok(amount)
    }

    /// Notes which formats do not read a text that is a number in some.
    fn weigh(&mut self, kind: usize, text: &[u8], is_read: bool) {
        // What the given format reads says no more where no other is left.
        let rest = ALL & !self.unread[kind] & if is_read { !only(self.format) } else { ALL };
        if rest != 0 {
            let read = if is_read { readers_by_mark(text) } else { None }.unwrap_or_else(|| readers(text));
            self.unread[kind] |= if read == 0 { 0 } else { ALL & !read };
        }
    }

    /// Adds what was noticed to the notes.
    pub(crate) fn note(&mut self, notes: &Notes) {
        let (three, cents) = (std::mem::take(&mut self.three_decimals), std::mem::take(&mut self.cents));
        let subject = if self.format == NumberFormat::Plain { "" } else { self.format.name() };
        notes.add(Topic::ThreeDecimals, subject, three);
        notes.add(Topic::OtherDecimals, "", cents.into());
        notes.add(Topic::RoundThousands, self.format.name(), std::mem::take(&mut self.round_thousands));
        for (unread, kind) in std::mem::take(&mut self.unread).into_iter().zip(KINDS) {
            for format in FORMATS.into_iter().filter(|format| unread & only(*format) != 0) {
                notes.say(Topic::UnreadNumbers, format!("{kind}{OF}{}", format.name()));
            }
        }
        self.currencies.drain(..).for_each(|(currency, count)| notes.add(Topic::CurrencySign, currency, count));
    }
}

/// Kinds of numbers, whose columns may be written differently.
const KINDS: [&str; 2] = ["amounts", "quantities"];
const AMOUNTS: usize = 0;
const COUNTS: usize = 1;

/// The formats that do not read all of a kind of numbers that notes tell of, of amounts first.
pub(super) fn unread(notes: &Notes, format: NumberFormat) -> [u8; 2] {
    let mut unread = [0; 2];
    for (subject, _) in notes.counts(Topic::UnreadNumbers) {
        let Some((kind, name)) = subject.split_once(OF) else { continue };
        let known = KINDS.iter().position(|known| *known == kind).zip(FORMATS.into_iter().find(|format| format.name() == name));
        known.into_iter().for_each(|(kind, format)| unread[kind] |= only(format));
    }
    if !notes.counts(Topic::OtherDecimals).is_empty() {
        unread[AMOUNTS] |= if only(format) & COMMAS == 0 { COMMAS } else { ALL & !COMMAS };
    }
    unread
}

/// The decimals of a number that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decimals {
    None,
    /// Three after a mark that could be one of thousands.
    Three,
    Others,
}

/// The formats that read a number which one reads, if it has but one mark, a point or a comma, or none.
fn readers_by_mark(text: &[u8]) -> Option<u8> {
    let first = text.iter().position(u8::is_ascii_digit)?;
    let last = text.iter().rposition(u8::is_ascii_digit)?;
    let mut marks = text[first..=last].iter().filter(|b| !b.is_ascii_digit());
    let is_bare = |around: &[u8]| !around.iter().any(|b| matches!(b, b'.' | b','));
    let mark = match (marks.next(), marks.next()) {
        (None, _) if is_bare(text) => return Some(ALL),
        (Some(mark @ (b'.' | b',')), None) if is_bare(&text[..first]) && is_bare(&text[last + 1..]) => *mark,
        _ => return None,
    };
    let is_thousands = decimals(text, mark) == Decimals::Three;
    Some(match (mark, is_thousands) {
        (b',', true) => COMMAS | only(NumberFormat::CommaPoint),
        (b',', false) => COMMAS,
        (_, true) => ALL & !only(NumberFormat::BlankComma),
        (_, false) => ALL & !COMMAS,
    })
}

/// What stands after the mark before decimals.
fn decimals(text: &[u8], mark: u8) -> Decimals {
    let Some(at) = text.iter().rposition(|&b| b == mark) else { return Decimals::None };
    let digits = text[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = text[..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let begins = at - whole;
    // A thousand begins with no zero, and neither has marks of two kinds nor blanks before it.
    let is_group = (1..=3).contains(&whole) && text[begins] != b'0' && !text[..begins].iter().any(u8::is_ascii_digit);
    match digits {
        0 => Decimals::None,
        3 if is_group => Decimals::Three,
        _ => Decimals::Others,
    }
}

/// Whether a plain amount has one or two decimals.
#[cold]
fn has_cents(text: &[u8]) -> bool {
    matches!(text, [.., b'.', b'0'..=b'9'] | [.., b'.', b'0'..=b'9', b'0'..=b'9'])
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
            // A dash for no cents is no minus.
            ("12,-", "12.00"),
            ("12.-", "12.00"),
            ("-12,-", "-12.00"),
            ("12,\u{2013} €", "12.00"),
            ("CHF 1'234.--", "1234.00"),
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
            "1.234,-",
            "12.5,-",
            ",-",
            "0 500",
            "0'500.25",
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
            (PointComma, "0,500", "0.50"),
            (PointComma, "1.234,-", "1234.00"),
            (CommaPoint, "0.500", "0.50"),
            (CommaPoint, "1,234.-", "1234.00"),
            (BlankComma, "1 234,-", "1234.00"),
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
            // No group of thousands begins with a zero.
            (PointComma, "0.500"),
            (PointComma, "00.123"),
            (PointComma, "-0.500"),
            (CommaPoint, "0,500"),
            (CommaPoint, "01,234.50"),
            (BlankComma, "0 500"),
            (PointComma, "1,234.-"),
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

    /// The short way is the long one.
    #[test]
    fn one_mark_tells_which_formats_read_a_number() {
        for text in ["1,234", "$12,000 ", "-1.234", "0.500", "1234.567", "12,5", "12", "€ 7", "0,5", "1.23456789", "(3.00)", "9,03-"] {
            assert_eq!(readers_by_mark(text.as_bytes()), Some(readers(text.as_bytes())), "{text}");
        }
        for text in ["1.234,5", "12,-", "kr. 5", "1 234", "1e3", "1.234.567", ",5"] {
            assert_eq!(readers_by_mark(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn three_decimals_are_doubtful_where_they_could_be_thousands() {
        for (text, mark, kind) in [
            ("1,234", b',', Decimals::Three),
            ("$12,000 ", b',', Decimals::Three),
            ("-1.234", b'.', Decimals::Three),
            ("0.500", b'.', Decimals::Others),
            ("1234.567", b'.', Decimals::Others),
            ("1.234,567", b',', Decimals::Others),
            ("12,5", b',', Decimals::Others),
            ("12,50", b'.', Decimals::None),
            ("12", b'.', Decimals::None),
        ] {
            assert_eq!(decimals(text.as_bytes(), mark), kind, "{text}");
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
