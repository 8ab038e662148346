//! A report's JSON as figures read it. What is not there is nothing, zero or empty, and never an error: which answers a report has depends
//! on how it was made and by which version.

use crate::base::money::Fixed2;
use serde_json::Value;

/// Characters of a name that are shown at most: a page has a size, and a name may have none.
const NAME: usize = 72;

/// Reads values by what they are.
pub(super) trait ReportJson {
    /// Whether it is there.
    fn is_there(&self) -> bool;
    /// A number's or a text's own text; of anything else, nothing.
    fn said(&self) -> String;
    /// A text from outside: of a long one, the beginning and the end.
    fn name(&self) -> String;
    /// A count.
    fn count(&self) -> i128;
    /// An amount or a percentage.
    fn fixed(&self) -> Fixed2;
    /// A number for a coordinate.
    fn float(&self) -> f64;
    /// A list's items.
    fn items(&self) -> &[Value];
    /// An object's entries, in the order of their keys as numbers where they are numbers.
    fn entries(&self) -> Vec<(&str, &Value)>;
}

impl ReportJson for Value {
    fn is_there(&self) -> bool {
        !self.is_null()
    }

    fn said(&self) -> String {
        match self {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => String::new(),
        }
    }

    fn name(&self) -> String {
        shortened(&self.said())
    }

    fn count(&self) -> i128 {
        self.said().parse().unwrap_or_default()
    }

    fn fixed(&self) -> Fixed2 {
        self.said().parse().unwrap_or_default()
    }

    fn float(&self) -> f64 {
        self.said().parse().ok().filter(|number: &f64| number.is_finite()).unwrap_or_default()
    }

    fn items(&self) -> &[Value] {
        self.as_array().map_or(&[], Vec::as_slice)
    }

    fn entries(&self) -> Vec<(&str, &Value)> {
        let mut entries: Vec<(&str, &Value)> = self.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect();
        // `10+` comes after `9`.
        let number = |key: &str| key.trim_end_matches('+').parse::<u128>().ok();
        entries.sort_by(|(a, _), (b, _)| (number(a), a).cmp(&(number(b), b)));
        entries
    }
}

/// The beginning and the end of a long name. Signs that turn the order of letters around, or that cannot be seen, are written as their
/// numbers: a name is what it looks like.
pub(super) fn shortened(name: &str) -> String {
    let cut = |name: &str, most: usize| {
        let length = name.chars().count();
        if length <= most {
            return name.to_owned();
        }
        let begin: String = name.chars().take(most - most / 4 - 1).collect();
        let end: String = name.chars().skip(length - most / 4).collect();
        format!("{begin}…{end}")
    };
    // First roughly, so that a name of a megabyte costs nothing.
    crate::base::text::visible_name(&cut(name, NAME)).into_owned()
}

/// A name for a label, which has little room.
pub(super) fn label(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most.saturating_sub(1)).collect::<String>().trim_end().to_owned() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_there_is_nothing() {
        let report = json!({"a": "12.50", "b": 3, "c": [1], "d": {"10+": 1, "9": 2, "x": 3}, "e": 12.5});
        assert_eq!((report["a"].fixed(), report["e"].fixed()), (Fixed2::from_hundredths(1_250), Fixed2::from_hundredths(1_250)));
        assert_eq!((report["b"].count(), report["z"]["y"].count(), report["c"].items().len(), report["a"].items().len()), (3, 0, 1, 0));
        assert_eq!(report["d"].entries().iter().map(|entry| entry.0).collect::<Vec<_>>(), ["x", "9", "10+"]);
        assert!(!report["z"].is_there() && report["z"].said().is_empty());
    }

    #[test]
    fn names_are_what_they_look_like() {
        assert_eq!(shortened("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(shortened(&"x".repeat(1 << 20)).chars().count(), NAME);
        assert_eq!(label("2023-Q1", 7), "2023-Q1");
        assert_eq!(label("2023-Q1 and more", 9), "2023-Q1…");
    }
}
