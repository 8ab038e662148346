//! Amounts: what one row says, in all the forms that files have, read exactly.

use super::Total;
use arrow::datatypes::i256;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Units of 10⁻¹⁸ in one cent.
pub const UNITS_PER_CENT: u64 = 10_000_000_000_000_000;
/// An amount's absolute value stays below this many cents (10¹⁵ in money).
const CENTS_LIMIT: i128 = 100_000_000_000_000_000;
/// 10³³: the same limit in units of 10⁻¹⁸.
const UNITS_LIMIT: i128 = CENTS_LIMIT * UNITS_PER_CENT as i128;

/// Why a text or a number is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountError {
    /// Not a decimal number; NaN and infinities too.
    NotANumber,
    /// 10¹⁵ or more in absolute value.
    OutOfRange,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AmountError::NotANumber => "not a decimal number",
            AmountError::OutOfRange => "10^15 or more in absolute value",
        })
    }
}

impl std::error::Error for AmountError {}

/// One row's amount of money, exact to the 18th decimal; |amount| < 10¹⁵.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount {
    /// Whole cents, rounded towards minus infinity.
    pub(crate) cents: i64,
    /// The rest, in units of 10⁻¹⁸: less than [`UNITS_PER_CENT`].
    pub(crate) fraction: u64,
}

impl Amount {
    /// An amount of whole cents.
    ///
    /// # Errors
    /// When it is 10¹⁵ (in money, not cents) or more in absolute value.
    pub fn from_cents(cents: i64) -> Result<Self, AmountError> {
        if i128::from(cents).abs() < CENTS_LIMIT { Ok(Amount { cents, fraction: 0 }) } else { Err(AmountError::OutOfRange) }
    }

    /// `unscaled` · 10^-`scale`, as in an Arrow decimal. Digits beyond the 18th decimal are rounded half to even.
    ///
    /// # Errors
    /// When it is 10¹⁵ or more in absolute value.
    pub fn from_decimal(unscaled: i128, scale: i8) -> Result<Self, AmountError> {
        let scale = i32::from(scale);
        if scale == 2 {
            let cents = i64::try_from(unscaled).map_err(|_| AmountError::OutOfRange)?;
            return Self::from_cents(cents);
        }
        if unscaled == 0 {
            return Ok(Amount::default());
        }
        if scale <= 18 {
            let factor = 10i128.checked_pow(18u32.wrapping_sub(scale as u32)).ok_or(AmountError::OutOfRange)?;
            Self::from_units(unscaled.checked_mul(factor).ok_or(AmountError::OutOfRange)?)
        } else {
            // A scale beyond 56 leaves nothing of an i128 but its sign.
            let Some(divisor) = 10i128.checked_pow((scale - 18) as u32) else { return Ok(Amount::default()) };
            let (whole, rest) = (unscaled / divisor, (unscaled % divisor).abs());
            let up = rest > divisor - rest || (rest == divisor - rest && whole % 2 != 0);
            Self::from_units(whole + if up { unscaled.signum() } else { 0 })
        }
    }

    /// A double, read as its shortest round-trip decimal: the double `0.1` is exactly 0.1.
    ///
    /// # Errors
    /// NaN, infinities, and 10¹⁵ or more in absolute value.
    pub fn from_f64(x: f64) -> Result<Self, AmountError> {
        // Up to 15 significant digits a decimal and its double determine each other, so whole cents can be checked by one division.
        let cents = (x * 100.0).round();
        if cents.abs() < 1e15 && cents / 100.0 == x {
            return Ok(Amount { cents: cents as i64, fraction: 0 });
        }
        if !x.is_finite() {
            return Err(AmountError::NotANumber);
        }
        Self::parse(format!("{x:e}").as_bytes())
    }

