//! An input's names: those of its columns, and those of folders in its path that say `key=value`, as Spark and Hive write them.

use super::derive::Part;
use crate::base::error::{Error, Result, Stage};
use crate::base::text::folded;

/// What Hive calls a folder whose value is null.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The names of an input.
pub(super) struct Header<'a> {
    pub(super) names: &'a [&'a str],
    /// Keys and values of folders; of equal keys the last.
    folders: Vec<(String, String)>,
}

impl<'a> Header<'a> {
    pub(super) fn new(names: &'a [&'a str], path: &str) -> Self {
        Header { names, folders: folder_values(path) }
    }

    /// The column of a name, or the folder.
    ///
    /// # Errors
    /// When two columns have the name.
    pub(super) fn exact(&self, name: &str) -> Result<Option<Part>> {
        let mut places = (0..self.names.len()).filter(|&at| self.names[at] == name);
        let first = places.next();
        if places.next().is_some() {
            return Err(Error::data(format!("two columns are named {name:?}")).stage(Stage::Source));
        }
        let folder = || self.folders.iter().rev().find(|(key, _)| key == name).map(|(_, value)| Part::Text(value.clone()));
        Ok(first.map(Part::Field).or_else(folder))
    }

    /// The columns whose names differ from this one by case, blanks, underscores and hyphens alone.
    pub(super) fn alike(&self, name: &str) -> impl Iterator<Item = (usize, &'a str)> {
        let wanted = folded(name);
        self.names.iter().copied().enumerate().filter(move |(_, there)| !wanted.is_empty() && folded(there) == wanted)
    }

    /// All names, as messages list them.
    pub(super) fn shown(&self) -> String {
        let folders = self.folders.iter().map(|(key, _)| key.as_str());
        self.names.iter().copied().chain(folders).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
    }
}

/// Whether one of the columns that a mapping names is among these, if only in another case.
pub(crate) fn is_among(mapping: &str, names: &[&str]) -> bool {
    let folded_names: Vec<String> = names.iter().map(|name| folded(name)).collect();
    names.contains(&mapping) || mapping.split(['|', '+']).map(folded).any(|name| !name.is_empty() && folded_names.contains(&name))
}

/// The keys and values of the folders that a path leads through.
fn folder_values(path: &str) -> Vec<(String, String)> {
    let folders = path.rsplit_once(['/', '\\']).map_or("", |(folders, _)| folders);
    let pair = |folder: &str| {
        let (key, value) = folder.split_once('=')?;
        let value = if value == HIVE_NULL { String::new() } else { decoded(value) };
        (!key.is_empty()).then(|| (decoded(key), value))
    };
    folders.split(['/', '\\']).filter_map(pair).collect()
}

/// A text without its percent-encoding; what is none stays.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|digits| byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let code = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(code.unwrap_or(byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

/// The name that is most like this one, if it is more like it than so much, of 1.
pub(crate) fn nearest<'a>(name: &str, names: &[&'a str], least: f64) -> Option<&'a str> {
    let nearest = names.iter().copied().max_by(|a, b| likeness(name, a).total_cmp(&likeness(name, b)));
    nearest.filter(|near| likeness(name, near) > least)
}

/// How alike two names are, from 0 to 1.
pub(super) fn likeness(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(&a.to_lowercase(), &b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_name_values() {
        let values = |path: &str| folder_values(path).into_iter().map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>().join(" ");
        assert_eq!(values("orders/order_date=2023-01-05/part-0.parquet"), "order_date:2023-01-05");
        assert_eq!(values("a=1/b=x%20y%2Fz/c=%zz/d=__HIVE_DEFAULT_PARTITION__/f=g.csv"), "a:1 b:x y/z c:%zz d:");
        assert_eq!(values("plain.csv"), "");
    }
}
