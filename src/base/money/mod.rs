//! Exact amounts: parse, add, divide, round half away from zero. No float ever holds money here.
//!
//! Four types, one per use: an [`Amount`] is what one row says (up to 18 fractional digits); a [`Total`] is an exact sum, which cannot
//! overflow; a [`Fixed2`] is a finished number with two decimals, which is what outputs hold, and a [`Fixed4`] one with four.
//!
//! An amount is kept as whole cents rounded down plus the fraction of a cent in units of 10⁻¹⁸, because real files hold cents: the
//! fraction is nearly always zero and the sum is then one 64-bit addition.

mod amount;
mod fixed4;

pub use super::money::amount::{Amount, AmountError, UNITS_PER_CENT};
pub use super::money::fixed4::Fixed4;

use super::merge::Merge;
use arrow::datatypes::i256;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::cell::Cell;
use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;

/// An exact sum of amounts. 2⁶⁰ amounts of the largest size still fit. Serialized as text, `"-0.008"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Total {
    cents: i128,
    fraction: u64,
}

impl Total {
    /// A sum from its parts; the fraction may exceed a cent.
    pub(crate) fn new(cents: i128, fraction: u64) -> Self {
        Total { cents: cents + i128::from(fraction / UNITS_PER_CENT), fraction: fraction % UNITS_PER_CENT }
    }

    /// Adds one amount.
    pub fn add(&mut self, amount: Amount) {
        self.merge(amount.into());
    }

    /// Takes off another sum.
    pub(crate) fn subtract(&mut self, other: Total) {
        let (borrow, fraction) = match self.fraction.checked_sub(other.fraction) {
            Some(fraction) => (0, fraction),
            None => (1, self.fraction + UNITS_PER_CENT - other.fraction),
        };
        *self = Total { cents: self.cents - other.cents - borrow, fraction };
    }

    /// Whether it is a number of whole cents.
    #[inline]
    pub(crate) fn is_cents(self) -> bool {
        self.fraction == 0
    }

    /// The sum in millionths, rounded half away from zero.
    pub(crate) fn millionths(self) -> i128 {
        const UNITS: i128 = UNITS_PER_CENT as i128 / 10_000;
        let units = i128::from(self.fraction);
        let (down, rest) = (units / UNITS, units % UNITS);
        let up = rest > UNITS / 2 || rest == UNITS / 2 && self.cents >= 0;
        self.cents * 10_000 + down + i128::from(up)
    }

    /// Splits the sum: cents that do not fit 64 bits, cents that do, and the fraction.
    pub(crate) fn split(self) -> (i128, i64, u64) {
        match i64::try_from(self.cents) {
            Ok(cents) => (0, cents, self.fraction),
            Err(_) => (self.cents, 0, self.fraction),
        }
    }

    /// The sum in cents, rounded half away from zero.
    pub fn rounded(self) -> Fixed2 {
        let half = UNITS_PER_CENT / 2;
        // The fraction counts upwards from the floor, so exactly half goes up for positive sums and down, away from zero, for negative ones.
        let up = self.fraction > half || self.fraction == half && self.cents >= 0;
        Fixed2(self.cents + i128::from(up))
    }
}

impl Merge for Total {
    fn merge(&mut self, other: Total) {
        *self = Total::new(self.cents + other.cents, self.fraction + other.fraction);
    }
}

impl From<Amount> for Total {
    fn from(amount: Amount) -> Self {
        Total { cents: amount.cents.into(), fraction: amount.fraction }
    }
}

impl From<Fixed2> for Total {
    fn from(money: Fixed2) -> Self {
        Total::new(money.0, 0)
    }
}

impl fmt::Display for Total {
    /// At least two decimals, at most 18, no trailing zeros beyond the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The fraction counts upwards; below zero, digits count downwards.
        let (cents, fraction) = match self.cents < 0 && self.fraction > 0 {
            true => (self.cents + 1, UNITS_PER_CENT - self.fraction),
            false => (self.cents, self.fraction),
        };
        let (sign, cents) = (if self.cents < 0 { "-" } else { "" }, cents.unsigned_abs());
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)?;
        if fraction == 0 { Ok(()) } else { f.write_str(format!("{fraction:016}").trim_end_matches('0')) }
    }
}

impl FromStr for Total {
    type Err = AmountError;