    /// A decimal text: `12`, `-0.5`, `.25`, `1e3`; spaces around it are ignored. Digits beyond the 18th decimal are rounded half to even.
    ///
    /// # Errors
    /// When it is no decimal number, or 10¹⁵ or more in absolute value.
    pub fn parse(text: &[u8]) -> Result<Self, AmountError> {
        Self::parse_cents(text).map_or_else(|| Self::parse_general(text.trim_ascii()), Ok)
    }

    /// The layout nearly every file has: an optional minus, up to 15 digits, and none or one or two decimals.
    #[inline]
    pub(crate) fn parse_cents(text: &[u8]) -> Option<Self> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let cents = short_cents(digits).or_else(|| long_cents(digits))?;
        Some(Amount { cents: if negative { -cents } else { cents }, fraction: 0 })
    }

    pub(crate) fn parse_general(text: &[u8]) -> Result<Self, AmountError> {
        let (negative, body) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (mantissa, exponent) = match body.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => (&body[..at], parse_exponent(&body[at + 1..])?),
            None => (body, 0),
        };
        let point = mantissa.iter().position(|&b| b == b'.').unwrap_or(mantissa.len());
        let (whole, decimals) = (&mantissa[..point], mantissa.get(point + 1..).unwrap_or_default());
        if whole.is_empty() && decimals.is_empty() || !whole.iter().chain(decimals).all(u8::is_ascii_digit) {
            return Err(AmountError::NotANumber);
        }
        // The number is 0.d₀d₁d₂… · 10^magnitude with d₀ ≠ 0.
        let zeros = whole.iter().chain(decimals).take_while(|&&b| b == b'0').count();
        let digits = || whole.iter().chain(decimals).skip(zeros).map(|b| i128::from(b - b'0'));
        let count = whole.len() + decimals.len() - zeros;
        if count == 0 {
            return Ok(Amount::default());
        }
        let magnitude = whole.len() as i64 - zeros as i64 + exponent;
        if magnitude > 15 {
            return Err(AmountError::OutOfRange);
        }
        // Digits at places 0 .. magnitude + 18 are kept, the next one rounds, the rest only break ties.
        let kept = magnitude + 18;
        if kept < 0 {
            return Ok(Amount::default());
        }
        let kept = kept as usize;
        let mut units = digits().take(kept).fold(0i128, |n, d| n * 10 + d);
        for _ in count..kept {
            units *= 10;
        }
        let next = digits().nth(kept).unwrap_or(0);
        let beyond = digits().skip(kept + 1).any(|d| d != 0);
        if next > 5 || next == 5 && (beyond || units % 2 != 0) {
            units += 1;
        }
        Self::from_units(if negative { -units } else { units })
    }

    /// The product, rounded half to even at the 18th decimal.
    ///
    /// # Errors
    /// When it is 10¹⁵ or more in absolute value.
    #[inline]
    pub fn times(self, other: Amount) -> Result<Self, AmountError> {
        if self.fraction != 0 || other.fraction != 0 {
            return self.wide_times(other);
        }
        // Cents times cents are in units of 10⁻⁴; nearly all fit a word, where a constant divides without dividing.
        if let Some(product) = self.cents.checked_mul(other.cents) {
            let (cents, rest) = (product.div_euclid(100), product.rem_euclid(100));
            return Ok(Amount { cents, fraction: rest as u64 * (UNITS_PER_CENT / 100) });
        }
        let product = i128::from(self.cents) * i128::from(other.cents);
        if product.abs() >= CENTS_LIMIT * 100 {
            return Err(AmountError::OutOfRange);
        }
        Ok(Amount { cents: product.div_euclid(100) as i64, fraction: product.rem_euclid(100) as u64 * (UNITS_PER_CENT / 100) })
    }

    fn wide_times(self, other: Amount) -> Result<Self, AmountError> {
        // Below 10⁶⁶, which 256 bits hold.
        let product = i256::from_i128(self.units()).wrapping_mul(i256::from_i128(other.units()));
        let one = 10i128.pow(18);
        let whole = product.wrapping_div(i256::from_i128(one)).to_i128().ok_or(AmountError::OutOfRange)?;
        let rest = product.wrapping_rem(i256::from_i128(one)).as_i128();
        let up = rest.abs() > one - rest.abs() || rest.abs() == one - rest.abs() && whole % 2 != 0;
        Self::from_units(whole + if up { rest.signum() } else { 0 })
    }

    /// The difference.
    ///
    /// # Errors
    /// When it is 10¹⁵ or more in absolute value.
    #[inline]
    pub fn minus(self, other: Amount) -> Result<Self, AmountError> {
        if self.fraction != 0 || other.fraction != 0 {
            return Self::from_units(self.units() - other.units());
        }
        Self::from_cents(self.cents - other.cents)
    }

    fn from_units(units: i128) -> Result<Self, AmountError> {
        if units.abs() >= UNITS_LIMIT {
            return Err(AmountError::OutOfRange);
        }
        let per_cent = i128::from(UNITS_PER_CENT);
        // Both fit: |units| < 10³³, so cents < 10¹⁷ and the remainder < 10¹⁶.
        Ok(Amount { cents: units.div_euclid(per_cent) as i64, fraction: units.rem_euclid(per_cent) as u64 })
    }

    fn units(self) -> i128 {
        i128::from(self.cents) * i128::from(UNITS_PER_CENT) + i128::from(self.fraction)
    }
}

