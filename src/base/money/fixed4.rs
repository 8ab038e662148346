//! A finished number with four decimals.

use super::wide_quotient;
use crate::base::money::AmountError;
use arrow::datatypes::i256;
use std::fmt;
use std::str::FromStr;

/// A number with exactly four decimals: a coefficient such as Gini's. Serialized as [`Fixed2`](super::Fixed2) is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fixed4(i64);

impl Fixed4 {
    /// Rounded half away from zero; zero when the denominator is.
    pub(crate) fn quotient(numerator: i256, denominator: i256) -> Self {
        let rounded = wide_quotient(numerator, denominator, 10_000);
        Fixed4(i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX }))
    }

    /// In ten-thousandths.
    pub const fn ten_thousandths(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Fixed4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.unsigned_abs();
        write!(f, "{}{}.{:04}", if self.0 < 0 { "-" } else { "" }, n / 10_000, n % 10_000)
    }
}

impl FromStr for Fixed4 {
    type Err = AmountError;

    /// A decimal text with at most four decimals that are not zero.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let decimals = decimals.trim_end_matches('0');
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        if digits.is_empty() || decimals.len() > 4 || !digits.bytes().chain(decimals.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(AmountError::NotANumber);
        }
        format!("{whole}{decimals:0<4}").parse().map(Fixed4).map_err(|_| AmountError::OutOfRange)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn four_decimals_are_read_back() {
        let of = |n: i128, d: i128| Fixed4::quotient(i256::from_i128(n), i256::from_i128(d));
        for (n, d, text) in
            [(1, 3, "0.3333"), (2, 3, "0.6667"), (-1, 20_000, "-0.0001"), (1, 20_001, "0.0000"), (5, 1, "5.0000"), (5, 0, "0.0000")]
        {
            assert_eq!(of(n, d).to_string(), text);
            assert_eq!(text.parse::<Fixed4>().unwrap(), of(n, d));
            assert_eq!(serde_json::from_str::<Fixed4>(&serde_json::to_string(&of(n, d)).unwrap()).unwrap(), of(n, d));
        }
        for wrong in ["", "0.33333", "a", "1.2.3", "--1"] {
            wrong.parse::<Fixed4>().unwrap_err();
        }
    }
}
