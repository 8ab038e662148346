//! How an option is called where a message advises it. Messages, also those of the library, name options in backquotes, with a value or
//! without: `` add `on_bad_row=reject` ``. People who use flags read `--on-bad-row reject`, and people who write a spec
//! `on_bad_row = "reject" in [source]`.

use super::Kind;
use super::option_table::{COLUMN, OPTIONS, Opt};
use std::borrow::Cow;

/// Names of the library that are not the last part of a key, or of several.
const ALIASES: &[(&str, &str)] = &[("every", "state.every")];
/// Sections that are spoken of as a whole, and their flags.
const SECTIONS: &[(&str, &str)] = &[("columns", "--column"), ("windows", "--window")];

/// The names by which options are called: flags or keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    /// In flags of a command.
    Flags(Kind),
    /// In keys of a spec.
    Keys,
}

impl Speech {
    /// A message with its options as they are called here.
    pub(crate) fn say(self, message: &str) -> String {
        let mut said = String::with_capacity(message.len());
        let mut rest = message;
        while let Some((before, after)) = rest.split_once('`') {
            said += before;
            let option = after.split_once('`').and_then(|(option, after)| Some((self.option(option)?, after)));
            let Some((option, after)) = option else {
                said.push('`');
                rest = after;
                continue;
            };
            said += &option;
            rest = after;
        }
        said + rest
    }

    /// One option as it is called here; none if it is none.
    fn option(self, text: &str) -> Option<String> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        if let Some((section, flag)) = SECTIONS.iter().find(|(section, _)| *section == name) {
            return Some(if self == Speech::Keys { format!("[{section}]") } else { (*flag).to_owned() });
        }
        let row = self.row(name)?;
        if let Speech::Flags(job) = self {
            if row.section() == COLUMN.name.to_owned() + "s" {
                let said = format!("{}={}", row.name(), value.unwrap_or("NAME"));
                return Some(format!("{} {}", COLUMN.shown(), if said.contains('|') { in_quotes(&said).into() } else { quoted(&said) }));
            }
            if let Some(flag) = row.flag(job).or_else(|| row.flags.first()) {
                let value = value.filter(|_| !flag.value.is_empty() || flag.is_positional());
                return Some(match value {
                    Some(value) if flag.is_positional() && value != "…" => value.to_owned(),
                    Some(value) if !flag.is_positional() => format!("{} {}", flag.shown(), quoted(value)),
                    _ => flag.shown(),
                });
            }
        }
        let key = row.name();
        Some(value.map_or_else(|| key.to_owned(), |value| format!("{key} = {} in [{}]", toml(value), row.section())))
    }

    /// The row that is meant: by its key, or by the last part of it.
    fn row(self, name: &str) -> Option<&'static Opt> {
        let exact = |key: &str| OPTIONS.iter().find(|row| row.key == key);
        let mut alike = OPTIONS.iter().filter(|row| row.name() == name);
        let of_command = match self {
            Speech::Flags(job) => alike.clone().find(|row| row.flag(job).is_some()),
            Speech::Keys => None,
        };
        let alias = || ALIASES.iter().find(|(alias, _)| *alias == name).and_then(|(_, key)| exact(key));
        exact(name).or(of_command).or_else(alias).or_else(|| alike.next())
    }
}

/// A value for a shell.
fn quoted(value: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@=+-,|…".contains(c);
    if value.chars().all(plain) { value.into() } else { in_quotes(value).into() }
}

/// A value in the quotes in which a shell leaves it as it is.
fn in_quotes(value: &str) -> String {
    match value.contains(['"', '$', '`', '\\', '!']) {
        true => format!("'{}'", value.replace('\'', r"'\''")),
        false => format!("\"{value}\""),
    }
}

/// A value for a spec: lists, numbers and truths as they are.
fn toml(value: &str) -> Cow<'_, str> {
    let bare = value.starts_with('[') || value.parse::<f64>().is_ok() || ["true", "false", "…"].contains(&value);
    if bare { value.into() } else { format!("{value:?}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_called_as_they_are_said() {
        let both = |text: &str| (Speech::Flags(Kind::Audit).say(text), Speech::Keys.say(text));
        let is = |text: &str, flags: &str, keys: &str| assert_eq!(both(text), (flags.to_owned(), keys.to_owned()));
        is(
            "add `on_bad_row=reject`, or `sorted`",
            "add --on-bad-row reject, or --sorted",
            "add on_bad_row = \"reject\" in [source], or sorted",
        );
        is("`columns.event_ts=day`", "--column event_ts=day", "event_ts = \"day\" in [columns]");
        is("`columns.order_id=Order Date`", "--column \"order_id=Order Date\"", "order_id = \"Order Date\" in [columns]");
        is("`columns.order_id=A|B`", "--column \"order_id=A|B\"", "order_id = \"A|B\" in [columns]");
        is("`columns.order_id=$no's`", r"--column 'order_id=$no'\''s'", "order_id = \"$no's\" in [columns]");
        is("`date_format=%d.%m.%Y`", "--date-format \"%d.%m.%Y\"", "date_format = \"%d.%m.%Y\" in [source]");
        is("`one_row_per_order=true`", "--one-row-per-order", "one_row_per_order = true in [transactions]");
        is("`every=month`", "--every month", "every = \"month\" in [state]");
        is("a `name` that is none, and ` alone", "a `name` that is none, and ` alone", "a `name` that is none, and ` alone");
    }
}