/// `0.00` to `99999.99`: two decimals, in one word.
#[inline]
fn short_cents(text: &[u8]) -> Option<i64> {
    // Two halves that may overlap; the last byte of the text is the highest of the word.
    let (first, last) = (u32::from_le_bytes(*text.first_chunk()?), u32::from_le_bytes(*text.last_chunk()?));
    let unused = 8 * 8usize.checked_sub(text.len())?;
    let word = u64::from(first) << unused | u64::from(last) << 32;
    if (word >> 40) as u8 != b'.' {
        return None;
    }
    // The whole part moves over the point; zeros come in before it.
    let digits = (word >> 48) << 48 | (word << 24) >> 16;
    let values = digits ^ (0x3030_3030_3030_3030 & (u64::MAX << 8 << unused));
    // 6 more carries what is above 9 into the upper half of its byte.
    if (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0 != 0 {
        return None;
    }
    // Neighbours are joined to numbers of two digits, then of four, then of eight.
    let pairs = (values * 10 + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some(((fours * 10_000 + (fours >> 32)) & 0xffff_ffff) as i64)
}

/// Up to 15 digits, and none or one or two decimals.
fn long_cents(text: &[u8]) -> Option<i64> {
    if text.len() > 18 {
        return None;
    }
    let (mut value, mut seen, mut decimals) = (0i64, 0usize, None);
    for &b in text {
        match b {
            b'0'..=b'9' => {
                value = value * 10 + i64::from(b - b'0');
                seen += 1;
                decimals = decimals.map(|d| d + 1);
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            _ => return None,
        }
    }
    let decimals = decimals.unwrap_or(0);
    if seen == 0 || decimals > 2 || seen - decimals > 15 {
        return None;
    }
    Some(value * [100, 10, 1][decimals])
}

fn parse_exponent(text: &[u8]) -> Result<i64, AmountError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(AmountError::NotANumber);
    }
    // Beyond ±10⁹ the exact value no longer matters: the amount is zero or out of range.
    let value = digits.iter().fold(0i64, |n, b| (n * 10 + i64::from(b - b'0')).min(1_000_000_000));
    Ok(if negative { -value } else { value })
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Amount {
    /// As a [`Total`] is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Total::from(*self).fmt(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly() {
        for (text, shown) in [
            ("12", "12.00"),
            ("-0.5", "-0.50"),
            (".25", "0.25"),
            ("7.", "7.00"),
            ("+1e3", "1000.00"),
            ("1E-3", "0.001"),
            ("22.82712843293411", "22.82712843293411"),
            (" 3.10 ", "3.10"),
            ("999999999999999.99", "999999999999999.99"),
            ("0.0000000000000000005", "0.00"),
            ("0.0000000000000000015", "0.000000000000000002"),
            ("0.00000000000000000050001", "0.000000000000000001"),
            ("-0.0000000000000000025", "-0.000000000000000002"),
            ("000000000000000000000000000001.5", "1.50"),
            ("0e99999999999999999999", "0.00"),
            ("1e-99999999999", "0.00"),
        ] {
            assert_eq!(text.parse::<Amount>().unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "-", ".", "1,5", "1.2.3", "abc", "NaN", "inf", "1e", "0x10", "1_000", "--1", "12 3", "1e5.0", "１"] {
            assert_eq!(text.parse::<Amount>(), Err(AmountError::NotANumber), "{text}");
        }
        for text in ["1000000000000000", "-1e15", "999999999999999.9999999999999999999", "1e400"] {
            assert_eq!(text.parse::<Amount>(), Err(AmountError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn short_amounts_are_read_as_others_are() {
        for text in ["0.00", "1.05", "12.34", "907.65", "99999.99", "00123.45"].map(str::as_bytes) {
            assert!(short_cents(text).is_some());
            // Every text that differs from a plain one in one byte, or begins or ends elsewhere.
            for at in 0..text.len() {
                for byte in 0..=u8::MAX {
                    let mut near = text.to_vec();
                    near[at] = byte;
                    for near in [&near[..], &near[..at], &near[at..]] {
                        for text in [near.to_vec(), [b"-", near].concat()] {
                            let general = Amount::parse_general(text.trim_ascii());
                            assert_eq!(Amount::parse(&text), general, "{:?}", text.escape_ascii().to_string());
                        }
                    }
                }
            }
        }
        for cents in (0..1_000_000).step_by(7) {
            let text = format!("{}.{:02}", cents / 100, cents % 100);
            assert_eq!(short_cents(text.as_bytes()), Some(cents), "{text}");
        }
    }

    #[test]
    fn doubles_are_their_shortest_decimal() {
        for x in [0.1, 0.07, 1e-7, 22.82712843293411, -3.335, 1e14, 123456789.12, 0.1 + 0.2, 999999999999999.9, 4.35, 5e-324] {
            assert_eq!(Amount::from_f64(x), format!("{x:?}").parse(), "{x:?}");
        }
        assert_eq!(Amount::from_f64(f64::NAN), Err(AmountError::NotANumber));
        assert_eq!(Amount::from_f64(f64::INFINITY), Err(AmountError::NotANumber));
        assert_eq!(Amount::from_f64(1e15), Err(AmountError::OutOfRange));
    }

    #[test]
    fn decimals_of_any_scale() {
        for (unscaled, scale, text) in [
            (123, 2, "1.23"),
            (123, 0, "123"),
            (123, -2, "12300"),
            (123_456, 5, "1.23456"),
            (25, 20, "0.00"),
            (150, 20, "0.000000000000000002"),
            (151, 20, "0.000000000000000002"),
            (-150, 20, "-0.000000000000000002"),
            (i128::MAX, 120, "0"),
        ] {
            assert_eq!(Amount::from_decimal(unscaled, scale), text.parse(), "{unscaled} {scale}");
        }
        assert_eq!(Amount::from_decimal(1, -15), Err(AmountError::OutOfRange));
        assert_eq!(Amount::from_decimal(i128::MAX, 2), Err(AmountError::OutOfRange));
        assert_eq!(Amount::from_decimal(1, -120), Err(AmountError::OutOfRange));
        assert_eq!(Amount::from_decimal(i128::MIN, 38), Ok(Amount { cents: -171, fraction: UNITS_PER_CENT - 1_411_834_604_692_317 }));
    }
}