    /// A decimal text with at most 18 decimals.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let (cents, fraction) = decimals.split_at_checked(2).unwrap_or((decimals, ""));
        let Fixed2(cents) = format!("{whole}.{cents}").parse()?;
        if fraction.len() > 16 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AmountError::NotANumber);
        }
        let fraction = format!("0{fraction:0<16}").parse().map_err(|_| AmountError::NotANumber)?;
        Ok(match text.starts_with('-') && fraction > 0 {
            true => Total { cents: cents - 1, fraction: UNITS_PER_CENT - fraction },
            false => Total { cents, fraction },
        })
    }
}

/// A number with exactly two decimals: money, a percentage, an average. Serialized as text, `"12.50"`; in the JSON of
/// [reports](crate::report::json_text) as a number, `12.50`. Both are read, from JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fixed2(i128);

/// A finished amount of money, in cents.
pub type Money = Fixed2;
/// A finished percentage, to two decimals.
pub type Percent = Fixed2;

impl Fixed2 {
    /// Zero.
    pub const ZERO: Fixed2 = Fixed2(0);

    /// From hundredths: cents of money, hundredths of a percent.
    pub const fn from_hundredths(hundredths: i128) -> Self {
        Fixed2(hundredths)
    }

    /// In hundredths.
    pub const fn hundredths(self) -> i128 {
        self.0
    }

    /// `numerator / denominator` (both in the same unit), rounded to two decimals half away from zero; zero when the denominator is.
    pub fn quotient(numerator: i128, denominator: i128) -> Self {
        Fixed2(wide_quotient(i256::from_i128(numerator), i256::from_i128(denominator), 100))
    }

    /// `part / whole` × 100, rounded to two decimals half away from zero; zero when `whole` is.
    pub fn percent(part: i128, whole: i128) -> Self {
        Fixed2(wide_quotient(i256::from_i128(part), i256::from_i128(whole), 10_000))
    }

    /// The change from `old = a/b` to `new = c/d` in percent; 100.00 from nothing to something, 0.00 from nothing to nothing.
    /// All four are at least 0, `b` and `d` at least 1. Computed in 256 bits: a product of two sums may exceed 128.
    pub(crate) fn change_of_ratios((a, b): (i128, i128), (c, d): (i128, i128)) -> Self {
        let wide = i256::from_i128;
        let (old, new) = (wide(a).wrapping_mul(wide(d)), wide(c).wrapping_mul(wide(b)));
        if old == i256::ZERO {
            return Fixed2(if new > i256::ZERO { 10_000 } else { 0 });
        }
        Fixed2(wide_quotient(new.wrapping_sub(old), old, 10_000))
    }

    /// The double nearest to it.
    pub fn to_f64(self) -> f64 {
        // Below 2⁵³ hundredths, an IEEE division of two exact doubles is the correctly rounded quotient; above, the text is.
        if self.0.unsigned_abs() < 1 << 53 { self.0 as f64 / 100.0 } else { self.to_string().parse().unwrap_or(f64::NAN) }
    }
}

/// The quotient times a scale, rounded half away from zero; 0 when the denominator is.
fn wide_quotient(numerator: i256, denominator: i256, scale: i128) -> i128 {
    if denominator == i256::ZERO {
        return 0;
    }
    // |numerator| < 2¹²⁷·2¹²⁷ and the scale is 10⁴ at most; callers multiply sums far below 2¹²⁰, so 256 bits hold every product.
    let scaled = numerator.wrapping_mul(i256::from_i128(scale));
    let negative = (scaled < i256::ZERO) != (denominator < i256::ZERO);
    let (n, d) = (scaled.wrapping_abs(), denominator.wrapping_abs());
    let (quotient, rest) = (n.wrapping_div(d), n.wrapping_rem(d));
    let up = rest >= d.wrapping_sub(rest);
    let rounded = quotient.to_i128().map_or(i128::MAX, |q| q.saturating_add(i128::from(up)));
    if negative { -rounded } else { rounded }
}

impl AddAssign for Fixed2 {
    fn add_assign(&mut self, other: Fixed2) {
        self.0 += other.0;
    }
}

impl fmt::Display for Fixed2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.unsigned_abs();
        write!(f, "{}{}.{:02}", if self.0 < 0 { "-" } else { "" }, n / 100, n % 100)
    }
}

impl FromStr for Fixed2 {
    type Err = AmountError;

