//! How a page writes numbers: grouping and decimal marks of a [`Locale`], and the sign of a [`Currency`].
//!
//! Numbers come as the texts that the JSON has, and their digits are not touched: only marks are put between them, so that what a page
//! shows is what the report says. What is shortened for a chart's label, `1.2M`, is rounded in whole numbers.

use super::report_json::shortened;
use crate::base::error::{Error, Result};
use crate::base::money::Fixed2;
use std::fmt;
use std::str::FromStr;

/// A blank at which no line ends.
const BLANK: &str = "\u{a0}";
/// A narrow one.
const NARROW: &str = "\u{202f}";

/// Language or language and country, the mark between thousands, the decimal mark, what stands before `%`, and whether a currency stands
/// before its amount.
const LOCALES: &[(&str, &str, &str, &str, bool)] = &[
    ("cs", BLANK, ",", BLANK, false),
    ("da", ".", ",", BLANK, false),
    ("de", ".", ",", BLANK, false),
    ("de-AT", BLANK, ",", BLANK, true),
    ("de-CH", "\u{2019}", ".", "", true),
    ("en", ",", ".", "", true),
    ("es", ".", ",", BLANK, false),
    ("fi", BLANK, ",", BLANK, false),
    ("fr", NARROW, ",", NARROW, false),
    ("fr-CH", NARROW, ",", NARROW, false),
    ("it", ".", ",", "", false),
    ("it-CH", "\u{2019}", ".", "", true),
    ("ja", ",", ".", "", true),
    ("nb", BLANK, ",", BLANK, false),
    ("nl", ".", ",", "", true),
    ("no", BLANK, ",", BLANK, false),
    ("pl", BLANK, ",", "", false),
    ("pt", BLANK, ",", "", false),
    ("pt-BR", ".", ",", "", true),
    ("sv", BLANK, ",", BLANK, false),
    ("tr", ".", ",", "", true),
    ("zh", ",", ".", "", true),
];

/// Currencies that have a sign which names no other.
const SIGNS: &[(&str, &str)] = &[
    ("AUD", "A$"),
    ("BRL", "R$"),
    ("CAD", "CA$"),
    ("EUR", "€"),
    ("GBP", "£"),
    ("ILS", "₪"),
    ("INR", "₹"),
    ("JPY", "¥"),
    ("KRW", "₩"),
    ("NZD", "NZ$"),
    ("PLN", "zł"),
    ("TRY", "₺"),
    ("UAH", "₴"),
    ("USD", "$"),
    ("VND", "₫"),
];

/// Whose marks numbers have. The default is `en`: 1,234.50.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locale(usize);

impl Default for Locale {
    fn default() -> Self {
        Locale(LOCALES.iter().position(|locale| locale.0 == "en").unwrap_or_default())
    }
}

impl FromStr for Locale {
    type Err = Error;

    /// `de`, `de-CH` or `de_CH`; a country that has no marks of its own here has those of the language.
    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim().replace('_', "-");
        let language = name.split('-').next().unwrap_or_default();
        let place = |wanted: &str| LOCALES.iter().position(|locale| locale.0.eq_ignore_ascii_case(wanted));
        let looks_right = name.len() <= 20 && name.split('-').all(|part| (2..=8).contains(&part.len()));
        place(&name).or_else(|| place(language)).filter(|_| looks_right).map(Locale).ok_or_else(|| {
            let known: Vec<&str> = LOCALES.iter().map(|locale| locale.0).collect();
            Error::usage(format!("{text:?} is no locale whose numbers are known")).help(format!("say one of {}", known.join(", ")))
        })
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LOCALES[self.0].0)
    }
}

/// The currency of all amounts, by its code of three letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency([u8; 3]);

impl FromStr for Currency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let code = text.trim().to_ascii_uppercase();
        let letters = <[u8; 3]>::try_from(code.as_bytes()).ok().filter(|code| code.iter().all(u8::is_ascii_uppercase));
        letters
            .map(Currency)
            .ok_or_else(|| Error::usage(format!("{text:?} is no code of a currency")).help("say its three letters, such as EUR or USD"))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&letter| write!(f, "{}", char::from(letter)))
    }
}

impl Currency {
    /// What stands beside an amount: a sign, or else the code.
    fn sign(self) -> String {
        let code = self.to_string();
        SIGNS.iter().find(|sign| sign.0 == code).map_or(code, |sign| sign.1.to_owned())
    }
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NumberStyle {
    pub(super) locale: Locale,
    pub(super) currency: Option<Currency>,
}

impl NumberStyle {
    /// A number's text with its thousands apart: `-1234.50` becomes `−1,234.50`. What is no number is shown as a name.
    pub(super) fn number(&self, text: &str) -> String {
        let (_, group, mark, ..) = LOCALES[self.locale.0];
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("−", digits));
        let (whole, decimals) = digits.split_once('.').map_or((digits, None), |(whole, decimals)| (whole, Some(decimals)));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !decimals.is_none_or(is_number) {
            return shortened(text);
        }
        let mut out = String::from(sign);
        for (i, digit) in whole.chars().enumerate() {
            if i > 0 && (whole.len() - i) % 3 == 0 {
                out += group;
            }
            out.push(digit);
        }
        decimals.iter().for_each(|decimals| out += &format!("{mark}{decimals}"));
        out
    }

    /// A number's text with the currency, if there is one.
    pub(super) fn amount(&self, text: &str) -> String {
        self.with_sign(self.number(text))
    }

