//! Amounts as whole numbers: texts read digit by digit, quotients rounded half away from zero.

use lensflow::money::AmountError;

/// Units of 10⁻¹⁸ in one cent.
pub(super) const CENT: i128 = 10_000_000_000_000_000;

/// A decimal text in units of 10⁻¹⁸; digits beyond are rounded half to even.
pub(crate) fn units(text: &str) -> Result<i128, AmountError> {
    let text = text.trim();
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| AmountError::NotANumber)?),
        None => (body, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{decimals}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AmountError::NotANumber);
    }
    // The number is the digits · 10^(exponent − decimals).
    let mut shift = 18 + exponent - decimals.len() as i64;
    let mut dropped = String::new();
    while shift > 0 && digits.trim_start_matches('0').len() < 40 {
        digits.push('0');
        shift -= 1;
    }
    while shift < 0 {
        dropped.insert(0, digits.pop().unwrap_or('0'));
        shift += 1;
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > 34 {
        return Err(AmountError::OutOfRange);
    }
    let floor: i128 = if digits.is_empty() { 0 } else { digits.parse().expect("digits") };
    let half = format!("5{}", "0".repeat(dropped.len().saturating_sub(1)));
    let up = !dropped.is_empty() && (dropped > half || dropped == half && floor % 2 == 1);
    let units = floor + i128::from(up);
    if units >= 10i128.pow(33) {
        return Err(AmountError::OutOfRange);
    }
    Ok(if negative { -units } else { units })
}

/// The quotient, rounded half away from zero.
pub(super) fn divide(n: i128, d: i128) -> i128 {
    let sign = if (n < 0) == (d < 0) { 1 } else { -1 };
    let (n, d) = (n.abs(), d.abs());
    sign * ((2 * n + d) / (2 * d))
}

/// Two decimals.
pub(super) fn fixed(hundredths: i128) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths.abs() / 100, hundredths.abs() % 100)
}

pub(super) fn share(part: i128, whole: i128) -> i128 {
    if whole == 0 { 0 } else { divide(part * 10_000, whole) }
}

/// The change from one non-negative ratio to another, in hundredths of a percent.
pub(super) fn change((a, b): (i128, i128), (c, d): (i128, i128)) -> i128 {
    let (old, new) = (a * d, c * b);
    match (old, new) {
        (0, 0) => 0,
        (0, _) => 10_000,
        _ => divide((new - old) * 10_000, old),
    }
}