    /// A decimal text with at most two decimals that are not zero.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let text = text.trim();
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let decimals = decimals.trim_end_matches('0');
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        if digits.is_empty() || decimals.len() > 2 || !digits.bytes().chain(decimals.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(AmountError::NotANumber);
        }
        format!("{whole}{decimals:0<2}").parse().map(Fixed2).map_err(|_| AmountError::OutOfRange)
    }
}

thread_local! {
    static AS_NUMBERS: Cell<bool> = const { Cell::new(false) };
}

/// What `serialize` returns; amounts that it serializes into JSON on this thread are numbers with all of their decimals, and not texts.
/// Only for serializers of `serde_json`.
pub(crate) fn as_json_numbers<T>(serialize: impl FnOnce() -> T) -> T {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            AS_NUMBERS.set(self.0);
        }
    }
    let _back = Back(AS_NUMBERS.replace(true));
    serialize()
}

/// Numbers that are serialized as their text, or in [`as_json_numbers`] as JSON numbers.
macro_rules! as_text {
    ($($number:ty),*) => {$(
        impl Serialize for $number {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if !AS_NUMBERS.get() {
                    return s.collect_str(self);
                }
                RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?.serialize(s)
            }
        }

        impl<'de> Deserialize<'de> for $number {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                // As it is written: a float would not keep all digits.
                let raw = Box::<RawValue>::deserialize(d)?;
                let text = raw.get().trim_matches('"');
                text.parse().map_err(|e| serde::de::Error::custom(format!("{text:?} is {e}")))
            }
        }
    )*};
}

as_text!(Amount, Total, Fixed2, Fixed4);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sum(texts: &[&str]) -> String {
        let mut total = Total::default();
        texts.iter().for_each(|t| total.add(t.parse().unwrap()));
        total.rounded().to_string()
    }

    #[test]
    fn sums_round_once_half_away_from_zero() {
        assert_eq!(sum(&["0.001"; 5]), "0.01");
        assert_eq!(sum(&["0.001"; 4]), "0.00");
        assert_eq!(sum(&["0.1", "0.2"]), "0.30");
        assert_eq!(sum(&["-0.005"]), "-0.01");
        assert_eq!(sum(&["-0.0049"]), "0.00");
        assert_eq!(sum(&["-1.005", "0.000000000000000001"]), "-1.00");
        assert_eq!(sum(&["999999999999999.99"; 1000]), "999999999999999990.00");
    }

    #[test]
    fn sums_are_the_same_when_their_text_is_read() {
        for text in ["0.00", "-0.008", "0.000000000000000001", "-0.000000000000000001", "-1.00", "-12.3456", "999999999999999999.99"] {
            let total = text.parse::<Total>().unwrap();
            assert_eq!(total.to_string(), text);
        }
        let mut sum = "-0.004".parse::<Total>().unwrap();
        sum.merge(sum);
        assert_eq!((sum.to_string(), sum.rounded().to_string()), ("-0.008".to_owned(), "-0.01".to_owned()));
        for wrong in ["", "-", "1.2.3", "0.0000000000000000001", "0.00-1", "1e2", "0.00é"] {
            wrong.parse::<Total>().unwrap_err();
        }
    }

    #[test]
    fn quotients_round_half_away_from_zero() {
        assert_eq!(Fixed2::quotient(1, 3).to_string(), "0.33");
        assert_eq!(Fixed2::quotient(1, 200).to_string(), "0.01");
        assert_eq!(Fixed2::quotient(-1, 200).to_string(), "-0.01");
        assert_eq!(Fixed2::percent(2, 3).to_string(), "66.67");
        assert_eq!(Fixed2::percent(1, 0), Fixed2::ZERO);
        assert_eq!(Fixed2::change_of_ratios((0, 1), (5, 1)).to_string(), "100.00");
        assert_eq!(Fixed2::change_of_ratios((0, 1), (0, 1)), Fixed2::ZERO);
        assert_eq!(Fixed2::change_of_ratios((200, 2), (300, 2)).to_string(), "50.00");
        assert_eq!(Fixed2::change_of_ratios((i128::MAX >> 20, 1 << 60), (i128::MAX >> 21, 1 << 60)).to_string(), "-50.00");
    }

    #[test]
    fn nearest_double() {
        for text in ["0.00", "0.07", "12.34", "90071992547409.93", "9007199254740993.01", "12345678901234567.89"] {
            assert_eq!(text.parse::<Fixed2>().unwrap().to_f64(), text.parse::<f64>().unwrap());
        }
    }
}
