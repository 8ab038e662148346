//! Numbers as people read them, in messages and tables; texts from outside as a terminal may have them.

use super::money::Fixed2;
use std::borrow::Cow;
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

/// A text without the signs by which it could move a terminal's cursor, colour it, or turn the order of letters around: they are written as
/// their numbers, `\u{1b}`. Line ends and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_unseen(c) && !matches!(c, '\n' | '\t'))
}

/// As [`visible`], on one line: for a name.
pub(crate) fn visible_name(name: &str) -> Cow<'_, str> {
    escaped(name, is_unseen)
}

fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_bad(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// A text of which each line has about so many characters at most: what is too much is left out in the middle of the line, and counted.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let lines = text.split('\n').map(|line| {
        let length = line.chars().count();
        if length <= most {
            return Cow::Borrowed(line);
        }
        let (head, tail) = (most - most / 4, most / 4);
        let begin: String = line.chars().take(head).collect();
        let end: String = line.chars().skip(length - tail).collect();
        Cow::Owned(format!("{begin} … {} left out … {end}", counted(length - head - tail, "character", "characters")))
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
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

/// A text in lines of so many characters, broken at blanks; further lines begin with an indent. A word that is longer has a line of its own.
///
/// ```
/// assert_eq!(lensflow::text::wrapped("one two three", 8, "  "), "one two\n  three\n");
/// ```
pub fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let begin = text.len() - text.trim_start().len();
    let (mut lines, mut line) = (String::new(), text[..begin].to_owned());
    for word in text.split_whitespace() {
        let is_begun = !line.trim().is_empty();
        if is_begun && line.chars().count() + 1 + word.chars().count() > width {
            lines += &line;
            lines.push('\n');
            line = indent.to_owned();
        } else if is_begun {
            line.push(' ');
        }
        line += word;
    }
    lines + &line + "\n"
}

/// The words of a name, in lower case: `Order Date`, `order_date` and `orderDate` have two.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        let is_new = !c.is_alphanumeric() || was_small && c.is_uppercase();
        if is_new {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase();
    }
    words
}

/// A name without what tells no names apart: case, blanks, underscores and hyphens. `Customer ID` and `customer_id` are one.
pub(crate) fn folded(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace() && !"_-".contains(*c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_outside_are_shown_and_do_nothing() {
        assert_eq!(visible("ana\tbo\n"), "ana\tbo\n");
        assert_eq!(visible("\u{1b}[31mred\u{9b}2J\r\u{202e}x\u{7f}"), "\\u{1b}[31mred\\u{9b}2J\\u{d}\\u{202e}x\\u{7f}");
        assert_eq!(visible_name("a\nhelp: b"), "a\\u{a}help: b");
        assert_eq!(shortened("short\nlines", 100), "short\nlines");
        let long = format!("begin{}end\nnext", "ü".repeat(1_000));
        let short = shortened(&long, 40);
        assert!(short.starts_with("beginü") && short.ends_with("üend\nnext") && short.contains("968 characters left out"), "{short}");
        assert_eq!([4_095, 4_096, 4_097, 5 << 20, 5 << 30].map(size), ["4,095 bytes", "4 KiB", "5 KiB", "5 MiB", "5 GiB"]);
    }
}
