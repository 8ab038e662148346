//! The grammar of a mapping's value: `A|B` names a column by several names of which the first that is there counts; `a+b` joins columns.
//! Blanks around names do not count. A name that holds these signs is taken as it is where the input has it.

/// The part of a joined id that is the calendar day of the time, as the input writes it.
pub(super) const DAY: &str = "day";

/// One of the names of a column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alternative<'a> {
    /// As it was written.
    pub(super) whole: &'a str,
    /// The names of what is joined; one where nothing is.
    pub(super) parts: Vec<&'a str>,
}

/// What a value says: as a whole name, and then, where it has several, its alternatives.
pub(super) fn alternatives(value: &str) -> Vec<Alternative<'_>> {
    if !value.contains('|') {
        return vec![alternative(value)];
    }
    let whole = Alternative { whole: value, parts: vec![value] };
    let several = value.split('|').map(str::trim).filter(|name| !name.is_empty());
    std::iter::once(whole).chain(several.map(alternative)).collect()
}

fn alternative(whole: &str) -> Alternative<'_> {
    let parts: Vec<_> = whole.split('+').map(str::trim).collect();
    let is_joined = parts.len() > 1 && parts.iter().all(|part| !part.is_empty());
    Alternative { whole, parts: if is_joined { parts } else { vec![whole] } }
}
