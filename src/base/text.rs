//! Numbers as people read them, in messages and tables.

use super::money::Fixed2;
use std::fmt::Display;

/// So many of something: `1 line`, `1,000 lines`.
pub fn counted(number: impl Display, one: &str, many: &str) -> String {
    let number = grouped(number);
    let what = if number == "1" { one } else { many };
    format!("{number} {what}")
}

/// A whole number with its thousands apart.
pub fn grouped(number: impl Display) -> String {
    let text = number.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |d| ("-", d));
    let mut out = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// So many bytes: `1 byte`, `12 KiB`, `1,500 MiB`; rounded up.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..4096 => counted(bytes, "byte", "bytes"),
        4096..0x40_0000 => format!("{} KiB", grouped(bytes.div_ceil(1 << 10))),
        0x40_0000..0x1_0000_0000 => format!("{} MiB", grouped(bytes.div_ceil(1 << 20))),
        _ => format!("{} GiB", grouped(bytes.div_ceil(1 << 30))),
    }
}

/// An amount with its thousands grouped: `1,234.50`.
pub(crate) fn money(amount: Fixed2) -> String {
    let text = amount.to_string();
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    format!("{}.{cents}", grouped(whole))
}
