//! The shapes of dates: the formats by which a text may be written, told by its parts. What fits is to be tried by whoever asks.
//!
//! Known are days of three numbers, days with the English name of a month, digits alone; a weekday before them; a time of day after them,
//! with AM or PM, parts of seconds, an offset. Names of time zones but UTC's have no format: they do not tell how far they are from UTC.

/// A run of digits, of letters, or of anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Digits(&'a str),
    Letters(&'a str),
    Signs(&'a str),
}

const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// More parts are no date.
const PARTS: usize = 24;

/// The formats that a text may have; of several, those with the month first are first.
pub(super) fn candidates(text: &str) -> Vec<String> {
    let parts = parts(text.trim());
    if parts.len() > PARTS || !parts.iter().any(|part| matches!(part, Part::Digits(_))) {
        return Vec::new();
    }
    let (prefix, rest) = weekday(&parts);
    let mut formats = Vec::new();
    for (day, rest) in days(rest) {
        formats.extend(after_day(rest).into_iter().map(|time| format!("{prefix}{day}{time}")));
    }
    formats.extend(by_programs(rest).map(|format| format!("{prefix}{format}")));
    formats
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let kind = |c: char| if c.is_ascii_digit() { 0 } else { 1 + usize::from(c.is_alphabetic()) };
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| kind(c) != kind(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        parts.push([Part::Digits(run), Part::Signs(run), Part::Letters(run)][kind(first)]);
        rest = after;
    }
    parts
}

/// The name of a day, and what follows it.
fn weekday<'p, 't>(parts: &'p [Part<'t>]) -> (String, &'p [Part<'t>]) {
    match parts {
        [Part::Letters(name), Part::Signs(signs), rest @ ..] if is_of(&WEEKDAYS, name) => {
            (format!("{}{}", if name.len() > 3 { "%A" } else { "%a" }, blanks(signs)), rest)
        }
        _ => (String::new(), parts),
    }
}

fn is_of(names: &[&str], word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    names.iter().any(|name| *name == word || word.len() == 3 && name.starts_with(&word))
}

/// The month's format; the long one reads short names, too.
fn month(word: &str) -> Option<&'static str> {
    is_of(&MONTHS, word).then_some(if word.len() > 3 || word.eq_ignore_ascii_case("may") { "%B" } else { "%b" })
}

/// Signs as a format has them: a blank before a number stands for several.
fn blanks(signs: &str) -> String {
    let mut said = signs.replace('%', "%%");
    while said.ends_with("  ") {
        said.pop();
    }
    said
}

fn year(digits: &str) -> Option<&'static str> {
    match digits.len() {
        4 => Some("%Y"),
        2 => Some("%y"),
        _ => None,
    }
}