    /// A percentage.
    pub(super) fn percent(&self, text: &str) -> String {
        format!("{}{}%", self.number(text), LOCALES[self.locale.0].3)
    }

    /// With a plus where it is above zero.
    pub(super) fn signed(&self, written: String) -> String {
        let is_zero = !written.chars().any(|c| ('1'..='9').contains(&c));
        if written.starts_with('−') || is_zero { written } else { format!("+{written}") }
    }

    /// A short form of an amount or a count for labels, with three digits or so: `28.1`, `9,431`, `1.2M`.
    pub(super) fn short(&self, number: Fixed2) -> String {
        let size = number.hundredths().unsigned_abs();
        let sign = if number.hundredths() < 0 { "-" } else { "" };
        // A unit in hundredths, and its letter.
        let (unit, letter) = match size {
            0..1_000_000 => (100, ""),
            1_000_000..99_950_000 => (100_000, "K"),
            99_950_000..99_950_000_000 => (100_000_000, "M"),
            99_950_000_000..99_950_000_000_000 => (100_000_000_000, "B"),
            _ => (100_000_000_000_000, "T"),
        };
        let decimals = match size / unit {
            0..10 => 2,
            10..100 if letter.is_empty() && size.is_multiple_of(100) => 0,
            10..100 => 1,
            _ => 0,
        };
        let step = unit / 10_u128.pow(decimals);
        let digits = (size + step / 2) / step;
        let scale = 10_u128.pow(decimals);
        let mut text = format!("{sign}{}", digits / scale);
        if decimals > 0 {
            let rest = format!("{:0>1$}", digits % scale, decimals as usize);
            let rest = rest.trim_end_matches('0');
            if !rest.is_empty() {
                text += &format!(".{rest}");
            }
        }
        self.number(&text) + letter
    }

    /// A short form of an amount, with the currency.
    pub(super) fn short_amount(&self, amount: Fixed2) -> String {
        self.with_sign(self.short(amount))
    }

    /// The name of a column of amounts: the currency is said once, and not in each cell.
    pub(super) fn column(&self, name: &str) -> String {
        self.currency.map_or_else(|| name.to_owned(), |currency| format!("{name}, {currency}"))
    }

    fn with_sign(&self, written: String) -> String {
        let Some(sign) = self.currency.map(Currency::sign) else { return written };
        let is_before = LOCALES[self.locale.0].4;
        let (minus, digits) = written.strip_prefix('−').map_or(("", written.as_str()), |digits| ("−", digits));
        let is_word = sign.ends_with(|c: char| c.is_alphabetic());
        match is_before {
            true if is_word || self.locale != Locale::default() => format!("{minus}{sign}{BLANK}{digits}"),
            true => format!("{minus}{sign}{digits}"),
            false => format!("{minus}{digits}{BLANK}{sign}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn style(locale: &str, currency: &str) -> NumberStyle {
        NumberStyle { locale: locale.parse().unwrap(), currency: currency.parse().ok() }
    }

    #[test]
    fn digits_stay_and_marks_follow_the_locale() {
        let long = "-12345678901234567890.12";
        let written = ["en", "de", "fr", "de-CH", "sv"].map(|locale| style(locale, "").number(long));
        assert_eq!(written[0], "−12,345,678,901,234,567,890.12");
        assert_eq!(written[1], "−12.345.678.901.234.567.890,12");
        assert_eq!(written[2], "−12\u{202f}345\u{202f}678\u{202f}901\u{202f}234\u{202f}567\u{202f}890,12");
        assert_eq!(written[3], "−12’345’678’901’234’567’890.12");
        for same in ["", "-", "1e5", "12.", "<b>", "1.2.3", "NaN"] {
            assert_eq!(style("de", "").number(same), same);
        }
    }

    #[test]
    fn amounts_have_their_currency_where_the_locale_puts_it() {
        assert_eq!(style("en", "EUR").amount("-1234.50"), "−€1,234.50");
        assert_eq!(style("en_GB", "chf").amount("1.00"), "CHF\u{a0}1.00");
        assert_eq!(style("de-DE", "EUR").amount("1234.50"), "1.234,50\u{a0}€");
        assert_eq!(style("nl", "EUR").amount("1234.50"), "€\u{a0}1.234,50");
        assert_eq!([style("en", "").percent("5.00"), style("de", "").percent("5.00")], ["5.00%", "5,00\u{a0}%"]);
        for (wrong, of_currency) in [("EURO", true), ("E1R", true), ("", true), ("€", true), ("xx", false), ("de-", false), ("", false)] {
            let refused = if of_currency { wrong.parse::<Currency>().is_err() } else { wrong.parse::<Locale>().is_err() };
            assert!(refused, "{wrong}");
        }
    }

    #[test]
    fn short_forms_are_rounded_in_whole_numbers() {
        let short = |hundredths: i128| style("en", "").short(Fixed2::from_hundredths(hundredths));
        let cases = [
            (0, "0"),
            (5, "0.05"),
            (150, "1.5"),
            (2_813, "28.1"),
            (9_900, "99"),
            (99_949, "999"),
            (99_950, "1,000"),
            (943_149, "9,431"),
            (999_999, "10,000"),
            (1_000_000, "10K"),
            (1_234_500, "12.3K"),
            (99_949_999, "999K"),
            (99_950_000, "1M"),
            (-107_180_547, "−1.07M"),
            (100_000_000_000_000_000, "1,000T"),
            (i128::MAX, "1,701,411,834,604,692,317,316,873T"),
        ];
        for (hundredths, text) in cases {
            assert_eq!(short(hundredths), text, "{hundredths}");
        }
    }
}