/// The ways to read the parts that a text begins with as a day, with what follows.
fn days<'p, 't>(parts: &'p [Part<'t>]) -> Vec<(String, &'p [Part<'t>])> {
    use Part::{Digits, Letters, Signs};
    let short = |digits: &str| digits.len() <= 2;
    match parts {
        [Digits(a), Signs(s), Digits(b), Signs(t), Digits(c), rest @ ..]
            if !(s.contains(':') || t.contains(':')) && a.len() <= 4 && short(b) =>
        {
            let (s, t) = (blanks(s), blanks(t));
            let orders: &[[&str; 3]] = match (a.len(), c.len()) {
                // With hyphens, ISO dates would be read so, too.
                (4, 1..=2) if s == "-" => &[["%Y", "%m", "%d"]],
                (4, 1..=2) => &[["%Y", "%m", "%d"], ["%Y", "%d", "%m"]],
                (1..=2, 4) => &[["%m", "%d", "%Y"], ["%d", "%m", "%Y"]],
                (2, 2) if s == "-" => &[["%m", "%d", "%y"], ["%d", "%m", "%y"], ["%y", "%m", "%d"]],
                (1..=2, 2) => &[["%m", "%d", "%y"], ["%d", "%m", "%y"]],
                (2, 1) if s == "-" => &[["%y", "%m", "%d"]],
                _ => &[],
            };
            orders.iter().map(|[a, b, c]| (format!("{a}{s}{b}{t}{c}"), rest)).collect()
        }
        [Digits(a), Signs(s), Letters(b), Signs(t), Digits(c), rest @ ..] => {
            let Some(month) = month(b) else { return Vec::new() };
            let (s, t) = (blanks(s), blanks(t));
            match (a.len(), c.len()) {
                (1..=2, 2 | 4) => vec![(format!("%d{s}{month}{t}{}", year(c).unwrap_or_default()), rest)],
                (4, 1..=2) => vec![(format!("%Y{s}{month}{t}%d"), rest)],
                _ => Vec::new(),
            }
        }
        [Letters(a), Signs(s), Digits(b), Signs(t), Digits(c), rest @ ..] if short(b) && !t.contains(':') => {
            let (Some(month), Some(year)) = (month(a), year(c)) else { return Vec::new() };
            vec![(format!("{month}{}%d{}{year}", blanks(s), blanks(t)), rest)]
        }
        [Digits(a), Letters(b), Digits(c), rest @ ..] if short(a) => {
            let (Some(month), Some(year)) = (month(b), year(c)) else { return Vec::new() };
            vec![(format!("%d{month}{year}"), rest)]
        }
        [Digits(a), rest @ ..] => {
            let formats: &[&str] = match a.len() {
                8 => &["%Y%m%d", "%m%d%Y", "%d%m%Y"],
                12 => &["%Y%m%d%H%M"],
                14 => &["%Y%m%d%H%M%S"],
                _ => &[],
            };
            formats.iter().map(|format| ((*format).to_owned(), rest)).collect()
        }
        _ => Vec::new(),
    }
}

/// The ways to read what follows a day; an empty one where nothing does.
fn after_day(parts: &[Part<'_>]) -> Vec<String> {
    use Part::{Letters, Signs};
    let with = |join: &str, rest: &[Part<'_>]| time(rest).map(|time| format!("{join}{time}")).into_iter().collect();
    match parts {
        [] => vec![String::new()],
        [Letters(t), rest @ ..] if t.eq_ignore_ascii_case("t") => with(t, rest),
        [Signs(s), Letters(at), Signs(t), rest @ ..] if *at == "at" => with(&format!("{s}at{t}"), rest),
        // An offset, or UTC, without a time of day.
        [Signs(" "), Letters(zone)] if ["UTC", "GMT"].contains(zone) => vec![format!(" {zone}")],
        [Letters("Z")] => vec!["Z".to_owned()],
        [Signs(s), rest @ ..] => with(&blanks(s), rest),
        _ => Vec::new(),
    }
}

/// A time of day, and what follows it.
fn time(parts: &[Part<'_>]) -> Option<String> {
    use Part::{Digits, Letters, Signs};
    let (mut said, mut rest, twelve) = match parts {
        [Digits(h), Signs(s), Digits(m), Signs(t), Digits(_), rest @ ..] if h.len() <= 2 && m.len() == 2 && s == t && is_mark(s) => {
            let (fraction, rest) = fraction(rest)?;
            (format!("{s}%M{s}%S{fraction}"), rest, true)
        }
        [Digits(h), Signs(s), Digits(m), rest @ ..] if h.len() <= 2 && m.len() == 2 && is_mark(s) => (format!("{s}%M"), rest, true),
        [Digits(h), Letters("h"), Digits(_), rest @ ..] if h.len() <= 2 => ("h%M".to_owned(), rest, false),
        [Digits(hms), rest @ ..] if hms.len() == 6 => ("%M%S".to_owned(), rest, false),
        [Digits(hm), rest @ ..] if hm.len() == 4 => ("%M".to_owned(), rest, false),
        _ => return None,
    };
    let hour = match half(rest).filter(|_| twelve) {
        Some((half, after)) => {
            said += &half;
            rest = after;
            "%I"
        }
        None => "%H",
    };
    Some(format!("{hour}{said}{}", offset(rest)?))
}

fn is_mark(signs: &str) -> bool {
    matches!(signs, ":" | ".")
}

/// Parts of a second.
fn fraction<'p, 't>(parts: &'p [Part<'t>]) -> Option<(String, &'p [Part<'t>])> {
    match parts {
        [Part::Signs("."), Part::Digits(_), rest @ ..] => Some(("%.f".to_owned(), rest)),
        [Part::Signs(mark @ ("," | ":")), Part::Digits(digits), rest @ ..] => {
            matches!(digits.len(), 3 | 6 | 9).then(|| (format!("{mark}%{}f", digits.len()), rest))
        }
        _ => Some((String::new(), parts)),
    }
}

/// AM or PM, after a blank or none.
fn half<'p, 't>(parts: &'p [Part<'t>]) -> Option<(String, &'p [Part<'t>])> {
    let is_half = |word: &str| ["am", "pm"].contains(&word.to_ascii_lowercase().as_str());
    match parts {
        [Part::Letters(word), rest @ ..] if is_half(word) => Some(("%p".to_owned(), rest)),
        [Part::Signs(blank), Part::Letters(word), rest @ ..] if is_half(word) && blank.trim().is_empty() => {
            Some((format!("{blank}%p"), rest))
        }
        _ => None,
    }
}

/// How far the time is from UTC.
fn offset(parts: &[Part<'_>]) -> Option<String> {
    use Part::{Digits, Letters, Signs};
    let is_sign = |signs: &str| matches!(signs.trim_start(), "+" | "-");
    let blank = |signs: &str| signs[..signs.len() - 1].to_owned();
    match parts {
        [] => Some(String::new()),
        [Letters(zone @ ("Z" | "UTC" | "GMT"))] => Some((*zone).to_owned()),
        [Signs(" "), Letters(zone @ ("UTC" | "GMT" | "Z"))] => Some(format!(" {zone}")),
        [Signs(sign), Digits(hm)] if is_sign(sign) && hm.len() == 4 => Some(format!("{}%z", blank(sign))),
        [Signs(sign), Digits(h), Signs(":"), Digits(m)] if is_sign(sign) && h.len() == 2 && m.len() == 2 => {
            Some(format!("{}%:z", blank(sign)))
        }
        [Signs(" "), Letters("GMT" | "UTC"), rest @ ..] => {
            let zone = if let [_, Letters(zone), ..] = parts { zone } else { "" };
            // Browsers write the zone's name once more, in brackets.
            let end = rest.iter().position(|part| matches!(part, Signs(signs) if signs.starts_with(" ("))).unwrap_or(rest.len());
            let name: String = rest[end..].iter().map(|part| part.text()).collect();
            Some(format!(" {zone}{}{name}", offset(&rest[..end]).filter(|offset| offset.starts_with('%'))?))
        }
        _ => None,
    }
}

impl<'a> Part<'a> {
    fn text(&self) -> &'a str {
        match self {
            Part::Digits(text) | Part::Letters(text) | Part::Signs(text) => text,
        }
    }
}

/// What programs write with the year at the end: `Jan 05 10:11:12 UTC 2023`.
fn by_programs(parts: &[Part<'_>]) -> Option<String> {
    use Part::{Digits, Letters, Signs};
    let [Letters(name), Signs(s), Digits(_), Signs(t), Digits(_), Signs(":"), Digits(_), Signs(":"), Digits(_), zone @ .., Digits(year)] =
        parts
    else {
        return None;
    };
    let month = month(name).filter(|_| year.len() == 4)?;
    let zone = match zone {
        [Signs(" ")] => " ".to_owned(),
        [Signs(" "), Letters(zone @ ("UTC" | "GMT")), Signs(" ")] => format!(" {zone} "),
        [Signs(sign), Digits(hm), Signs(" ")] if hm.len() == 4 && matches!(*sign, " +" | " -") => " %z ".to_owned(),
        _ => return None,
    };
    Some(format!("{month}{}%d{}%H:%M:%S{zone}%Y", blanks(s), blanks(t)))
}
